"""Finds the nodes of a graph that compute only sizes of the inputs, and the nodes that compute constants.

In: a graph of the ONNX format. Out: the role of each node. Always: ONNX Runtime keeps nodes of sizes on the CPU on purpose, where the sizes
are, and computes constants once, when it loads the model.

    >>> import netc
    >>> graph = netc.compile("x = input [T, 4]; x * T").onnx().graph
    >>> [(node.op_type, role) for node, role in zip(graph.node, find_roles(graph))]
    [('Shape', 'sizes'), ('Squeeze', 'sizes'), ('Cast', 'sizes'), ('Mul', 'data')]
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from .messages import GraphProto

Role = Literal["data", "sizes", "constant"]

_SIZES = ("Shape", "Size")
_RANDOM = ("RandomNormal", "RandomUniform")
"""Nodes without inputs whose results are no constants."""


def is_size_operator(op_type: str) -> bool:
    """Whether an operator returns sizes of its input, whatever its numbers."""
    return op_type in _SIZES


def find_roles(graph: GraphProto, constants: Collection[str] = (), sizes: Collection[str] = ()) -> list[Role]:
    """Find the role of each node, in order. `constants` and `sizes` are names of values that the graph does not compute."""
    constant = {tensor.name for tensor in graph.initializer} | set(constants)
    sized = set(sizes)
    roles: list[Role] = []
    for node in graph.node:
        inputs = [name for name in node.input if name and name not in constant]
        role: Role = "data"
        if is_size_operator(node.op_type) or (inputs and sized.issuperset(inputs)):
            sized.update(node.output)
            role = "sizes"
        elif not inputs and node.op_type not in _RANDOM:
            constant.update(node.output)
            role = "constant"
        roles.append(role)
    return roles
