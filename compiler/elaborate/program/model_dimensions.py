"""The symbolic dimensions of a model.

`declare_dimensions` takes the model's body, and gives the session its dimensions and facts. They are declared before the body is
elaborated, so that a `where` holds everywhere, also in lines above it.

    >>> import netc
    >>> program = netc.compile("a = input [S, 3]; b = input [T, 3] where S == 2 * T; out a, b").program
    >>> [str(value.type) for value in program.main.inputs]
    ['[N, 2*T, 3]', '[N, T, 3]']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netc.dsl import ast
from netc.dsl.record import Record

from ...binding.dimension_names import dimension_names, inputs_of, names_in_shape
from ...dims import Condition, Dim, OneOf, SymDim, WhereCondition, condition_symbols, declare_dims, make_symbol
from ...errors.assertion_errors import BadWhere, Contradiction
from ...errors.structure_errors import UnknownDimension
from ...types.tensor_types import BATCH
from ...types.traced_ints import strip_formulas
from ..elaboration_session import ElaborationSession
from ..interpreter.elaborator import Elaborator
from ..scopes.early_exits import Failure
from ..scopes.scope import LazyLet, Scope
from ..scopes.value_text import format_value
from .option_origin import option_span

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class _Where(Record):
    """One comparison of a `where`, and the expression that it is part of."""

    condition: WhereCondition
    text: ast.Expr


def declare_dimensions(body: ast.Body, scope: Scope, elaborator: Elaborator, fixed: Mapping[str, int]) -> None:
    """Gives the session the dimensions of the inputs' shapes, and the facts that the `where`s state. `fixed` are sizes that are set."""
    session = elaborator.session
    inputs = list(inputs_of(body.statements))
    free = dimension_names(inputs, body.statements, lambda name: scope.find_binding(name) is not None)
    dimensions = tuple(dict.fromkeys((BATCH, *(name.name for name in free))))
    for name, size in fixed.items():
        if name not in dimensions:
            session.report_problem(UnknownDimension(name, dimensions), option_span("--dim", name, str(size)))
    # First with the lower bound 0: only the `where`s, which need these symbols to be evaluated, say what the real bounds are.
    session.dims = {name: make_symbol(name, lower=0) for name in dimensions}
    for written in (name for node in inputs for name in names_in_shape(node.shape)):
        # The first place counts, since messages point at one declaration.
        session.declared.setdefault(written.name, written.span)
    wheres = _evaluate_wheres(inputs, _scope_with_lets(body, scope), elaborator)
    known = {name: size for name, size in fixed.items() if name in dimensions}
    declared = declare_dims(dimensions, [w.condition for w in wheres], known)
    session.dims = dict(declared.dims)
    session.set_facts(declared.facts)
    session.conditions = [(w.condition, w.text.span.text) for w in wheres]
    for contradiction in declared.contradictions:
        _report_contradiction(contradiction, wheres, known, session)


def _evaluate_wheres(inputs: list[ast.InputDecl], scope: Scope, elaborator: Elaborator) -> list[_Where]:
    return [_Where(c, where) for node in inputs for where in node.where for c in _split_conditions(where, scope, elaborator)]


def _report_contradiction(
    contradiction: WhereCondition, wheres: list[_Where], known: Mapping[str, int], session: ElaborationSession
) -> None:
    where = next((w.text for w in wheres if w.condition == contradiction), None)
    if where is None:
        return
    sizes = ", ".join(f"{n} is {s}" for n, s in known.items())
    others = [w.text for w in wheres if w.text is not where and condition_symbols(w.condition) & condition_symbols(contradiction)]
    marks = tuple((w.span, "this is also stated") for w in others)
    session.report_problem(Contradiction(where.span.text, sizes), where.span, marks)


def _scope_with_lets(body: ast.Body, scope: Scope) -> Scope:
    """Return the scope of a `where`, with all `let`s of the model. A `let` that needs a tensor has no value yet."""
    inner = Scope(scope, None)
    for statement in body.statements:
        if isinstance(statement, ast.Let) and scope.find_binding(statement.name.name) is None:
            inner.bind_name(statement.name.name, LazyLet(statement, inner), statement.name.span)
    return inner


def _split_conditions(where: ast.Expr, scope: Scope, elaborator: Elaborator) -> Iterator[WhereCondition]:
    """The comparisons of a `where`, in plain symbols."""
    # One fact for each comparison, so that a contradiction names the comparison.
    if isinstance(where, ast.Binary) and where.op == "and":
        yield from _split_conditions(where.left, scope, elaborator)
        yield from _split_conditions(where.right, scope, elaborator)
        return
    with elaborator.session.catch_failures(()):
        if isinstance(where, ast.Binary) and where.op == "in":
            yield OneOf(_evaluate_side(where.left, scope, elaborator), _evaluate_sizes(where.right, scope, elaborator))
            return
        if not isinstance(where, ast.Binary) or where.op not in _COMPARISONS:
            joined = isinstance(where, ast.Binary) and where.op == "or"
            raise Failure(BadWhere("`or` is not supported" if joined else "this is not a comparison"), where.span)
        yield Condition(where.op, _evaluate_side(where.left, scope, elaborator), _evaluate_side(where.right, scope, elaborator))


def _evaluate_side(side: ast.Expr, scope: Scope, elaborator: Elaborator) -> Dim:
    value = elaborator.evaluate(side, scope)
    if isinstance(value, bool) or not isinstance(value, (int, SymDim)):
        raise Failure(BadWhere(f"{format_value(value)} is not an integer"), side.span)
    return strip_formulas(value)  # type: ignore[no-any-return]


def _evaluate_sizes(side: ast.Expr, scope: Scope, elaborator: Elaborator) -> tuple[int, ...]:
    values = elaborator.evaluate(side, scope)
    if not isinstance(values, tuple) or not values or any(isinstance(v, bool) or not isinstance(v, int) for v in values):
        raise Failure(BadWhere(f"{format_value(values)} is not a list of integers"), side.span)
    return tuple([int(v) for v in values])
