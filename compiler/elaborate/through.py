"""What flows through a sequence untouched goes around it, so that the skips of a U-Net are not handed from level to level.

In: a finished graph. Out: its `CallSignature`, which says how a call is made of all that flows in; the graph keeps what it works on.
Always: a block keeps the tensors it declares and the results it promises; only groups, loops and their iterations, whose borders nobody
wrote, are simplified.
"""

from __future__ import annotations

from netc.dsl.record import Record

from ..ir.graph import Graph, Value


class CallSignature(Record):
    """`taken`: the places, among all that flows in or is captured, of what the graph takes. `results`: for each result its place among the
    outputs of a call and, behind those, all that flows in or is captured."""

    taken: tuple[int, ...]
    results: tuple[int, ...]


def call_signature(graph: Graph) -> CallSignature:
    """Takes out of the graph the outputs that are inputs or that occur before, and the inputs that nothing else asks for."""
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    given = {id(v): i for i, v in enumerate(inputs)}
    own = list({id(v): v for v in outputs if id(v) not in given}.values())
    if graph.kind != "sequence" or not own or len(own) == len(outputs):
        return CallSignature(tuple(range(len(inputs))), tuple(range(len(outputs))))
    used = {id(v) for node in graph.nodes for v in node.inputs}
    through = {id(v) for v in outputs if id(v) in given} - used
    taken = tuple(i for i, v in enumerate(inputs) if id(v) not in through)
    graph.captures = sum(i >= len(inputs) - graph.captures for i in taken)
    graph.inputs = [inputs[i] for i in taken]
    graph.outputs = own
    made = {id(v): i for i, v in enumerate(own)}
    return CallSignature(taken, tuple(_place(v, made, given) for v in outputs))


def _place(value: Value, made: dict[int, int], given: dict[int, int]) -> int:
    return made[id(value)] if id(value) in made else len(made) + given[id(value)]
