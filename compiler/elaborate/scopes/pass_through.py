"""Tensors that a sequence only passes through go around it, so that the skips of a U-Net are not handed from level to level.

In: a finished graph. Out: its `CallSignature`, which maps the inputs and captures of a call to the graph's own; the graph keeps the
tensors that it reads. Always: a block keeps the tensors it declares and the results it returns; only groups, loops and their iterations,
which have no declared interface, are simplified.
"""

from __future__ import annotations

from netc.dsl.record import Record

from ...ir.graph import Graph, Value


class CallSignature(Record):
    """How a call maps to its graph.

    `inputs`: the indices, among the inputs and captures of the body, of those that the graph takes. `results`: for each result its index
    among the outputs of the call followed by all inputs and captures.
    """

    inputs: tuple[int, ...]
    results: tuple[int, ...]


def call_signature(graph: Graph) -> CallSignature:
    """Removes from the graph the outputs that are inputs or duplicates, and the inputs that nothing else reads."""
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    given = {id(v): i for i, v in enumerate(inputs)}
    own = list({id(v): v for v in outputs if id(v) not in given}.values())
    if graph.kind != "sequence" or not own or len(own) == len(outputs):
        return CallSignature(tuple(range(len(inputs))), tuple(range(len(outputs))))
    used = {id(v) for node in graph.nodes for v in node.inputs}
    through = {id(v) for v in outputs if id(v) in given} - used
    kept = tuple(i for i, v in enumerate(inputs) if id(v) not in through)
    graph.captures = sum(i >= len(inputs) - graph.captures for i in kept)
    graph.inputs = [inputs[i] for i in kept]
    graph.outputs = own
    made = {id(v): i for i, v in enumerate(own)}
    return CallSignature(kept, tuple(_index(v, made, given) for v in outputs))


def _index(value: Value, made: dict[int, int], given: dict[int, int]) -> int:
    return made[id(value)] if id(value) in made else len(made) + given[id(value)]
