"""Finds the products of a model with its weights, which quantizing is about.

In: a `ModelProto`, as netc writes it or quantized. Out: its products with constants, in the order of the graph: `fc` is a MatMul. Always:
a product of two activations, such as queries and keys, is not included. Products within loops and branches are.

    >>> import netc
    >>> model = netc.compile("x = input 8; y = x -> dense 8 as fc; out y, y * x").onnx()
    >>> [product.name for product in find_products(model)]
    ['fc']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netc.dsl.record import Record

from ..messages import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

FLOATS = ("MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "LSTM", "GRU", "RNN")
"""The operators that multiply by weights in a graph that is not quantized."""
INTEGERS = ("MatMulInteger", "ConvInteger", "MatMulNBits")
"""The operators that they become, where the product itself is another operator."""
_SMALL = {getattr(TensorProto, name) for name in ("INT8", "UINT8", "INT4", "UINT4")}

_TYPED = {"Transpose": 0, "Reshape": 0, "Identity": 0, "QuantizeLinear": 2}
"""Operators whose result has the element type of an input, with the index of that input."""


class Product(Record):
    """A node. `dtype` is ONNX's number for the element type of its weights, or None if it is unknown without computing. `weights` are the
    names of its constant factors."""

    name: str
    operator: str
    quantized: bool
    dtype: int | None = None
    weights: tuple[str, ...] = ()


def find_products(model: ModelProto, elsewhere: Mapping[str, int] | None = None) -> list[Product]:
    """Find all products with weights. `elsewhere`: the element types of initializers that are not in the model yet."""
    return list(_find_in_graph(model.graph, dict(elsewhere or {})))


def _find_in_graph(graph: GraphProto, outer: dict[str, int | None]) -> Iterator[Product]:
    """Find the products of one graph. `outer`: the constants of the graphs around it, with their element types as far as known."""
    constants = outer | {tensor.name: tensor.data_type for tensor in graph.initializer}
    expanded: set[str] = set()
    """Results of DequantizeLinear of constant integers."""
    for node in graph.node:
        for inner in iterate_bodies(node):
            yield from _find_in_graph(inner, constants)
        if node.op_type in (*FLOATS, *INTEGERS):
            weights = [name for name in node.input if name in constants]
            # a bias, an initial state and a zero point are not factors
            factors = tuple(name for name in weights if node.op_type == "Einsum" or name in node.input[:2])
            if factors:
                done = node.op_type in INTEGERS or any(name in expanded for name in weights)
                yield Product(node.name, node.op_type, done, constants[weights[0]], factors)
        if node.op_type == "DequantizeLinear" and constants.get(node.input[0]) in _SMALL:
            expanded.update(node.output)
        # A node whose inputs are all constant computes a constant, as a transposed weight is.
        inputs = [name for name in node.input if name]
        if node.op_type == "Constant" or (inputs and all(name in constants for name in inputs)):
            dtype = constants.get(inputs[_TYPED[node.op_type]]) if node.op_type in _TYPED else None
            constants |= dict.fromkeys(node.output, dtype)


def iterate_bodies(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs of a loop or a branch."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs
