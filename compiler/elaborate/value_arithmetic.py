"""Arithmetic and comparison of compile-time values: numbers, dimensions, lists, strings.

`evaluate_binary` returns the value of `left op right`. Integers keep the formula over the parameters that they are computed from, and a
comparison of them is recorded as a decision of the graph. An operation on a dimension that cannot be proved raises a `Failure` that says
which `where` would prove it.

    >>> import netc
    >>> netc.compile("x = input [T, 3]; let half = T / 2; x -> reshape [N, half, 6]")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    netc.errors.CompileError: error[unprovable]: cannot prove that T is divisible by 2
     --> <text>:1:32
      |
    1 | x = input [T, 3]; let half = T / 2; x -> reshape [N, half, 6]
      |            -                   ^ `/` must divide exactly
      |            |
      |            `T` is declared here
      |
      = help: if this is always true, state it where the dimension is declared: `where T % 2 == 0`
      = help: use `//` to round down
    ...
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.source import Span

from ..dims import Dim, SymDim, free_symbols, suggest_divisibility, suggest_equality
from ..errors.limit_errors import TooManyNodes
from ..errors.problem import Problem
from ..errors.value_errors import BadOperand, FunctionTakes, NotExact, NoValue, UndecidableCondition, UnprovableDivision
from ..ir.graph_values import Value as Tensor
from ..ir.traced_floats import trace_float
from ..ops.formula import ARITHMETIC, COMPARISONS
from ..ops.operator import strict_key
from ..types.traced_ints import DIVIDES, TracedInt
from .elaboration_session import ElaborationSession
from .resource_limits import MAX_NODES, check_dimension, check_list, check_product, check_string
from .scopes.early_exits import Failure
from .scopes.scope import Scope
from .scopes.value_text import format_value

_ORDER = ("<", "<=", ">", ">=")
MAX_BITS = 4096
"""The longest integer at compile time."""
_SHORT = 60


def negate_value(value: Any, span: Span) -> Any:
    if not _is_number(value):
        raise Failure(BadOperand("-", format_value(value)), span)
    return trace_float("-", (value,), -value) if isinstance(value, float) else -value


def evaluate_binary(node: ast.Binary, left: Any, right: Any, scope: Scope, session: ElaborationSession) -> Any:
    """`left op right`. `and` and `or` are evaluated by the caller, since they may skip the right side."""
    op = node.op
    if op in ("==", "!="):
        return _compare_equality(left, right, op, node, scope, session) == (op == "==")
    if op == "in":
        if not isinstance(right, tuple):
            raise Failure(FunctionTakes("in", "a list on its right", format_value(right)), node.right.span)
        session.count_items(len(right), node.span)
        return any(_compare_equality(left, item, "==", node, scope, session) for item in right)
    if op in _ORDER:
        return _compare_order(op, left, right, node, scope, session)
    if op == "/":
        return _divide_values(node, left, right, scope, session)
    value = _compute_value(op, left, right, node, session)
    if isinstance(value, float):
        return trace_float(op, (left, right), value)
    if (op == "**" and not isinstance(value, TracedInt)) or isinstance(value, SymDim):
        session.decisions.pin_value((left, right))  # a power, or a size known at run time, has no formula
    elif op == "*" and isinstance(value, tuple):
        session.decisions.pin_value(right)
    return value


def _require_decision(answer: bool | None, left: object, op: str, right: object, node: ast.Binary, scope: Scope) -> bool:
    """A comparison of dimensions that must be decided now."""
    if answer is None:
        wanted = suggest_equality(left, right) if op == "==" else f"{format_value(left)} {op} {format_value(right)}"  # type: ignore[arg-type]
        symbolic = sorted({s for side in (left, right) if isinstance(side, SymDim) for s in free_symbols(side)})
        values = f"{format_value(left)} {op} {format_value(right)}"
        # The condition in the author's words, unless that is too long to repeat.
        text = Span(node.span.file, node.left.span.start, node.right.span.end).text
        text = text if len(text) <= _SHORT else values
        marks = tuple(
            m for e, v in ((node.left, left), (node.right, right)) if not isinstance(e, ast.Name) for m in _find_origin(e, v, scope)
        )
        raise Failure(UndecidableCondition(text, wanted or "", symbolic[0] if symbolic else ""), node.span, marks)
    return answer


def symbol_span(node: ast.TensorBinary | ast.Binary) -> Span:
    """The span of the operator symbol, between its two sides."""
    start, stop = node.left.span.end, node.right.span.start
    # A comment between the two sides may contain the symbol too.
    lines = node.span.file.text[start:stop].split("\n")
    for line in lines:
        offset = line.partition("#")[0].find(node.op)
        if offset >= 0:
            return Span(node.span.file, start + offset, start + offset + len(node.op))
        start += len(line) + 1
    return node.span


def _compare_equality(left: Any, right: Any, op: str, node: ast.Binary, scope: Scope, session: ElaborationSession) -> bool:
    if _has_symbol(left, right):
        # A dimension never equals a string or a list, so that nothing needs to be proved.
        if not (_is_dim(left) and _is_dim(right)):
            return False
        session.decisions.pin_value((left, right))
        return _require_decision(session.facts.are_equal(left, right), left, op, right, node, scope)
    if isinstance(left, tuple) and isinstance(right, tuple):
        session.count_items(len(left) + len(right), node.span)
        return len(left) == len(right) and all(_compare_equality(a, b, op, node, scope, session) for a, b in zip(left, right, strict=True))
    if _is_number(left) and _is_number(right):
        session.decisions.record_comparison("==", left, right, left == right)
        return bool(left == right)
    return strict_key(left) == strict_key(right)


def _compare_order(op: str, left: Any, right: Any, node: ast.Binary, scope: Scope, session: ElaborationSession) -> bool:
    if _has_symbol(left, right):
        if _is_dim(left) and _is_dim(right):
            session.decisions.pin_value((left, right))
            return _require_decision(session.facts.compare(op, left, right), left, op, right, node, scope)
        raise Failure(_bad_operands(op, left, right), symbol_span(node))
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        raise Failure(_bad_operands(op, left, right), symbol_span(node))
    answer = bool(COMPARISONS[op](left, right))
    session.decisions.record_comparison(op, left, right, answer)
    return answer


def _divide_values(node: ast.Binary, left: Any, right: Any, scope: Scope, session: ElaborationSession) -> Any:
    if not (_is_number(left) and _is_number(right)):
        raise Failure(_bad_operands("/", left, right), symbol_span(node))
    if not isinstance(right, SymDim) and right == 0:
        raise Failure(NoValue("/", "the divisor is 0"), node.right.span)
    if _has_float(left, right):
        return trace_float("/", (left, right), _compute_value("/", left, right, node, session))
    # A size must be an integer, so `/` of integers is exact or an error; `//` rounds.
    quotient = session.facts.exact_div(left, right)
    if isinstance(quotient, SymDim):
        session.decisions.pin_value((left, right))
    if quotient is not None:
        session.decisions.record_relation(DIVIDES, right, left)
        return quotient
    marks = (*_find_origin(node.left, left, scope), *_find_origin(node.right, right, scope))
    # Proved not to divide, which no `where` can change; otherwise the advice is the `where` that would.
    if session.facts.divides(right, left) is False:
        problem, symbol = NotExact(left, right, _plural_name(node.left), _plural_name(node.right)), symbol_span(node)
        # For `1 / 3`, rounding down would give 0, so the fraction is meant.
        edits: tuple[Edit, ...] = (Edit(symbol, "//", safe=False),)
        if problem.is_fraction:
            edits = (Edit(node.left.span, f"{left}.0", safe=False),) if isinstance(node.left, ast.NumberLiteral) else ()
        raise Failure(problem, symbol, marks, edits=edits)
    raise Failure(UnprovableDivision(left, right, suggest_divisibility(right, left)), symbol_span(node), marks)


def _plural_name(expr: ast.Expr) -> str:
    """Return the noun for an operand, if its name is a plural: `heads`, `features`."""
    name = expr.name if isinstance(expr, (ast.Name, ast.Attribute)) else ""
    return name if name.endswith("s") and name.islower() else ""


def _find_origin(expr: ast.Expr, value: Any, scope: Scope) -> tuple[tuple[Span, str], ...]:
    """Where an operand that is a name, or an attribute or item of one, got its value."""
    inner = expr
    while isinstance(inner, (ast.Attribute, ast.IndexExpr)):
        inner = inner.value
    binding_and_scope = scope.find_binding(inner.name) if isinstance(inner, ast.Name) else None
    if binding_and_scope is None:
        return ()
    place = binding_and_scope[0].value.span if isinstance(binding_and_scope[0].value, Tensor) else binding_and_scope[0].span
    return ((place, f"`{expr.span.text}` is {format_value(value)}"),) if place is not None else ()


def _compute_value(op: str, left: Any, right: Any, node: ast.Binary, session: ElaborationSession) -> Any:
    if op in ("+", "*") and _is_concatenation(op, left, right):
        return _concatenate_lists(op, left, right, node, session)
    if op not in ARITHMETIC or not (_is_number(left) and _is_number(right)):
        raise Failure(_bad_operands(op, left, right), symbol_span(node))
    if _has_symbol(left, right):
        return _compute_symbolic(op, left, right, node)
    if op == "**":
        _check_power(left, right, node)
    try:
        value = ARITHMETIC[op](left, right)
    except ZeroDivisionError:
        raise Failure(NoValue(op, "the divisor is 0"), node.right.span) from None
    except (OverflowError, ValueError):
        raise Failure(NoValue(op, "the result is too large"), node.span) from None
    if isinstance(value, complex):
        raise Failure(NoValue(op, "the base is negative"), node.span)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise Failure(NoValue(op, "the result is too large"), node.span)
    return value


def _compute_symbolic(op: str, left: Any, right: Any, node: ast.Binary) -> Any:
    if _has_float(left, right):
        raise Failure(NoValue(op, "a symbolic dimension and a float cannot be combined at compile time"), node.span)
    if op == "**":
        if not isinstance(right, int) or not 0 <= right <= 8:
            raise Failure(NoValue(op, "a symbolic dimension takes powers from 0 to 8"), node.span)
        power: Dim = 1
        for _ in range(right):
            # The terms of a power grow with each factor.
            check_product(power, left, node.span)
            power = power * left
        return power
    if op in ("//", "%") and right == 0:
        raise Failure(NoValue(op, "the divisor is 0"), node.right.span)
    if op != "+" and op != "-":
        check_product(left, right, node.span)
    value = ARITHMETIC[op](left, right)
    check_dimension(value, node.span)
    return value


def _check_power(left: Any, right: Any, node: ast.Binary) -> None:
    if isinstance(left, int) and isinstance(right, int) and right > 0 and left.bit_length() * right > MAX_BITS:
        raise Failure(NoValue("**", "the result is too large"), node.span)


def _is_concatenation(op: str, left: Any, right: Any) -> bool:
    match op, left, right:
        case ("+", tuple(), tuple()) | ("+", str(), str()):
            return True
        case ("*", tuple(), int()):
            return not isinstance(right, bool)
        case _:
            return False


def _concatenate_lists(op: str, left: Any, right: Any, node: ast.Binary, session: ElaborationSession) -> Any:
    length = len(left) + len(right) if op == "+" else len(left) * max(right, 0)
    if length > MAX_NODES:
        raise Failure(TooManyNodes(length, MAX_NODES, "list", "items"), node.span)
    session.count_items(length, node.span)
    if isinstance(left, str):
        return check_string(left + right, node.span)
    value = left + right if op == "+" else left * max(right, 0) if left else ()  # of an empty list, Python takes small numbers only
    check_list(value, node.span)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, SymDim)) and not isinstance(value, bool)


def _has_symbol(left: Any, right: Any) -> bool:
    """Whether an operand depends on a symbolic dimension."""
    return isinstance(left, SymDim) or isinstance(right, SymDim)


def _has_float(left: Any, right: Any) -> bool:
    return isinstance(left, float) or isinstance(right, float)


def _is_dim(value: Any) -> bool:
    return isinstance(value, (int, SymDim)) and not isinstance(value, bool)


def _bad_operands(op: str, left: Any, right: Any) -> Problem:
    text = op == "+" and isinstance(left, str) != isinstance(right, str) and any(map(_is_number, (left, right)))
    hint = 'write the value into the string, in braces: `"...{value}"`' if text else ""
    return BadOperand(op, f"{format_value(left)} and {format_value(right)}", hint)
