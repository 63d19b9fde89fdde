"""Loops: a `scan` along the stream goes on where it was; any other is as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from netc.dsl.record import replace

from ..errors.problem import Problem
from ..errors.stream_errors import LooksAhead, NotStreamed
from ..ir.graph import CallNode, Graph, Scan
from ..ir.graph_values import Value
from ..ir.walk import collect_graphs
from .items import Fixed, Item, Piece, Refused, Withheld
from .loop_body import body_of
from .step_builder import Home
from .step_states import Memory
from .stream_site import site_at


def fixed_scan(node: CallNode, scan: Scan, items: Sequence[Fixed], path: str, memory: Memory) -> list[Item]:
    """A loop over what does not depend on the stream."""
    body = body_of(node.graph, path, memory.whole_facts)
    start = _called(node, body, scan, [item.start for item in items])
    memory.start.call(start)
    return [Fixed(None, value) for value in start.outputs]


def streamed_scan(node: CallNode, scan: Scan, items: Sequence[Item], path: str, memory: Memory) -> list[Item]:
    """A loop along the stream: its states are kept from piece to piece."""

    def refuse(why: str) -> NoReturn:
        raise _refused(node, NotStreamed("scan", memory.length.name, why))

    if scan.reverse:
        raise _refused(node, LooksAhead("scan", memory.length.name, None, "", "`reverse=true` begins with the last position"))
    site = site_at(node.span, Home(path), memory, items)
    states, scanned, captured = items[: scan.states], items[scan.states : scan.own_count], items[scan.own_count :]
    if any(isinstance(x, Piece) for x in (*states, *captured)):
        refuse("each step takes tensors with an element for each position whole")
    pieces = [x for x in scanned if isinstance(x, Piece)]
    if len(pieces) != len(scanned) or any(x.axis != axis for x, axis in zip(pieces, scan.axes, strict=True)):
        refuse("the positions are not the axis that it goes along")
    if any(memory.length.axes(v.type) for g in collect_graphs(node.graph) for n in g.nodes for v in n.outputs):
        refuse("a step depends on the length of the whole")
    begun = [site.begun(x, "it starts at the first position") for x in pieces]
    kept = [site.state(v.type, x, "state") for v, x in zip(node.inputs[: scan.states], states, strict=True)]
    values = [*(value for value, _ in kept), *(x.value for x in begun), *(site.fixed(x) for x in captured)]
    call = _called(node, body_of(node.graph, path, memory.whole_facts), replace(scan, length=site.length.piece), values)
    memory.step.call(call)
    for (_, state), value in zip(kept, call.outputs, strict=False):
        state.next = value
    over = begun[0].over
    after: list[Item] = [Withheld("scan", node.span, v if over == 0 else None) for v in call.outputs[: scan.states]]
    stacked = zip(call.outputs[scan.states :], scan.stacked, strict=True)
    return [*after, *(Piece(value, axis, 0, over) for value, axis in stacked)]


def _refused(node: CallNode, problem: Problem) -> Refused:
    return Refused(problem, node.span)


def _called(node: CallNode, body: Graph, scan: Scan, inputs: Sequence[Value]) -> CallNode:
    given = [v.type for v in inputs]
    made = [v.type for v in body.outputs]
    outputs = tuple(Value(type, node.span) for type in [*given[: scan.states], *scan.output_types(made)[scan.states :]])
    return CallNode(body, tuple(inputs), outputs, "", node.span, scan=scan)
