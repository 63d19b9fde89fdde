"""Find the modes, training or evaluation, in which each node of a graph is needed.

In: a graph. Out: for each node, the modes in which any of its results is needed. Always: the results of the main graph may differ between
the modes; the results of every other graph, and of a graph without `if training`, are needed in both. Takes time in proportion to the
number of nodes.

>>> import netc
>>> main = netc.compile("input 3 -> if training { dropout 0.5 } else { relu } -> dense 2").program.main
>>> [(node.op.name, sorted(modes)) for node, modes in zip(main.nodes, find_modes(main), strict=True)]
[('dropout', [True]), ('relu', [False]), ('if training', [False, True]), ('dense', [False, True])]
"""

from __future__ import annotations

from ..ops.mode import ByMode
from .graph import Graph, has_operator

Modes = frozenset[bool]
"""True: training, False: evaluation."""
BOTH: Modes = frozenset((True, False))


def find_modes(graph: Graph) -> list[Modes]:
    """Return the modes of each node, by its index."""
    if not graph.has_modes:
        return [BOTH] * len(graph.nodes)
    needed: dict[int, Modes] = {}

    def need(values: object, when: Modes) -> None:
        for value in values:  # type: ignore[attr-defined]
            needed[id(value)] = needed.get(id(value), frozenset()) | when

    need(graph.outputs, BOTH if graph.training_outputs is None else frozenset((False,)))
    need(graph.training_outputs or (), frozenset((True,)))
    result: list[Modes] = []
    # Backwards: the uses of a value all come after the node that makes it.
    for node in reversed(graph.nodes):
        when = frozenset[bool]().union(*(needed.get(id(v), frozenset()) for v in node.outputs))
        if has_operator(node, ByMode):
            # A dropout that only the training input needs is not needed in evaluation.
            training, evaluation = node.inputs
            need((training,), when & {True})
            need((evaluation,), when & {False})
        else:
            need(node.inputs, when)
        result.append(when)
    return result[::-1]
