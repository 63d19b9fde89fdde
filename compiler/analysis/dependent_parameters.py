"""Find the parameters whose initial values are computed from another parameter, as the singular vectors of a weight are.

In: a graph. Out: for each node with such a parameter, the source parameter. Always: a source is found only if it is a parameter of the same
graph and is passed unchanged. The values of anything else are known only when the model runs.

    >>> import netc
    >>> main = netc.compile("x = input [4, 3]; v = param [4, 3] as v; g = param [4, 1] norms_of=v as g; x * v * g").program.main
    >>> [(node.label, find_source_parameters(main)[id(node)].path) for node in main.nodes if id(node) in find_source_parameters(main)]
    [('g', 'v')]
"""

from __future__ import annotations

from netc.dsl.record import Record

from ..ir.graph import Graph, OpNode
from ..ops.operator import ParameterSpec
from ..ops.parameter_of import ParameterOf


class ParameterReference(Record):
    """The parameter `name` of the stage at `path`, as in a `Tie`."""

    path: str
    name: str


def find_source_parameters(graph: Graph) -> dict[int, ParameterReference]:
    """Return, by the ids of the nodes with such parameters, the parameter from which their initial values are computed, if it is known."""
    nodes = [node for node in graph.nodes if isinstance(node, OpNode)]
    dependent = [(node, label) for node in nodes if (label := _source_label(node)) is not None]
    # Nearly all graphs end here, before an index of all values is made.
    if not dependent:
        return {}
    makers = {id(value): node for node in nodes for value in node.outputs}
    labeled = {node.label: node for node in nodes}
    sources = {
        id(node): _output_parameter(labeled.get(label) if label or not node.inputs else makers.get(id(node.inputs[0])))
        for node, label in dependent
    }
    return {node: where for node, where in sources.items() if where is not None}


def find_nodes_without_source(graph: Graph) -> list[OpNode]:
    """Find the nodes whose initial values should be computed from their first input, although it is no parameter."""
    sources = find_source_parameters(graph)
    return [
        node for node in graph.nodes if isinstance(node, OpNode) and node.inputs and _source_label(node) == "" and id(node) not in sources
    ]


def _source_label(node: OpNode) -> str | None:
    """The `follows` of the node's parameters: a label, empty for the first input, None if no parameter follows another."""
    return next((spec.follows for spec in node.specs if spec.follows is not None), None)


def _output_parameter(maker: OpNode | None) -> ParameterReference | None:
    """The parameter that a node returns unchanged, if it does."""
    match maker:
        case OpNode(op=ParameterOf(path=str() as path, parameter=str() as name)) if path:
            return ParameterReference(path, name)
        # A `param` stage: its only parameter has no name of its own, because the label is its key in the state dict.
        case OpNode(specs=[ParameterSpec(name="")]):
            return ParameterReference(maker.label if maker.shared is None else maker.shared.label, "")
    return None
