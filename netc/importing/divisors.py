"""Finds divisions of integers by tensors: the proof of an import must not draw 0 for a divisor, since every runtime treats it differently.

In: a program. Out: whether any of its graphs has a division or a remainder with an integer tensor as the divisor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.ir.graph import Node, OpNode
from netc.compiler.ir.walk import graphs

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Graph, Program

_DIVISIONS = ("div", "floor_div", "remainder", "fmod")


def divides_integers(program: Program) -> bool:
    """Whether a graph of the program divides integers by a tensor."""
    return any(_has_integer_divisor(node, graph) for graph in graphs(program.main) for node in graph.nodes)


def _has_integer_divisor(node: Node, graph: Graph) -> bool:
    if not isinstance(node, OpNode) or node.op.name not in _DIVISIONS or len(node.inputs) < 2:
        return False
    divisor = node.inputs[1]
    if not divisor.type.dtype.is_float:
        return True
    # The importer of ONNX divides integers as float64.
    maker = next((one for one in graph.nodes if any(value is divisor for value in one.outputs)), None)
    return isinstance(maker, OpNode) and maker.op.name == "cast" and maker.inputs[0].type.dtype.kind == "int"
