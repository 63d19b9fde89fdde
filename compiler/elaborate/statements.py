"""Bodies: statement after statement, each with its names, until there is a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netc.dsl import ast
from netc.dsl.source import Span

from ..errors.names import BoundTwice, ReservedName, TwoRests, WrongUnpacking
from ..errors.structure import ExpectMisplaced, NoResult, OutTwice
from ..ir.graph import Value
from ..ir.types import BATCH
from .evaluate import evaluate, force
from .guard import guarded
from .limits import check_tuple
from .operators import main_result, tensors
from .scope import Binding, Scope
from .session import Session
from .shares import declare_shared
from .stages import run_tensor
from .values import UNKNOWN, Failure, Flow, LazyLet, TensorTuple, Unknown


class BodyResult:
    """What a body gives, and the names of it where it has some."""

    __slots__ = ("flow", "names")

    def __init__(self, flow: Flow, names: tuple[str, ...]) -> None:
        self.flow = flow
        self.names = names


def run_body(body: ast.Body, scope: Scope, session: Session, what: str) -> Flow:
    """Runs the statements of a body in a scope of their own (`scope` itself) and gives what flows out."""
    return run_statements(body, scope, session, what).flow


def run_statements(body: ast.Body, scope: Scope, session: Session, what: str) -> BodyResult:
    """The same, with the names of the results."""
    result: BodyResult | None = None
    last: BodyResult | None = None
    out: ast.Out | None = None
    for statement in body.statements:
        if isinstance(statement, ast.Out):
            if out is not None:
                session.report(OutTwice(), statement.span, ((out.span, "the first one"),), _trace(scope))
            out = statement
            result = _out(statement, scope, session)
            continue
        made = _RULES[type(statement)](statement, scope, session)
        last = made or last
    if result is None and last is None:
        guarded(scope, session, _no_result, body, what)
        return BodyResult(UNKNOWN, ())
    return result or last  # type: ignore[return-value]


def _no_result(body: ast.Body, what: str) -> Flow:
    end = body.span.end
    closing = Span(body.span.file, end - 1, end)
    raise Failure(NoResult(what), closing if closing.text == "}" else body.span)


def _trace(scope: Scope) -> Any:
    return scope.frame.trace if scope.frame is not None else ()


def _out(node: ast.Out, scope: Scope, session: Session) -> BodyResult:
    flows = [run_tensor(p, scope, session) for p in node.results]
    values = [tensors(f) for f in flows]
    if any(v is None for v in values):
        return BodyResult(UNKNOWN, ())
    names = [_bare_name(p) if len(v or ()) == 1 else "" for p, v in zip(node.results, values, strict=True) for _ in v or ()]
    found = guarded(scope, session, check_tuple, tuple(x for v in values if v is not None for x in v), node.span)
    if isinstance(found, Unknown):
        return BodyResult(UNKNOWN, ())
    return BodyResult(found[0] if len(found) == 1 else TensorTuple(found), tuple(names))


def _bare_name(pipeline: ast.Pipeline) -> str:
    head = pipeline.head
    plain = not pipeline.stages and isinstance(head, ast.Apply) and not head.positional and not head.keywords and head.name != "in"
    return head.name if plain and isinstance(head, ast.Apply) else ""


def bind(name: ast.Name, value: Any, scope: Scope) -> None:
    """Binds a name in the innermost scope, once."""
    if name.name == BATCH:
        scope.names.setdefault(BATCH, Binding(UNKNOWN, name.span))
        raise Failure(ReservedName(BATCH, "it is the batch dimension"), name.span)
    earlier = scope.earlier(name.name)
    if earlier is not None:
        scope.names[name.name] = Binding(UNKNOWN, earlier.span)
        raise Failure(BoundTwice(name.name), name.span, ((earlier.declared, "bound here"),) if earlier.declared else ())
    scope.bind(name.name, value, name.span)


def _assign(node: ast.Assign, scope: Scope, session: Session) -> BodyResult:
    first = node.targets[0].name
    flow = run_tensor(node.value, scope, session, "" if node.unpack else first)
    names = tuple(t.name for t in node.targets)
    if not node.unpack:
        kept = main_result(flow)
        if isinstance(kept, Value) and not kept.name:
            kept.name = first
        _bind_all(node, (kept,), scope, session)
        return BodyResult(kept, names)
    parts = guarded(scope, session, _unpack, node, flow)
    if not isinstance(parts, TensorTuple):
        _bind_all(node, (UNKNOWN,) * len(names), scope, session)
        return BodyResult(parts, names)
    values = _shared_out(node, parts.values)
    for value, name in zip(values, names, strict=True):
        if isinstance(value, Value) and not value.name and name != "_":
            value.name = name
    _bind_all(node, values, scope, session)
    return BodyResult(parts, tuple(n for n, v in zip(names, values, strict=True) for _ in tensors(v) or ()))


def _shared_out(node: ast.Assign, found: tuple[Value, ...]) -> tuple[Flow, ...]:
    """What each target gets: a tensor, or (the rest) a tuple of those that the others leave."""
    if not node.rests:
        return found
    before = node.rests[0]
    behind = len(node.targets) - before - 1
    rest = found[before : len(found) - behind]
    return (*found[:before], rest[0] if len(rest) == 1 else TensorTuple(rest), *found[len(found) - behind :])


def _unpack(node: ast.Assign, flow: Flow) -> Flow:
    if node.rests:
        return _unpack_rest(node, flow)
    if isinstance(flow, TensorTuple):
        wanted = len(node.targets)
        if flow.extras is not None and 1 < wanted <= len(flow.values):
            flow.extras.outputs = flow.extras.outputs[:wanted]
            return TensorTuple(flow.values[:wanted])
        if len(flow.values) == wanted:
            return TensorTuple(flow.values)
    found = tensors(flow)
    if found is None:
        return UNKNOWN
    if len(found) == len(node.targets):
        return TensorTuple(tuple(found))
    raise _wrong_unpacking(node, found)


def _unpack_rest(node: ast.Assign, flow: Flow) -> Flow:
    if len(node.rests) > 1:
        first, second = (node.targets[i] for i in node.rests[:2])
        raise Failure(TwoRests(first.name, second.name), second.span, ((first.span, "the first one"),))
    found = list(flow.values) if isinstance(flow, TensorTuple) else tensors(flow)
    if found is None:
        return UNKNOWN
    if len(found) < len(node.targets) - 1:
        raise _wrong_unpacking(node, found)
    return TensorTuple(tuple(found))


def _wrong_unpacking(node: ast.Assign, found: Sequence[Value]) -> Failure:
    span = node.targets[0].span.to(node.targets[-1].span)
    problem = WrongUnpacking(len(node.targets) - len(node.rests), len(found), bool(node.rests))
    return Failure(problem, span, tuple((v.span, f"this is {v.type}") for v in found[:1]))


def _bind_all(node: ast.Assign, values: tuple[Any, ...], scope: Scope, session: Session) -> None:
    for target, value in zip(node.targets, values, strict=True):
        guarded(scope, session, _bind_tensor, target, value, scope, session)


def _bind_tensor(name: ast.Name, value: Any, scope: Scope, session: Session) -> None:
    if name.name in session.dims and name.name != BATCH:
        scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))
        declared = session.declared.get(name.name)
        marks = ((declared, "declared here"),) if declared is not None else ()
        raise Failure(ReservedName(name.name, "it is a dimension"), name.span, marks)
    bind(name, value, scope)


def _let(node: ast.Let, scope: Scope, session: Session) -> None:
    found = scope.find(node.name.name)
    if found is not None and found[0].span == node.name.span:
        _force_now(found[0], scope, session)
        return
    value = guarded(scope, session, evaluate, node.value, scope, session)
    guarded(scope, session, bind, node.name, value, scope)


def _force_now(binding: Binding, scope: Scope, session: Session) -> None:
    """A file's own `let`, which is bound already: at the latest here it gets its value."""
    let = binding.value
    if isinstance(let, LazyLet):
        binding.value = guarded(scope, session, force, binding, let, session)


def _shared(node: ast.Shared, scope: Scope, session: Session) -> None:
    if node.name.name in scope.names:
        guarded(scope, session, bind, node.name, UNKNOWN, scope)  # which says that it is bound twice
        return
    shared = guarded(scope, session, declare_shared, node, scope, session)
    guarded(scope, session, bind, node.name, shared, scope)


def _flow(node: ast.Flow, scope: Scope, session: Session) -> BodyResult:
    return BodyResult(run_tensor(node.pipeline, scope, session), (_bare_name(node.pipeline),))


def _broken(node: ast.Broken, scope: Scope, session: Session) -> BodyResult:
    """What did not parse: its names are known, and nothing more is said of them."""
    for name in node.names:
        scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))
    return BodyResult(UNKNOWN, ())


def _expect(node: ast.ExpectCondition | ast.ExpectShape, scope: Scope, session: Session) -> None:
    outermost = scope.frame is not None and scope.frame.parent is None and (scope.parent is None or scope.parent.frame is None)
    if not outermost:
        session.report(ExpectMisplaced(), node.span, (), _trace(scope))


_RULES: dict[type[ast.Statement], Callable[[Any, Scope, Session], BodyResult | None]] = {
    ast.Assign: _assign,
    ast.Let: _let,
    ast.Shared: _shared,
    ast.Flow: _flow,
    ast.Broken: _broken,
    ast.ExpectCondition: _expect,
    ast.ExpectShape: _expect,
}
