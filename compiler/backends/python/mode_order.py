"""Orders the nodes of a graph for writing, so that nodes for one mode only are next to each other.

In: a graph. Out: its nodes, each with its mode, and None in place of a node for the results that a model returns in training. A node that
depends on the mode occurs once for each mode. Always: the inputs of a node come before it.

    >>> import netc
    >>> main = netc.compile("input 3 -> if training { dropout 0.5 } else { relu } -> dense 2").program.main
    >>> [(node.op.name if node else None, mode) for node, mode in order_by_mode(main)]
    [('dropout', True), ('if training', True), ('relu', False), ('if training', False), ('dense', None)]
"""

from __future__ import annotations

from collections.abc import Iterator

from ...ir.graph import Graph, Node, has_operator
from ...ir.node_modes import Modes, find_modes
from ...ops.mode import ByMode

Ordered = tuple[Node | None, bool | None]


def order_by_mode(graph: Graph) -> Iterator[Ordered]:
    if not graph.has_modes:
        yield from ((node, None) for node in graph.nodes)
        return
    later: list[Node] = []  # nodes for the results in evaluation, if those in training are returned first
    made_later: set[int] = set()
    run: list[tuple[Node, frozenset[bool]]] = []
    node_modes = find_modes(graph)
    early = _find_needed_early(graph, node_modes)
    for node, when in zip(graph.nodes, node_modes, strict=True):
        either = has_operator(node, ByMode)
        # The results in training are returned first, so nodes that only evaluation needs come after that `return`.
        if graph.training_outputs is not None and id(node) not in early and (when == {False} or _takes_any(node, made_later)):
            later.append(node)
            made_later.update(id(v) for v in node.outputs)
        elif len(when) == 1 or (either and when):
            run.append((node, when))
        else:  # in both, or in neither: then it is written for its parameters alone
            yield from _split_by_mode(run)
            run = []
            yield node, None
    yield from _split_by_mode(run)
    if graph.training_outputs is not None:
        yield None, True
        for node in later:
            yield node, False if has_operator(node, ByMode) else None


def _takes_any(node: Node, values: set[int]) -> bool:
    return any(id(v) in values for v in node.inputs)


def _find_needed_early(graph: Graph, every: list[Modes]) -> set[int]:
    """Return the nodes for evaluation alone that a node for both modes depends on."""
    needed: set[int] = set()
    early: set[int] = set()
    for node, when in zip(reversed(graph.nodes), reversed(every), strict=True):
        if True in when and has_operator(node, ByMode):
            needed.add(id(node.inputs[1]))
        elif when == {False} and any(id(v) in needed for v in node.outputs):
            early.add(id(node))
            needed.update(id(v) for v in node.inputs)
    return early


def _split_by_mode(run: list[tuple[Node, frozenset[bool]]]) -> Iterator[Ordered]:
    for mode in (True, False):
        yield from ((node, mode) for node, when in run if mode in when)
