"""Uses of elaborated bodies: a call of the graph, or its only stage inlined.

The functions take a `MemoEntry`, the input of the use, and the scope that its reads are seen from. They add a node to the graph under
construction and return its result.

    >>> import netc
    >>> main = netc.compile("x = input 3; w = param [3] as w; x -> (in * w -> exp) as scaled").program.main
    >>> [(node.label, node.inputs) for node in main.nodes]
    [('w', ()), ('scaled', (<x: [N, 3]>, <w: [3]>))]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ...ir.graph import CallNode, Graph, Node, OpNode, SharedModule
from ...ir.graph_values import JoinedTuple, Part, Parts, TupleSlice, Value, ValueTuple, flatten_parts
from ...ops.operator import Operator, ParameterSpec
from ...types.tensor_types import TensorType
from ...types.traced_ints import has_origin, origin_key, substitute_values
from ..elaboration_session import ElaborationSession
from ..scopes.compile_time_values import UNKNOWN, Flow, TensorTuple, Unknown, drop_ends, flow_of, parts_of
from ..scopes.memo import MemoEntry
from ..scopes.scope import GraphFrame, Scope, SharedDef
from .block_arguments import BoundParameters
from .shared_stages import check_same_parameters, specs_within
from .tuple_sums import sum_sizes


def emit_call(
    entry: MemoEntry,
    flow: Flow | None,
    scope: Scope,
    session: ElaborationSession,
    label: str,
    span: Span,
    shared: SharedModule | None = None,
    bound: BoundParameters | None = None,
) -> Flow:
    """Adds a call of the graph. `bound`: the parameters of a block."""
    actual = _collect_inputs(entry, flow, scope)
    if entry.failed or actual is None:
        return UNKNOWN
    graph, signature = entry.graph, entry.signature
    inputs = tuple([actual.inputs[i] for i in signature.inputs])
    symbol_values = _symbol_values(entry, actual, bound, session, scope.frame)
    outputs = tuple([Value(_substitute_in_type(v.type, symbol_values), span, spatial=v.spatial, weak=v.weak) for v in graph.outputs])
    tails = _result_tuples(graph, outputs)
    if shared is not None:
        check_same_parameters(shared, specs_within(graph), span, session)
    tuples = tuple([actual.tuples[i] for i in signature.tuples])
    add_node(CallNode(graph, inputs, outputs, label, span, actual.modules, shared, symbol_values, tuples, tails), scope, session)
    # Results that only pass through the body are taken from the inputs of the call, not from its outputs.
    available = (*outputs, *actual.inputs)
    leading = tuple([available[i] for i in signature.results])
    if tails:
        return _make_result(entry, (*leading, *map(TupleSlice, tails)))
    return _make_result(entry, leading if signature.rest is None else (*leading, *actual.tuples[signature.rest]))


def emit_inline(
    entry: MemoEntry,
    flow: Flow | None,
    scope: Scope,
    session: ElaborationSession,
    label: str,
    span: Span | None = None,
    bound: BoundParameters | None = None,
    shared: SharedModule | None = None,
) -> Flow:
    """Adds the body's only stage itself, under the label that the body would have. Its span is `span`, or else its own."""
    actual = _collect_inputs(entry, flow, scope)
    if entry.failed or actual is None:
        return UNKNOWN
    symbol_values = _symbol_values(entry, actual, bound, session, scope.frame)
    node = entry.graph.nodes[0]
    inputs, stage_span = actual.outer_values(node.inputs), span or node.span
    seen = _stage_at_use(node, symbol_values, entry.graph)
    outputs = tuple([Value(t, span or v.span, spatial=v.spatial, weak=v.weak) for v, t in zip(node.outputs, seen.types, strict=True)])
    copy: Node
    if isinstance(node, OpNode):
        tails, parts, specs = tuple[ValueTuple, ...](), actual.outer_parts(node.parts), seen.specs
        if shared is not None:
            check_same_parameters(shared, {s.name: (s.shape, s.dtype) for s in specs}, stage_span, session)
        shared = shared or node.shared
        # Only calls have none.
        assert seen.op is not None
        copy = OpNode(
            seen.op, inputs, outputs, label, stage_span, specs, shared=shared, parts=parts, frozen=node.frozen, rule_dtypes=node.rule_dtypes
        )
    else:
        tails, modules, scan, frozen = _result_tuples(node.graph, outputs), node.modules, node.scan, node.frozen
        tuples = tuple([actual.outer_parts(parts) for parts in node.tuples])
        arguments = {name: substitute_values(value, symbol_values) for name, value in node.arguments.items()}
        copy = CallNode(node.graph, inputs, outputs, label, stage_span, modules, node.shared, arguments, tuples, tails, scan, frozen)
    add_node(copy, scope, session)
    return _make_result(entry, (*outputs[: tails[0].at], *map(TupleSlice, tails)) if tails else outputs)


def _stage_at_use(node: Node, symbol_values: Mapping[str, int], graph: Graph) -> StageAtUse:
    """The graph's only stage with these values for its symbols. The last result is cached on the graph: in a loop, the next iteration has
    the same values, and thousands of nodes share one operator, its shapes and its types."""
    # Equal integers may have different formulas, which the emitted code shows.
    key = tuple([(name, value, origin_key(value)) for name, value in symbol_values.items()])
    last = graph.seen_from
    if isinstance(last, StageAtUse) and last.key == key:
        return last
    types = tuple([_substitute_in_type(v.type, symbol_values) for v in node.outputs])
    specs = tuple([_substitute_in_spec(s, symbol_values) for s in node.specs]) if isinstance(node, OpNode) else ()
    op = (node.op.substitute_values(symbol_values) if symbol_values else node.op) if isinstance(node, OpNode) else None
    graph.seen_from = StageAtUse(key, types, specs, op)
    return graph.seen_from


def forward_inputs(entry: MemoEntry, flow: Flow | None, scope: Scope) -> Flow:
    """The results of a body without stages: inputs or captures, perhaps in another order, some twice or not at all."""
    actual = _collect_inputs(entry, flow, scope)
    if entry.failed or actual is None:
        return UNKNOWN
    tails = [part for tail in entry.graph.tails for part in actual.outer_parts(tail.parts)]
    return _make_result(entry, (*actual.outer_values(entry.graph.single_outputs), *tails))


def _result_tuples(graph: Graph, outputs: tuple[Value, ...]) -> tuple[ValueTuple, ...]:
    """The tuples with which the results of a call end."""
    first = len(graph.single_outputs)
    result: list[ValueTuple] = []
    for tail in graph.tails:
        count = len(flatten_parts(tail.parts))
        result.append(ValueTuple("", outputs[first : first + count], first, tail.listed))
        first += count
    return tuple(result)


def _symbol_values(
    entry: MemoEntry, actual: _ActualInputs, bound: BoundParameters | None, session: ElaborationSession, frame: GraphFrame | None
) -> dict[str, int]:
    """Return the value of each symbol of the entry's graph at this use. Decisions about the symbols become decisions here."""
    assert frame is not None
    graph = entry.graph
    values = dict(bound.values_at_use) if bound is not None else {}
    outside = {id(v): outer for v, outer in zip(entry.inputs, actual.inputs, strict=True)}
    for name, origin in graph.origins.items():
        if isinstance(origin.input, JoinedTuple):
            values[name] = substitute_values(origin.value, values)
        elif isinstance(origin.input, ValueTuple):
            values[name] = sum_sizes(actual.outer_tuple(origin.input), origin.axis, frame)
        elif origin.input is not None:
            values[name] = outside.get(id(origin.input), origin.input).type.shape[origin.axis]
    for decision in bound.decisions if bound is not None else ():
        # Decided while the arguments were evaluated, but about the block, so they hold wherever its graph is used.
        graph.decisions[decision] = None
    session.decisions.import_decisions(graph.decisions, values)
    return values


def _substitute_in_type(type_: TensorType, symbol_values: Mapping[str, int]) -> TensorType:
    # Most types have no formula, and stay the same object.
    return type_.with_shape(substitute_values(type_.shape, symbol_values)) if symbol_values and has_origin(type_.shape) else type_


def _substitute_in_spec(spec: ParameterSpec, symbol_values: Mapping[str, int]) -> ParameterSpec:
    return (
        replace(spec, shape=substitute_values(spec.shape, symbol_values), init=substitute_values(spec.init, symbol_values))
        if symbol_values and has_origin((spec.shape, spec.init))
        else spec
    )


def _make_result(entry: MemoEntry, parts: Parts) -> Flow:
    return TensorTuple(parts) if entry.many else flow_of(parts)


def add_node(node: Node, scope: Scope, session: ElaborationSession) -> None:
    frame = scope.frame
    assert frame is not None
    session.append_node(frame.graph, node, node.span, frame.trace)


class StageAtUse(Record):
    """The only stage of a graph as a caller sees it: the types of its results, its parameters, and its operator if it is no call."""

    key: tuple[object, ...]
    types: tuple[TensorType, ...]
    specs: tuple[ParameterSpec, ...]
    op: Operator | None


class _ActualInputs:
    """The values that a use passes: its input, then the tensors, tuples and shared stages that the body captured."""

    def __init__(self, entry: MemoEntry, inputs: tuple[Value, ...], tuples: tuple[Parts, ...], modules: tuple[SharedModule, ...]) -> None:
        self.entry, self.inputs, self.tuples, self.modules = entry, inputs, tuples, modules

    def outer_values(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """Inputs of the body as they are outside. The placeholder that a failed stage leaves is no input, and is kept."""
        by_id = {id(v): outer for v, outer in zip(self.entry.inputs, self.inputs, strict=True)}
        return tuple([by_id.get(id(v), v) for v in values])

    def outer_parts(self, parts: Parts) -> Parts:
        """Return parts of the body's tuples as they are outside."""
        result: list[Part] = []
        for part in parts:
            if isinstance(part, TupleSlice) and isinstance(part.of, JoinedTuple):
                result += drop_ends(self.outer_parts(part.of.parts), part.front, part.back)
            elif isinstance(part, Value) or part.of not in self.entry.graph.tuples:
                result += self.outer_values(flatten_parts((part,)))
            else:
                result += drop_ends(self.outer_tuple(part.of), part.front, part.back)
        return tuple(result)

    def outer_tuple(self, value_tuple: ValueTuple) -> Parts:
        """Return the tensors that are passed as one of the tuples of the body's graph."""
        return self.tuples[self.entry.signature.tuples[self.entry.graph.tuples.index(value_tuple)]]


def _collect_inputs(entry: MemoEntry, flow: Flow | None, scope: Scope) -> _ActualInputs | None:
    """None if something of it has failed."""
    inputs: list[Value] = []
    tuples: list[Parts] = []
    if flow is not None:
        parts = parts_of(flow)
        if parts is None:
            return None
        inputs += flatten_parts(parts)
        if entry.lead is not None:
            tuples.append(drop_ends(parts, entry.lead, 0))
    outer = captured_values(entry.reads, scope)
    if outer is None:
        return None
    return _ActualInputs(entry, (*inputs, *outer.inputs), (*tuples, *outer.tuples), tuple(outer.modules))


class CapturedValues(Record):
    """The values that a body takes from outside, in the order in which it read the names."""

    inputs: list[Value]
    tuples: list[Parts]
    modules: list[SharedModule]


def captured_values(reads: tuple[str, ...], scope: Scope) -> CapturedValues | None:
    """The tensors, tuples and shared stages among the names, as they are seen from `scope`; None if one of them is unknown."""
    result = CapturedValues([], [], [])
    for name in reads:
        binding = scope.use_binding(name)
        assert binding is not None
        value = binding.value
        if isinstance(value, SharedDef):
            result.modules.append(value.module)
        elif isinstance(value, Value):
            result.inputs.append(value)
        elif isinstance(value, TensorTuple):
            result.inputs.extend(value.values)
            result.tuples.append(value.parts)
        elif isinstance(value, Unknown):
            return None
    return result
