"""Compile-time expressions: a tree and the scope it stands in go in, a plain value comes out, or a `Failure` with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.source import Span

from ..dims import Dim, SymDim
from ..errors.names import NoIn, NotATensor, UnknownName
from ..errors.structure import Recursion, TooManyCalls, TooManyNodes, TooMuchNesting
from ..errors.values import (
    BadListIndex,
    BadOperand,
    NoAttribute,
    NoSuchAxis,
    NotABool,
    NotAConstant,
    NotAFunction,
    NotANumber,
    TensorAsValue,
)
from ..ir.graph import Value
from ..ir.types import DTYPES, TensorType, show_shape
from ..ops.base import Operator
from .arithmetic import binary, negate
from .builtins import BUILTINS, call_builtin
from .limits import check_list
from .scope import Binding, Scope
from .session import MAX_CALLS, MAX_DEPTH, MAX_NESTING, MAX_NODES, Session
from .values import (
    CONST_TYPES,
    UNKNOWN,
    AlreadyReported,
    BlockDef,
    Const,
    ConstExpr,
    Failure,
    FnDef,
    LazyLet,
    OperatorRef,
    SharedDef,
    StageClosure,
    TensorTuple,
    Unknown,
    show_value,
)

MOST_MARKS = 6
"""Of a long chain of calls, the inner ones and the outermost are shown."""
MISSPELT = ("True", "False")
"""Names whose right spelling the parser has told."""


def evaluate(expr: ast.Expr, scope: Scope, session: Session) -> Any:
    """The value of an expression. Raises `Failure`, or `AlreadyReported` when something in it has failed before."""
    return RULES[type(expr)](expr, scope, session)


def evaluate_bool(expr: ast.Expr, scope: Scope, session: Session) -> bool:
    value = evaluate(expr, scope, session)
    if not isinstance(value, bool):
        raise Failure(NotABool(show_value(value)), expr.span)
    return value


def evaluate_shape(expr: ast.Expr, scope: Scope, session: Session) -> tuple[Dim, ...]:
    """The dimensions of a shape: a number, a dims literal or a list."""
    if isinstance(expr, ast.ListExpr):
        return tuple(dimension(evaluate(item, scope, session), item.span) for item in expr.items)
    value = evaluate(expr, scope, session)
    return tuple(dimension(item, expr.span) for item in (value if isinstance(value, tuple) else (value,)))


def dimension(value: Any, span: Span) -> Dim:
    """The value, if it is an integer or a dimension."""
    if isinstance(value, bool) or not isinstance(value, (int, SymDim)):
        raise Failure(NotANumber("each part of a shape", "an integer or a dimension", show_value(value)), span)
    return value


def known(binding: Binding, name: str, span: Span, session: Session) -> Const | OperatorRef | StageClosure | BlockDef:
    """The compile-time value of a binding, blocks and operators among them, or a `Failure` when it is something else."""
    value = binding.value
    if isinstance(value, LazyLet):
        value = force(binding, value, session)
    if isinstance(value, Unknown):
        raise AlreadyReported
    if isinstance(value, (Value, TensorTuple)):
        raise Failure(TensorAsValue(name), span, ((binding.span, "bound here"),) if binding.span else ())
    if isinstance(value, (OperatorRef, StageClosure)) or (isinstance(value, BlockDef) and isinstance(value.node, ast.Block)):
        return value
    if not isinstance(value, CONST_TYPES):
        raise Failure(NotAConstant(name, describe(value)), span, ((binding.span, "bound here"),) if binding.span else ())
    return value


def describe(value: object) -> str:
    """What a binding is, for a message."""
    kinds = {FnDef: "function", BlockDef: "block", SharedDef: "shared stage", Value: "tensor", TensorTuple: "tuple"}
    return kinds.get(type(value), "value")


def force(binding: Binding, let: LazyLet, session: Session) -> Any:
    """Evaluates a file's `let` at its first use."""
    through = next((i for i, a in enumerate(session.active) if a is let.node), None)
    if through is not None:
        others = [a for a in session.active[through + 1 :] if isinstance(a, ast.Let)]
        marks = tuple((a.name.span, f"by way of `{a.name.name}`") for a in others)
        raise Failure(Recursion(let.node.name.name, "value"), let.node.name.span, marks)
    check_depth(session, let.node.name.span)
    session.active.append(let.node)
    try:
        binding.value = evaluate(let.node.value, let.scope, session)
    except (Failure, AlreadyReported):
        binding.value = UNKNOWN  # whoever asks again need not be told again
        raise
    finally:
        session.active.pop()
    return binding.value


def lookup(name: str, span: Span, scope: Scope, session: Session) -> Binding:
    """The binding of a name in an expression; dimensions and element types are seen from everywhere."""
    binding = scope.use(name)
    if binding is not None:
        return binding
    if name in session.dims:
        return Binding(session.dims[name], None)
    if name in DTYPES:
        return Binding(DTYPES[name], None)
    if name in Operator.registry:
        return Binding(OperatorRef(name), None)
    if name == "in":
        raise Failure(NoIn(expression=True), span)
    if name in MISSPELT:
        raise AlreadyReported
    candidates = session.near(name, [*scope.visible(), *session.dims])
    hint = "a dimension is declared by the `input` whose shape has it" if name.isupper() and not candidates else ""
    raise Failure(UnknownName(name, candidates, hint), span)


def _name(expr: ast.Name, scope: Scope, session: Session) -> Any:
    return known(lookup(expr.name, expr.span, scope, session), expr.name, expr.span, session)


def _attribute(expr: ast.Attribute, scope: Scope, session: Session) -> Any:
    if not isinstance(expr.value, ast.Name):
        value = evaluate(expr.value, scope, session)
        raise Failure(NotATensor(show_value(value), "`.shape`, `.channels` and the like are asked of a tensor"), expr.value.span)
    name = expr.value
    binding = lookup(name.name, name.span, scope, session)
    value = binding.value
    if isinstance(value, TensorTuple) and value.extras is not None:
        value = value.values[0]
    if isinstance(value, Unknown):
        raise AlreadyReported
    if not isinstance(value, Value):
        marks = ((binding.span, f"`{name.name}` is bound here"),) if binding.span is not None else ()
        found = show_value(value) if isinstance(value, CONST_TYPES) else f"the {describe(value)} `{name.name}`"
        raise Failure(NotATensor(found, f"`.{expr.name}` is asked of a tensor"), name.span, marks)
    return _ask(expr, value.type)


def _ask(expr: ast.Attribute, type_: TensorType) -> Any:
    questions: dict[str, Callable[[], Any]] = {
        "shape": lambda: type_.shape,
        "rank": lambda: type_.rank,
        "channels": lambda: type_.shape[1],
        "features": lambda: type_.shape[-1],
        "dtype": lambda: type_.dtype,
    }
    if expr.name not in questions:
        raise Failure(NoAttribute(expr.name, tuple(near(expr.name, list(questions))), tuple(questions)), expr.span)
    try:
        return questions[expr.name]()
    except IndexError:
        which = "axis 1" if expr.name == "channels" else "the last axis"
        raise Failure(NoSuchAxis(expr.name, which, show_shape(type_.shape)), expr.span) from None


def _index(expr: ast.Index, scope: Scope, session: Session) -> Any:
    value = evaluate(expr.value, scope, session)
    index = evaluate(expr.index, scope, session)
    if not isinstance(value, (tuple, str)):
        raise Failure(BadOperand("[ ]", show_value(value)), expr.span)
    if isinstance(index, tuple) and isinstance(value, tuple):
        return tuple(_item(value, i, expr) for i in index)
    return _item(value, index, expr)


def _item(value: tuple[Any, ...] | str, index: Any, expr: ast.Index) -> Any:
    if isinstance(index, bool) or not isinstance(index, int):
        wanted = "an integer" if isinstance(value, str) else "an integer, or a list of integers"
        raise Failure(NotANumber("an index", wanted, show_value(index)), expr.index.span)
    try:
        return value[index]
    except IndexError:
        marks = ((expr.value.span, f"this is {show_value(value)}"),)
        raise Failure(BadListIndex(index, len(value)), expr.index.span, marks) from None


def _unary(expr: ast.Unary, scope: Scope, session: Session) -> Any:
    if expr.op == "not":
        return not evaluate_bool(expr.operand, scope, session)
    value = evaluate(expr.operand, scope, session)
    return negate(value, expr.span) if expr.op == "-" else value


def _binary(expr: ast.Binary, scope: Scope, session: Session) -> Any:
    spine = [expr]
    while isinstance(spine[-1].left, ast.Binary):
        spine.append(spine[-1].left)
    value = evaluate(spine[-1].left, scope, session)
    for node in reversed(spine):
        if node.op in ("and", "or"):
            if not isinstance(value, bool):
                raise Failure(NotABool(show_value(value)), node.left.span)
            if value == (node.op == "and"):
                value = evaluate_bool(node.right, scope, session)
            continue
        right = evaluate(node.right, scope, session)
        value = binary(node, value, right, scope, session)
    return value


def _conditional(expr: ast.Conditional, scope: Scope, session: Session) -> Any:
    chosen = expr.then if evaluate_bool(expr.test, scope, session) else expr.otherwise
    return evaluate(chosen, scope, session)


def _call(expr: ast.Call, scope: Scope, session: Session) -> Any:
    name = expr.function.name
    binding = scope.use(name)
    if binding is not None and isinstance(binding.value, FnDef):
        return _call_fn(expr, binding.value, scope, session)
    arguments = [evaluate(a, scope, session) for a in expr.arguments]
    if binding is None and name in BUILTINS:
        return call_builtin(name, arguments, expr, session)
    if binding is not None:
        marks = ((binding.span, "bound here"),) if binding.span is not None else ()
        raise Failure(NotAFunction(name, describe(binding.value)), expr.function.span, marks)
    functions = [n for n in scope.visible() if isinstance((found := scope.find(n)) and found[0].value, FnDef)]
    candidates = session.near(name, [*BUILTINS, *functions])
    hint = f"`{name}` is an operator: apply it with `->`" if name in Operator.registry else ""
    raise Failure(UnknownName(name, candidates, hint), expr.function.span)


def _call_fn(expr: ast.Call, fn: FnDef, scope: Scope, session: Session) -> Any:
    from .arguments import fn_arguments

    inner = Scope(fn.scope, fn.scope.frame)
    check_call(fn, expr, session)
    arguments = fn_arguments(fn, expr)
    values: list[Any] = [None if given is None else evaluate(given, scope, session) for _, given, _ in arguments]
    with calling(fn, expr, session):  # the defaults belong to the function, what is given does not
        for (parameter, given, default), value in zip(arguments, values, strict=True):
            inner.bind(parameter.name.name, evaluate(default, inner, session) if given is None else value, parameter.span)
        return evaluate(fn.node.body, inner, session)


def check_call(fn: FnDef, expr: ast.Call, session: Session) -> None:
    """Refuses a function that calls itself, and more calls than a program needs."""
    if any(a is fn.node for a in session.active):
        raise Failure(Recursion(fn.node.name.name, "function"), expr.span)
    check_depth(session, expr.span)
    session.calls = 1 if not any(isinstance(a, ast.Fn) for a in session.active) else session.calls + 1
    if session.calls > MAX_CALLS:
        raise Failure(TooManyCalls(MAX_CALLS), expr.span)


@contextmanager
def calling(fn: FnDef, expr: ast.Call, session: Session) -> Iterator[None]:
    """While the body of a function is worked out: its problems tell where it was called."""
    session.active.append(fn.node)
    try:
        yield
    except Failure as failure:
        outermost = not any(isinstance(a, ast.Fn) for a in session.active[:-1])
        here = ((expr.span, f"in `{fn.node.name.name}`, called here"),) if outermost or len(failure.marks) < MOST_MARKS else ()
        raise Failure(failure.problem, failure.span, (*failure.marks, *here), failure.label) from None
    finally:
        session.active.pop()


def check_depth(session: Session, span: Span) -> None:
    """Refuses functions and values that go through too many others."""
    if len(session.active) > MAX_NESTING + MAX_DEPTH:
        raise Failure(TooMuchNesting(MAX_DEPTH, "functions and values"), span)


def _list(expr: ast.ListExpr, scope: Scope, session: Session) -> Any:
    value = tuple(evaluate(item, scope, session) for item in expr.items)
    check_list(value, expr.span)
    return value


def _range(expr: ast.Range, scope: Scope, session: Session) -> Any:
    bounds = [evaluate(e, scope, session) for e in (expr.start, expr.stop)]
    for bound, part in zip(bounds, (expr.start, expr.stop), strict=True):
        if isinstance(bound, bool) or not isinstance(bound, int):
            raise Failure(NotANumber("an end of a range", "an integer", show_value(bound)), part.span)
    return range_values(bounds[0], bounds[1], expr.span)


def range_values(start: int, stop: int, span: Span) -> tuple[int, ...]:
    if stop - start > MAX_NODES:
        raise Failure(TooManyNodes(stop - start, MAX_NODES, "list", "items"), span)
    return tuple(range(start, stop))


RULES: dict[type[ast.Expr], Callable[[Any, Scope, Session], Any]] = {
    ast.Number: lambda e, scope, session: e.value,
    ast.String: lambda e, scope, session: e.value,
    ast.Boolean: lambda e, scope, session: e.value,
    ast.Dims: lambda e, scope, session: tuple(evaluate(p, scope, session) for p in e.parts),
    ast.ListExpr: _list,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Index: _index,
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.Conditional: _conditional,
    ast.Call: _call,
    ast.Range: _range,
    ConstExpr: lambda e, scope, session: e.value,
}
"""Stages with arguments put themselves in (partial.py)."""
