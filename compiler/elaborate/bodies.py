"""Bodies as graphs of their own: elaborated once for each distinct use, then called.

In: the syntax of a body, what flows into it and the scope around it. Out: an `Entry` of the memo, and a call (or, for a body of one stage,
that stage itself) in the graph that is being built.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.source import Span

from ..errors.names import UnusedFlow
from ..errors.structure import NoResult
from ..ir.graph import CallNode, Graph, Kind, Node, OpNode, SharedModule, Value
from .memo import Entry
from .naming import LabelAllocator
from .operators import tensors
from .scope import GraphFrame, Scope, token
from .session import Session
from .sharing import check_shared, specs_within
from .through import call_signature
from .ties import resolve
from .values import UNKNOWN, Failure, Flow, SharedDef, TensorTuple, Unknown

Run = Callable[[Scope], Flow]


def elaborate_body(
    node: ast.Node,
    flow: Flow | None,
    scope: Scope,
    session: Session,
    run: Run,
    *,
    name: str,
    kind: Kind = "sequence",
    trace: CallSite | None = None,
    arguments: dict[str, object] | None = None,
    items: Hashable = None,
) -> Entry:
    """The graph of a body, from the memo or by running it in a frame of its own, with `in` bound to what flows in.

    `items`: what a loop goes through, which is worked out around the body.
    """
    key = (id(node), kind, None if flow is None else token(flow), items)
    entry = session.memo.find(key, scope)
    if entry is not None:
        return entry
    outer = scope.frame
    chain = outer.trace if outer is not None else ()
    graph = Graph(name, kind, node.span, arguments)
    frame = GraphFrame(graph, outer, LabelAllocator(numbered=kind != "block"), (trace, *chain) if trace else chain)
    inner = Scope(scope, frame)
    inner.beside = scope if kind == "block" else None
    if flow is not None:
        inner.bind("in", body_inputs(flow, frame))
    with session.nested(trace.span if trace else node.span):
        result = run(inner)
    if graph.nodes and isinstance(result, TensorTuple) and not result.values:
        raise Failure(NoResult(f"`{name}`"), node.span)
    entry = finish(frame, result, session)
    session.memo.keep(key, entry, tuple(frame.reads.values()))
    return entry


def notice_unused(scope: Scope, result: Flow, span: Span, session: Session) -> Flow:
    """The result of a body that has run in `scope`; a warning if it did not look at what flows in."""
    flow = scope.names.get("in")
    if flow is not None and not flow.used and result is not UNKNOWN and scope.frame is not None:
        session.report(UnusedFlow(), span, (), scope.frame.trace)
    return result


def body_inputs(flow: Flow, frame: GraphFrame) -> Flow:
    """What flows in, as the frame's own inputs. One alone is called `in`, whatever it was called where it came from."""
    values = tensors(flow)
    if values is None:
        return UNKNOWN
    inner = tuple(frame.receive(v, v.name if len(values) > 1 else "in") for v in values)
    return inner[0] if isinstance(flow, Value) or len(inner) == 1 else TensorTuple(inner)


def finish(frame: GraphFrame, result: Flow, session: Session) -> Entry:
    """Closes a frame: its outputs are set, its ties resolved."""
    graph = frame.graph
    for pending in frame.ties:
        with session.catching(frame.trace):
            resolve(pending, graph)
    values = tensors(result)
    graph.outputs = values or []
    many = isinstance(result, TensorTuple) and result.extras is None
    single = _is_single(frame)  # before `wire` changes what the graph consists of
    return Entry(graph, many, values is None, single, tuple(frame.reads), call_signature(graph))


def _is_single(frame: GraphFrame) -> bool:
    graph = frame.graph
    if len(graph.nodes) != 1 or graph.declares or frame.looped:
        return False
    node = graph.nodes[0]
    same = len(graph.outputs) == len(node.outputs) and all(a is b for a, b in zip(graph.outputs, node.outputs, strict=True))
    return same and node.label not in frame.namer.explicit


def emit_call(
    entry: Entry,
    flow: Flow | None,
    scope: Scope,
    session: Session,
    *,
    label: str,
    span: Span,
    shared: SharedModule | None = None,
) -> Flow:
    """Calls the graph. `scope` is the one its reads are seen from."""
    given, modules = _actual(entry, flow, scope)
    if entry.failed or given is None:
        return UNKNOWN
    graph = entry.graph
    inputs = tuple(given[i] for i in entry.wiring.taken)
    outputs = tuple(Value(v.type, span, spatial=v.spatial) for v in graph.outputs)
    if shared is not None:
        check_shared(shared, specs_within(graph), span, session)
    _add(CallNode(graph, inputs, outputs, label, span, modules, shared), graph.size, entry, scope, session)
    found = (*outputs, *given)
    results = tuple(found[i] for i in entry.wiring.results)
    return results[0] if len(results) == 1 and not entry.many else TensorTuple(results)


def emit_inline(entry: Entry, flow: Flow, scope: Scope, session: Session, *, label: str, span: Span | None = None) -> Flow:
    """The body's only stage itself, under the label that the body would have had. It stands at `span`, or else where it is written."""
    inputs, _ = _actual(entry, flow, scope)
    if entry.failed or inputs is None:
        return UNKNOWN
    mapped = {id(v): outer for v, outer in zip(entry.graph.inputs, inputs, strict=True)}
    node = entry.graph.nodes[0]
    taken = tuple(mapped[id(v)] for v in node.inputs)
    outputs = tuple(Value(v.type, span or v.span, spatial=v.spatial) for v in node.outputs)
    copy: Node
    if isinstance(node, OpNode):
        copy = OpNode(node.op, taken, outputs, label, span or node.span, node.specs, shared=node.shared)
    else:
        copy = CallNode(node.graph, taken, outputs, label, span or node.span, node.modules, node.shared)
    return _add(copy, entry.graph.size, entry, scope, session)


def forward_inputs(entry: Entry, flow: Flow, scope: Scope) -> Flow:
    """The results of a body without stages: tensors that flow in or that it captured, maybe in another order, some twice or not at all."""
    inputs, _ = _actual(entry, flow, scope)
    if entry.failed or inputs is None:
        return UNKNOWN
    mapped = {id(v): outer for v, outer in zip(entry.graph.inputs, inputs, strict=True)}
    results = tuple(mapped[id(v)] for v in entry.graph.outputs)
    return results[0] if len(results) == 1 and not entry.many else TensorTuple(results)


def _add(node: Node, size: int, entry: Entry, scope: Scope, session: Session) -> Flow:
    frame = scope.frame
    assert frame is not None
    frame.graph.nodes.append(node)
    session.grow(frame.graph, size, node.span, frame.trace)
    if entry.many or len(node.outputs) != 1:
        return TensorTuple(node.outputs)
    return node.outputs[0]


def _actual(entry: Entry, flow: Flow | None, scope: Scope) -> tuple[tuple[Value, ...] | None, tuple[SharedModule, ...]]:
    """The tensors and shared stages that a call hands in: what flows in, then what the body captured."""
    inputs: list[Value] = []
    modules: list[SharedModule] = []
    if flow is not None:
        values = tensors(flow)
        if values is None:
            return None, ()
        inputs += values
    for name in entry.reads:
        binding = scope.use(name)
        assert binding is not None
        value = binding.value
        if isinstance(value, SharedDef):
            modules.append(value.module)
        elif isinstance(value, (Value, TensorTuple)):
            inputs += tensors(value) or []
        elif isinstance(value, Unknown):
            return None, ()
    return tuple(inputs), tuple(modules)
