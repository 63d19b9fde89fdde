"""Makes modules of functions that are in a row of numbered modules, such as `Permute((0, 2, 3, 1))`.

In: all graphs of a program. Out: for each such node a graph with this node alone, which becomes a class like any other. Always: the node
has no parameters and needs no run-time size, so the keys of the state dict and the results stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netc.dsl.source import Span
from netc.dsl.trees import walk_tree

from ....ir.graph import Graph, Node, OpNode
from ....ir.graph_values import Value
from ..code.class_tree import ParameterRef, has_symbol
from ..code.classes import classify_expression
from ..code.python_expressions import AnyInput, Code, LetCode, Lit
from ..operator_calls import OperatorForms
from .chains import is_chain
from .containers import are_positional


def lift_functions(order: Iterable[Graph], operators: OperatorForms) -> list[tuple[OpNode, Graph]]:
    """Find the nodes that need a module, each with its graph."""
    spans: dict[str, Span] = {}
    return [
        (node, _make_single_graph(node, spans.setdefault(node.op.name, node.span), graph))
        for graph in order
        for node in _iterate_lifted(graph, operators)
    ]


def _iterate_lifted(graph: Graph, operators: OperatorForms) -> Iterator[OpNode]:
    if graph.kind in ("sequence", "block") and is_chain(graph) and are_positional(graph.nodes):
        yield from _iterate_functions(graph.nodes, operators)


def _iterate_functions(nodes: list[Node], operators: OperatorForms) -> Iterator[OpNode]:
    """Iterate over the nodes that are functions, if most nodes are modules and all functions can be."""
    functions: list[OpNode] = []
    for node in nodes:
        if isinstance(node, OpNode) and not node.specs and operators.build_standalone_module(node) is None:
            if operators.is_member(node) or not _is_static(operators.build_expression(node)):
                return
            functions.append(node)
    # A row of functions alone reads better as a class with a `forward`.
    if 2 * len(functions) <= len(nodes):
        yield from functions


def _is_static(code: Code) -> bool:
    """Whether a call of it is clear on its own. Code with operator symbols stays in `forward`."""
    if isinstance(code, LetCode) or classify_expression(code) not in ("call", "method"):
        return False
    return not any(isinstance(p, (AnyInput, ParameterRef)) or (isinstance(p, Lit) and has_symbol(p.value)) for p in walk_tree(code))


def _make_single_graph(node: OpNode, span: Span, around: Graph) -> Graph:
    """Make a graph of the operator alone. Graphs of one operator have one `span`, so that they count as one block."""
    graph = Graph(node.op.name, "block", span, dict(node.op.args))
    graph.around = around
    source, result = node.inputs[0], node.outputs[0]
    x, y = Value(source.type, source.span), Value(result.type, result.span)
    graph.inputs, graph.outputs = [x], [y]
    graph.nodes = [OpNode(node.op, (x,), (y,), node.op.name, node.span, ())]
    return graph
