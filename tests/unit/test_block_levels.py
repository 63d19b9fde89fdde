"""The order in which blocks are written: what a graph calls is lower, graphs of one name are together. Levels are given by hand."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from netc.compiler.ir.graph import CallNode, Graph
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.structure.block_levels import sort_into_levels
from netc.dsl.source import SourceFile, Span

SPAN = Span(SourceFile("x.net", ""), 0, 0)


def graph(name: str, *called: Graph) -> Graph:
    made = Graph(name, "block", SPAN)
    made.nodes = [CallNode(one, (), (), "", SPAN) for one in called]
    return made


def names(main: Graph, recursive: Iterable[str] = ()) -> list[list[str]]:
    found = sort_into_levels(collect_graphs(main), lambda one: one.name, set(recursive))
    heights = {id(one): height for height, level in enumerate(found) for one in level}
    assert all(
        heights[id(node.graph)] < heights[id(one)] for one in collect_graphs(main) for node in one.nodes if node.graph.name not in recursive
    )
    return [[one.name for one in level] for level in found]


def test_a_graph_is_above_what_it_calls() -> None:
    unit = graph("unit")
    assert names(graph("main", graph("layer", unit), unit)) == [["unit"], ["layer"], ["main"]]
    assert names(graph("main")) == [["main"]]


def test_graphs_of_one_name_are_in_one_level() -> None:
    """One layer calls nothing, another one a block: both are in the level above that block, and so is what only calls the first."""
    plain, deep = graph("layer"), graph("layer", graph("unit"))
    assert names(graph("main", graph("stage", plain), deep)) == [["unit"], ["layer", "layer"], ["stage"], ["main"]]


def test_names_lift_each_other_several_times() -> None:
    """`a` is lifted by a block, that lifts `b`, and that lifts `c`."""
    low = [graph("a"), graph("b"), graph("c")]
    high = [graph("a", graph("unit")), graph("b", graph("a")), graph("c", graph("b"))]
    found = names(graph("main", *low, *high))
    assert [sorted(level) for level in found] == [["unit"], ["a"] * 3, ["b"] * 3, ["c"] * 2, ["main"]]


def test_a_block_that_makes_itself_is_one_level() -> None:
    tree = graph("tree", graph("tree", graph("tree")))
    assert names(graph("main", tree), ["tree"]) == [["tree"] * 3, ["main"]]


@pytest.mark.parametrize("depth", [2, 3, 40])
def test_other_blocks_within_themselves_are_written_from_the_inside_out(depth: int) -> None:
    tree = graph("tree")
    for _ in range(depth - 1):
        tree = graph("tree", tree)
    assert names(graph("main", tree, graph("tree"))) == [["tree"] * 2, *[["tree"]] * (depth - 1), ["main"]]
