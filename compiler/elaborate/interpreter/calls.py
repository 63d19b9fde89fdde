"""Uses of elaborated bodies: a call of the graph, or its only stage inlined.

In: an `Entry`, the input of the use, the scope that its reads are seen from. Out: a node in the graph under construction, and its result.
"""

from __future__ import annotations

from netc.dsl.source import Span

from ...ir.graph import CallNode, Node, OpNode, SharedModule, Value
from ..scopes.memo import Entry
from ..scopes.scope import Scope, SharedDef
from ..scopes.values import UNKNOWN, Flow, TensorTuple, Unknown, tensors
from ..session import ElaborationSession
from .shared import check_shared, specs_within


def emit_call(
    entry: Entry, flow: Flow | None, scope: Scope, session: ElaborationSession, label: str, span: Span, shared: SharedModule | None = None
) -> Flow:
    """Adds a call of the graph."""
    actual, modules = _actual_inputs(entry, flow, scope)
    if entry.failed or actual is None:
        return UNKNOWN
    graph, signature = entry.graph, entry.signature
    inputs = tuple([actual[i] for i in signature.inputs])
    outputs = tuple([Value(v.type, span, spatial=v.spatial) for v in graph.outputs])
    if shared is not None:
        check_shared(shared, specs_within(graph), span, session)
    _add(CallNode(graph, inputs, outputs, label, span, modules, shared), graph.size, scope, session)
    available = (*outputs, *actual)
    return _result(entry, tuple([available[i] for i in signature.results]))


def emit_inline(entry: Entry, flow: Flow, scope: Scope, session: ElaborationSession, label: str, span: Span | None = None) -> Flow:
    """Adds the body's only stage itself, under the label that the body would have. Its span is `span`, or else its own."""
    mapped = _mapped_inputs(entry, flow, scope)
    if mapped is None:
        return UNKNOWN
    node = entry.graph.nodes[0]
    inputs = tuple([mapped[id(v)] for v in node.inputs])
    outputs = tuple([Value(v.type, span or v.span, spatial=v.spatial) for v in node.outputs])
    copy: Node
    if isinstance(node, OpNode):
        copy = OpNode(node.op, inputs, outputs, label, span or node.span, node.specs, shared=node.shared)
    else:
        copy = CallNode(node.graph, inputs, outputs, label, span or node.span, node.modules, node.shared)
    _add(copy, entry.graph.size, scope, session)
    return _result(entry, outputs)


def forward_inputs(entry: Entry, flow: Flow, scope: Scope) -> Flow:
    """The results of a body without stages: inputs or captures, perhaps in another order, some twice or not at all."""
    mapped = _mapped_inputs(entry, flow, scope)
    if mapped is None:
        return UNKNOWN
    return _result(entry, tuple(mapped[id(v)] for v in entry.graph.outputs))


def _result(entry: Entry, values: tuple[Value, ...]) -> Flow:
    return values[0] if len(values) == 1 and not entry.many else TensorTuple(values)


def _add(node: Node, size: int, scope: Scope, session: ElaborationSession) -> None:
    frame = scope.frame
    assert frame is not None
    frame.graph.nodes.append(node)
    session.grow(frame.graph, size, node.span, frame.trace)


def _mapped_inputs(entry: Entry, flow: Flow, scope: Scope) -> dict[int, Value] | None:
    """The outer tensor for each input of the graph, by identity; None if something has failed."""
    actual, _ = _actual_inputs(entry, flow, scope)
    if entry.failed or actual is None:
        return None
    return {id(v): outer for v, outer in zip(entry.graph.inputs, actual, strict=True)}


def _actual_inputs(entry: Entry, flow: Flow | None, scope: Scope) -> tuple[tuple[Value, ...] | None, tuple[SharedModule, ...]]:
    """The tensors and shared stages that a use passes: its input, then what the body captured."""
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
