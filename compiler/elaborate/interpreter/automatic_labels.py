"""Automatic labels that give way to labels that come later in the text.

In `input 4 -> relu -> dense 4 as relu1`, the `relu` has no label, so netc calls it `relu1`, and then reads that the `dense` has this label.
The name of the `relu` is no key of the state dict: it becomes `relu2`. A stage with parameters keeps its name, and the two labels are an
error: otherwise a label further down would rename the keys of another stage.

    >>> import netc
    >>> [node.label for node in netc.compile("input 4 -> relu -> dense 4 as relu1").program.main.nodes]
    ['relu2', 'relu1']
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl.record import replace

from ...ir.choices import Choice
from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.walk import collect_graphs
from ..scopes.scope import GraphFrame


def free_label(label: str, frame: GraphFrame) -> None:
    """Give the stage that keeps `label` from being claimed another automatic label, if it has one and no key of the state dict has it."""
    automatic = frame.labels.find_automatic(label)
    if automatic is None:
        return
    for graph in _graphs_of_labels(frame):
        node = next((node for node in graph.nodes if node.label == automatic), None)
        if node is not None and not _has_keys(node):
            _rename_node(node, graph, frame.labels.replace_automatic(automatic))
            return


def _graphs_of_labels(frame: GraphFrame) -> Iterator[Graph]:
    """The graphs whose nodes have the frame's labels: the step of a `scan` shares the labels of the body around it."""
    outermost = frame
    while outermost.parent is not None and outermost.parent.labels is frame.labels:
        yield outermost.graph
        outermost = outermost.parent
    pending = [outermost.graph]
    while pending:
        graph = pending.pop()
        yield graph
        pending += [node.graph for node in graph.nodes if isinstance(node, CallNode) and node.graph.kind == "scan"]


def _has_keys(node: Node) -> bool:
    graphs = collect_graphs(node.graph) if isinstance(node, CallNode) else []
    inside = [node, *(inner for graph in graphs for inner in graph.nodes)]
    return any(spec.persistent for one in inside if isinstance(one, OpNode) for spec in one.specs)


def _rename_node(node: Node, graph: Graph, label: str) -> None:
    old, node.label = node.label, label
    if old in graph.stages:
        graph.stages[label] = graph.stages.pop(old)
    graph.choices[:] = [_rename_in_choice(choice, old, label) for choice in graph.choices]


def _rename_in_choice(choice: Choice, old: str, label: str) -> Choice:
    return replace(
        choice,
        labels=tuple([label if one == old else one for one in choice.labels]),
        after=label if choice.after == old else choice.after,
        inner=tuple([_rename_in_choice(inner, old, label) for inner in choice.inner]),
    )
