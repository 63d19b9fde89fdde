"""Mark the tensors by which a program differentiates.

In: the main graph of a program. Out: the inputs by which it differentiates, and its `gradient` nodes whose first tensor does not depend on
the second. Always: the value where the second tensor originates, in whichever graph, is marked as `differentiated`, because everything
computed from it needs a gradient. Inputs of the main graph are not marked: the caller decides what gives them a gradient.

    >>> import netc
    >>> main = netc.compile("x = input 3 -> exp; y = x -> square; out y, gradient(y, x)").program.main
    >>> [value.differentiated for node in main.nodes for value in node.outputs]
    [True, False, False]
"""

from __future__ import annotations

from ..ops.differentiation import Gradient
from ..ops.parameter_of import ParameterOf
from ..ops.regularization import Detach
from .flat_graph import FlatGraph, FlatNode, FlatScan, FlatScanEnd
from .graph import Graph, OpNode
from .graph_values import Value
from .walk import collect_graphs


def has_gradients(main: Graph, outside: Graph | None = None) -> bool:
    """Whether a graph, or a graph that it calls, differentiates, but for the graphs that `outside` calls."""
    left_out = set() if outside is None else {id(graph) for graph in collect_graphs(outside)}
    graphs = (graph for graph in collect_graphs(main) if id(graph) not in left_out)
    return any(isinstance(node, OpNode) and isinstance(node.op, Gradient) for graph in graphs for node in graph.nodes)


def mark_differentiated(main: Graph, outside: Graph | None = None) -> tuple[list[Value], list[tuple[OpNode, bool]]]:
    """Mark the values. Return the inputs by which the graph differentiates, and the nodes that would compute a gradient of nothing, each
    with whether it differentiates by a parameter of a stage. Gradients in the graph `outside` are left out."""
    if not has_gradients(main, outside):
        return [], []
    left_out = set() if outside is None else {id(node) for graph in collect_graphs(outside) for node in graph.nodes}
    sources: dict[int, tuple[int, ...]] = {}
    origins: dict[int, Value] = dict(enumerate(main.inputs))
    lost: list[tuple[OpNode, bool]] = []
    parameters: set[int] = set()
    wanted: set[int] = set()
    for item in FlatGraph(main):
        match item:
            case FlatNode(node=node, inputs=inputs, outputs=outputs):
                if isinstance(node.op, Gradient) and id(node) not in left_out:
                    y, x = inputs
                    if not _depends_on(y, x, sources):
                        lost.append((node, x in parameters))
                    wanted.add(x)
                parameters.update(outputs if isinstance(node.op, ParameterOf) else ())
                origins |= zip(outputs, node.outputs, strict=True)
                # A gradient depends on its tensors by the stages between them. Integers and booleans have no gradient.
                stops = isinstance(node.op, Detach) or not any(value.type.dtype.is_float for value in node.outputs)
                sources |= dict.fromkeys(outputs, () if stops else inputs)
            case FlatScan(node=call, inputs=inputs, step_inputs=step_inputs):
                origins |= zip(step_inputs, call.graph.inputs, strict=False)
                sources |= {key: (outer,) for key, outer in zip(step_inputs, inputs, strict=True)}
            case FlatScanEnd(step_outputs=step_outputs, outputs=outputs):
                sources |= dict.fromkeys(outputs, step_outputs)
    given = range(len(main.inputs))
    for key in wanted.difference(given):
        origins[key].differentiated = True
    return [main.inputs[key] for key in given if key in wanted], lost


def _depends_on(key: int, source: int, sources: dict[int, tuple[int, ...]]) -> bool:
    stack, seen = [key], {key}
    while stack:
        current = stack.pop()
        if current == source:
            return True
        new = set(sources.get(current, ())) - seen
        seen |= new
        stack += new
    return False
