"""Uses of elaborated bodies: a call of the graph, or its only stage inlined.

In: an `Entry`, the input of the use, the scope that its reads are seen from. Out: a node in the graph under construction, and its result.
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.dsl.record import replace
from netc.dsl.source import Span

from ...ir.graph import CallNode, Node, OpNode, SharedModule, Value
from ...ir.origins import has_origin, moved
from ...ir.types import TensorType
from ...ops.base import Operator, ParameterSpec
from ..scopes.memo import Entry
from ..scopes.scope import Scope, SharedDef
from ..scopes.values import UNKNOWN, Flow, TensorTuple, Unknown, tensors
from ..session import ElaborationSession
from .parameters import BoundParameters
from .shared import check_shared, specs_within


def emit_call(
    entry: Entry,
    flow: Flow | None,
    scope: Scope,
    session: ElaborationSession,
    label: str,
    span: Span,
    shared: SharedModule | None = None,
    bound: BoundParameters | None = None,
) -> Flow:
    """Adds a call of the graph. `bound`: the parameters of a block."""
    actual, modules = _actual_inputs(entry, flow, scope)
    if entry.failed or actual is None:
        return UNKNOWN
    graph, signature = entry.graph, entry.signature
    inputs = tuple([actual[i] for i in signature.inputs])
    given = _given(entry, actual, bound, session)
    outputs = tuple([Value(_moved_type(v.type, given), span, spatial=v.spatial) for v in graph.outputs])
    if shared is not None:
        check_shared(shared, specs_within(graph), span, session)
    _add(CallNode(graph, inputs, outputs, label, span, modules, shared, given), graph.size, scope, session)
    available = (*outputs, *actual)
    return _result(entry, tuple([available[i] for i in signature.results]))


def emit_inline(
    entry: Entry,
    flow: Flow,
    scope: Scope,
    session: ElaborationSession,
    label: str,
    span: Span | None = None,
    bound: BoundParameters | None = None,
) -> Flow:
    """Adds the body's only stage itself, under the label that the body would have. Its span is `span`, or else its own."""
    actual, _ = _actual_inputs(entry, flow, scope)
    if entry.failed or actual is None:
        return UNKNOWN
    mapped = {id(v): outer for v, outer in zip(entry.inputs, actual, strict=True)}
    given = _given(entry, actual, bound, session)
    node = entry.graph.nodes[0]
    inputs = tuple([mapped[id(v)] for v in node.inputs])
    outputs = tuple([Value(_moved_type(v.type, given), span or v.span, spatial=v.spatial) for v in node.outputs])
    copy: Node
    if isinstance(node, OpNode):
        specs = tuple([_moved_spec(s, given) for s in node.specs])
        copy = OpNode(_moved_operator(node.op, given), inputs, outputs, label, span or node.span, specs, shared=node.shared)
    else:
        arguments = {name: moved(value, given) for name, value in node.arguments.items()}
        copy = CallNode(node.graph, inputs, outputs, label, span or node.span, node.modules, node.shared, arguments)
    _add(copy, entry.graph.size, scope, session)
    return _result(entry, outputs)


def forward_inputs(entry: Entry, flow: Flow, scope: Scope) -> Flow:
    """The results of a body without stages: inputs or captures, perhaps in another order, some twice or not at all."""
    mapped = _mapped_inputs(entry, flow, scope)
    if mapped is None:
        return UNKNOWN
    return _result(entry, tuple(mapped[id(v)] for v in entry.graph.outputs))


def _given(entry: Entry, actual: tuple[Value, ...], bound: BoundParameters | None, session: ElaborationSession) -> dict[str, int]:
    """What each symbol of the entry's graph is here. The decisions about them are decisions here."""
    graph = entry.graph
    given = dict(bound.given) if bound is not None else {}
    outside = {id(v): outer for v, outer in zip(entry.inputs, actual, strict=True)}
    for name, origin in graph.origins.items():
        if origin.input is not None:
            given[name] = outside[id(origin.input)].type.shape[origin.axis]
    for made in bound.decisions if bound is not None else ():
        if made not in graph.decisions:
            graph.decisions.append(made)
    session.decisions.take(graph.decisions, given)
    return given


def _moved_type(type_: TensorType, given: Mapping[str, int]) -> TensorType:
    return type_.with_shape(moved(type_.shape, given)) if has_origin(type_.shape) else type_


def _moved_spec(spec: ParameterSpec, given: Mapping[str, int]) -> ParameterSpec:
    return replace(spec, shape=moved(spec.shape, given)) if has_origin(spec.shape) else spec


def _moved_operator(op: Operator, given: Mapping[str, int]) -> Operator:
    changed = {name: moved(value, given) for name, value in op.args.items() if has_origin(value)}
    return type(op)(**(op.args | changed)) if changed else op


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
