"""Inputs of a model, and the dimensions they declare.

The dimensions and the facts about them are known before the walk begins: `declare_dimensions` looks through the model's inputs, so that a
`where` holds everywhere, also above the line where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.source import Span

from ..dims import Condition, Dim, bounds, declare, symbol, symbols
from ..errors.checks import BadWhere, Contradiction
from ..errors.names import ArgumentTwice, UnknownArgument, UnknownType
from ..errors.structure import BatchAxisWritten, InputMisplaced, UnknownDimension
from ..errors.values import NonPositive
from ..ir.graph import Value
from ..ir.types import BATCH, DTYPES, FLOAT32, DType, TensorType, show_shape
from .arguments import flag, near_type
from .evaluate import evaluate, evaluate_shape
from .limits import check_tensor
from .operators import BARE_INPUT
from .scope import Scope
from .session import Session
from .values import Failure, Flow, LazyLet, show_value


def make_input(node: ast.Input, name: str, scope: Scope, session: Session) -> Flow:
    """A further input of the model's graph."""
    frame = scope.frame
    if frame is None or frame.graph.kind != "model" or frame.guests:
        raise Failure(InputMisplaced(), node.span)
    shape = evaluate_shape(node.shape, scope, session)
    items = node.shape.items if isinstance(node.shape, ast.ListExpr) else (node.shape,) * len(shape)
    for size, item in zip(shape, items, strict=True):
        high = size if isinstance(size, int) else bounds(size)[1]
        if high is not None and high < 1:
            raise Failure(NonPositive(size), item.span)
    check_tensor(shape, node.shape.span)
    batched = _batched(node, scope, session)
    written = batched and bool(items) and isinstance(items[0], ast.Name) and items[0].name == BATCH
    if batched:
        shape = (session.dims[BATCH], *shape)
    if written:
        session.report(BatchAxisWritten(show_shape(shape)), node.shape.span)
    value = Value(TensorType(dtype_of(node.dtype), shape), node.span, name or _free(BARE_INPUT, {v.name for v in frame.graph.inputs}))
    value.spatial = batched and isinstance(node.shape, ast.Dims) and len(shape) > 3  # `3x224x224` is an image
    frame.graph.inputs.append(value)
    return value


def _free(name: str, taken: set[str]) -> str:
    candidates = (name if i == 1 else f"{name}{i}" for i in range(1, len(taken) + 2))
    return next(c for c in candidates if c not in taken)


def _batched(node: ast.Input, scope: Scope, session: Session) -> bool:
    batched = True
    for index, keyword in enumerate(node.keywords):
        if index and keyword.name == "batch":
            raise Failure(ArgumentTwice("input", "batch"), keyword.span, ((node.keywords[0].span, "first here"),))
        if keyword.name != "batch":
            hint = "the type stands bare behind the shape, as in `input 3 int64`" if keyword.name in ("dtype", "type") else ""
            close = tuple(near(keyword.name, ["batch"]))
            raise Failure(UnknownArgument("input", keyword.name, close, ("batch",), hint), keyword.name_span)
        batched = flag("input", keyword, scope, session)
    return batched


def dtype_of(name: ast.Name | None) -> DType:
    """The element type that a name means; float32 where none is written."""
    if name is None:
        return FLOAT32
    if name.name not in DTYPES:
        raise Failure(UnknownType(name.name, tuple(near_type(name.name)), tuple(DTYPES)), name.span)
    return DTYPES[name.name]


# --- dimensions ----------------------------------------------------------------------------------------------------------------


def declare_dimensions(body: ast.Body, scope: Scope, session: Session, fixed: Mapping[str, int], origin: Span) -> None:
    """Gives the session its dimensions and facts: those of the inputs' shapes, and what the `where`s say of them."""
    inputs = list(inputs_within(body))
    lets = {s.name.name for s in body.statements if isinstance(s, ast.Let)}
    names = {BATCH: None} | {n.name: None for i in inputs for n in _names(i.shape) if _is_dimension(n.name, scope, lets)}
    for name in fixed:
        if name not in names:
            session.report(UnknownDimension(name, tuple(names)), origin)
    session.dims = {name: symbol(name) for name in names}
    for found in (n for i in inputs for n in _names(i.shape)):
        session.declared.setdefault(found.name, found.span)
    seen = _with_lets(body, scope)
    wheres = [(c, w) for i in inputs for w in i.where for c in _conditions(w, seen, session)]
    known = {name: size for name, size in fixed.items() if name in names}
    declared = declare(tuple(names), [c for c, _ in wheres], known)
    session.dims = dict(declared.dims)
    session.facts = declared.facts
    session.conditions = [(c, w.span.text) for c, w in wheres]
    for contradiction in declared.contradictions:
        where = next((w for c, w in wheres if c is contradiction or c == contradiction), None)
        if where is not None:
            given = ", ".join(f"{n} is {s}" for n, s in known.items())
            others = [w for c, w in wheres if w is not where and symbols_of(c) & symbols_of(contradiction)]
            marks = tuple((w.span, "this is stated too") for w in others)
            session.report(Contradiction(where.span.text, given), where.span, marks)


def _with_lets(body: ast.Body, scope: Scope) -> Scope:
    """What a `where` sees: the model's `let`s too, wherever they stand. Those that need a tensor are not known so early."""
    inner = Scope(scope, None)
    for statement in body.statements:
        if isinstance(statement, ast.Let) and scope.find(statement.name.name) is None:
            inner.bind(statement.name.name, LazyLet(statement, inner), statement.name.span)
    return inner


def symbols_of(condition: Condition) -> frozenset[str]:
    """The names of the dimensions that a condition speaks of."""
    return frozenset(symbols(condition.left)) | frozenset(symbols(condition.right))


def _is_dimension(name: str, scope: Scope, lets: set[str]) -> bool:
    return name.isupper() and name not in lets and scope.find(name) is None


def inputs_within(body: ast.Body) -> Iterator[ast.Input]:
    """The inputs of a model, in the order they are written."""
    stack: list[Any] = list(reversed(body.statements))
    while stack:
        node = stack.pop()
        match node:
            case ast.Input():
                yield node
            case ast.Assign(value=inner) | ast.Flow(pipeline=inner):
                stack.append(inner)
            case ast.Out(results=inner):
                stack += reversed(inner)
            case ast.Pipeline(head=head, stages=stages):
                stack += (*reversed([s for s in stages if isinstance(s, (ast.Group, ast.If))]), head)
            case ast.If(then=then, otherwise=otherwise):
                stack += (otherwise, then)
            case ast.Body(statements=statements):
                stack += reversed(statements)
            case ast.Group(members=members):
                stack += reversed(members)
            case ast.TensorBinary(left=left, right=right):
                stack += (right, left)
            case ast.TensorUnary(operand=inner):
                stack.append(inner)


def _names(expr: Any) -> Iterator[ast.Name]:
    """Every name in an expression."""
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            yield node
        elif isinstance(node, ast.Node):
            stack += reversed([getattr(node, f) for f in node.__match_args__])
        elif isinstance(node, tuple):
            stack += reversed(node)


def _conditions(where: ast.Expr, scope: Scope, session: Session) -> Iterator[Condition]:
    """The comparisons of a `where`, in plain symbols."""
    if isinstance(where, ast.Binary) and where.op == "and":
        yield from _conditions(where.left, scope, session)
        yield from _conditions(where.right, scope, session)
        return
    with session.catching(()):
        if not isinstance(where, ast.Binary) or where.op not in ("==", "!=", "<", "<=", ">", ">="):
            joined = isinstance(where, ast.Binary) and where.op == "or"
            raise Failure(BadWhere("alternatives cannot be stated" if joined else "this compares nothing"), where.span)
        sides: list[Dim] = []
        for side in (where.left, where.right):
            value = evaluate(side, scope, session)
            if isinstance(value, bool) or not isinstance(value, (int, *_SYMBOLIC)):
                raise Failure(BadWhere(f"{show_value(value)} is not a whole number"), side.span)
            sides.append(value)
        yield Condition(where.op, sides[0], sides[1])


_SYMBOLIC = (type(symbol("T")),)
