"""Stream loops: a `scan` along the stream continues where it stopped, and any other runs as before.

>>> import netc
>>> from .derive import derive_stream
>>> text = "x = input [T, 3]; start = input 3; x -> scan (h = start) axis=1 { h = h + in; out h }"
>>> [(state.name, state.next) for state in derive_stream(netc.compile(text).program, "T").states]
[('past_state', 'next_state')]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from netc.dsl.record import replace

from ..errors.problem import Problem
from ..errors.stream_errors import LooksAhead, NotStreamed
from ..ir.graph import CallNode, Graph, Scan
from ..ir.graph_values import Value
from ..ir.walk import collect_graphs
from .items import Chunk, DelayedOutput, FixedTensor, Item, StreamRefused
from .late_sequences import find_late_sequence
from .loop_body import copy_body
from .step_builder import ParameterHome
from .step_states import StreamMemory
from .stream_site import make_site


def fixed_scan(node: CallNode, scan: Scan, items: Sequence[FixedTensor], path: str, memory: StreamMemory) -> list[Item]:
    """Compute a loop that does not depend on the stream before the first step."""
    body = copy_body(node.graph, path, memory.whole_facts)
    start = _make_call(node, body, scan, [item.start for item in items])
    memory.start.add_call(start)
    return [FixedTensor(None, value) for value in start.outputs]


def streamed_scan(node: CallNode, scan: Scan, items: Sequence[Item], path: str, memory: StreamMemory) -> list[Item]:
    """Continue a loop along the stream: its states are kept from chunk to chunk."""

    def refuse(why: str) -> NoReturn:
        raise _make_refusal(node, NotStreamed("scan", memory.length.name, why))

    if scan.reverse:
        raise _make_refusal(node, LooksAhead("scan", memory.length.name, None, "", "`reverse=true` begins with the last position"))
    site = make_site(node.span, ParameterHome(path), memory, items)
    states, scanned, captured = items[: scan.states], items[scan.states : scan.own_count], items[scan.own_count :]
    if any(isinstance(x, Chunk) for x in (*states, *captured)):
        refuse("each step takes tensors with an element for each position whole")
    pieces = [x for x in scanned if isinstance(x, Chunk)]
    if len(pieces) != len(scanned) or any(x.axis != axis for x, axis in zip(pieces, scan.axes, strict=True)):
        refuse("the positions are not the axis that it goes along")
    if any(memory.length.list_axes(v.type) for g in collect_graphs(node.graph) for n in g.nodes for v in n.outputs):
        refuse("a step depends on the length of the whole")
    begun = site.align_sequences(pieces, "it starts at the first position")
    late = find_late_sequence(site, begun[0].ahead)
    kept = [site.add_state(v.type, x, "state") for v, x in zip(node.inputs[: scan.states], states, strict=True)]
    elements = [x.value if late is None else late.take_elements(x) for x in begun]
    values = [*(value for value, _ in kept), *elements, *(site.bring_fixed_tensor(x) for x in captured)]
    length = site.length.chunk if late is None else late.count
    call = _make_call(node, copy_body(node.graph, path, memory.whole_facts), replace(scan, length=length), values)
    memory.step.add_call(call)
    for (before, state), value in zip(kept, call.outputs, strict=False):
        state.next = value if late is None else late.keep_state(before, value)
    # If the axis is longer than the stream, the loop has not seen its last elements.
    over = begun[0].over
    after: list[Item] = [DelayedOutput("scan", node.span, v if over == 0 else None) for v in call.outputs[: scan.states]]
    stacked = zip(call.outputs[scan.states :], scan.stacked, strict=True)
    chunks = ((value if late is None else late.fill_chunk(value, axis), axis) for value, axis in stacked)
    return [*after, *(Chunk(value, axis, begun[0].ahead, over) for value, axis in chunks)]


def _make_refusal(node: CallNode, problem: Problem) -> StreamRefused:
    return StreamRefused(problem, node.span)


def _make_call(node: CallNode, body: Graph, scan: Scan, inputs: Sequence[Value]) -> CallNode:
    input_types = [v.type for v in inputs]
    output_types = [v.type for v in body.outputs]
    outputs = tuple(Value(type, node.span) for type in [*input_types[: scan.states], *scan.output_types(output_types)[scan.states :]])
    return CallNode(body, tuple(inputs), outputs, "", node.span, scan=scan)
