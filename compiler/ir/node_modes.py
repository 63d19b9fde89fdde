"""In which mode, training or evaluation, the nodes of a graph are needed.

In: a graph. Out: for each node the modes that any of its results is needed in. Always: the results of a graph other than the main one are
needed in both, so are those of a graph without `if training`; linear in the number of nodes.
"""

from __future__ import annotations

from ..ops.mode import ByMode
from .graph import Graph, has_operator

Modes = frozenset[bool]
"""True: training, False: evaluation."""
BOTH: Modes = frozenset((True, False))


def find_modes(graph: Graph) -> list[Modes]:
    """By the index of the node."""
    if not graph.has_modes:
        return [BOTH] * len(graph.nodes)
    needed: dict[int, Modes] = {}

    def need(values: object, when: Modes) -> None:
        for value in values:  # type: ignore[attr-defined]
            needed[id(value)] = needed.get(id(value), frozenset()) | when

    need(graph.outputs, BOTH if graph.training_outputs is None else frozenset((False,)))
    need(graph.training_outputs or (), frozenset((True,)))
    result: list[Modes] = []
    for node in reversed(graph.nodes):
        when = frozenset[bool]().union(*(needed.get(id(v), frozenset()) for v in node.outputs))
        if has_operator(node, ByMode):
            training, evaluation = node.inputs
            need((training,), when & {True})
            need((evaluation,), when & {False})
        else:
            need(node.inputs, when)
        result.append(when)
    return result[::-1]
