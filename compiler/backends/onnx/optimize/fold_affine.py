"""Scales and shifts of what a layer computes, put into its weights.

In: a graph. Out: the same, without BatchNormalization after convolutions, without a scale after the product of a dense layer, and with the
scale and shift of a normalisation as its own. Always: only where the layer has no other use, and its weights none; the new numbers are
computed in float64 when they are written, from one weight at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....types.numpy_types import Array, numpy_dtype
from ....weights.lazy_tensors import StoredTensor
from ..onnx_builder import BuilderNode
from .open_graph import OpenGraph

_OUTPUTS = {"Conv": 0, "ConvTranspose": 1}
"""The axis of the channels that come out, in the weights."""


def computed(source: StoredTensor, shape: tuple[int, ...], compute: Callable[[], Array]) -> StoredTensor:
    """A tensor of the type of `source`, computed in float64."""
    assert source.dtype is not None
    made = numpy_dtype(source.dtype)

    def read() -> Array:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return compute().astype(made, copy=False)

    return StoredTensor(shape, source.kind, read)


def _wide(tensor: StoredTensor) -> Array:
    return tensor.read().astype(np.float64)


def _product(weight: StoredTensor, factor: Array) -> Array:
    """The weight times what is broadcast to it, computed in float64 a few numbers at a time, in the weight's own type."""
    array = weight.read()
    made = np.empty(array.shape, array.dtype)
    return np.multiply(array, factor, out=made, dtype=np.float64, casting="unsafe")


def fold_batch_normalization(graph: OpenGraph) -> None:
    """`(W x + b - mean) / sqrt(variance + eps) * scale + shift`."""
    gone = [norm for norm in graph.nodes if norm.op_type == "BatchNormalization" and _folded(graph, norm)]
    _drop(graph, gone)


def _folded(graph: OpenGraph, norm: BuilderNode) -> bool:
    layer = graph.maker(norm.inputs[0], "Conv") or graph.maker(norm.inputs[0], "ConvTranspose")
    if layer is None or not all(value in graph.stored for value in (*norm.inputs[1:], *filter(None, layer.inputs[1:]))):
        return False
    if layer.op_type == "ConvTranspose" and layer.attributes.get("group") not in (None, 1):
        return False
    weight = graph.stored[layer.inputs[1]]
    scale, shift, mean, variance = (graph.stored[value] for value in norm.inputs[1:])
    if weight.dtype is None or not weight.dtype.is_float or len(graph.takers[layer.inputs[1]]) > 1:
        return False
    bias = graph.stored[layer.inputs[2]] if len(layer.inputs) > 2 and layer.inputs[2] else None
    epsilon = norm.attributes["epsilon"]
    assert isinstance(epsilon, float)
    axis = _OUTPUTS[layer.op_type]

    def factor() -> Array:
        return _wide(scale) / np.sqrt(_wide(variance) + np.float32(epsilon))

    def scaled() -> Array:
        return _product(weight, factor().reshape([-1 if n == axis else 1 for n in range(len(weight.shape))]))

    def shifted() -> Array:
        return ((0.0 if bias is None else _wide(bias)) - _wide(mean)) * factor() + _wide(shift)

    layer.inputs = [
        layer.inputs[0],
        graph.store(f"{layer.inputs[1]}/{norm.op_type}", computed(weight, weight.shape, scaled)),
        graph.store(f"{norm.inputs[2]}/{norm.op_type}", computed(shift, shift.shape, shifted)),
    ]
    return True


def fold_scales(graph: OpenGraph) -> None:
    """A scale of each feature after a dense layer, also across a Transpose, as in ConvNeXt."""
    _drop(graph, [node for node in graph.nodes if node.op_type == "Mul" and _scaled(graph, node)])


def _scaled(graph: OpenGraph, mul: BuilderNode) -> bool:
    value, scale = mul.inputs if mul.inputs[1] in graph.stored else mul.inputs[::-1]
    if scale not in graph.stored or value in graph.stored:
        return False
    turn = graph.maker(value, "Transpose")
    add = graph.maker(turn.inputs[0] if turn is not None else value, "Add")
    if add is None:
        return False
    product, bias = add.inputs
    dense = graph.maker(product, "MatMul")
    if dense is None or bias not in graph.stored or dense.inputs[1] not in graph.stored:
        return False
    weight, shift, factor = (graph.stored[name] for name in (dense.inputs[1], bias, scale))
    features = weight.shape[-1]
    order = turn.attributes.get("perm") if turn is not None else None
    if not _is_of_features(factor.shape, features, order) or shift.shape != (features,) or len(weight.shape) != 2:
        return False
    if any(len(graph.takers[name]) > 1 for name in (dense.inputs[1], bias)):
        return False
    dense.inputs[1] = graph.store(
        f"{dense.inputs[1]}/Mul", computed(weight, weight.shape, lambda: _product(weight, _wide(factor).reshape(-1)))
    )
    add.inputs[1] = graph.store(f"{bias}/Mul", computed(shift, shift.shape, lambda: _wide(shift) * _wide(factor).reshape(-1)))
    return True


def _is_of_features(shape: tuple[int, ...], features: int, order: object) -> bool:
    """Whether a scale of that shape is one number for each feature, which are on the last axis before axes are put in that order."""
    if features == 1 or shape.count(1) != len(shape) - 1 or features not in shape:
        return False
    axis = shape.index(features) - len(shape)
    return axis == -1 if not isinstance(order, tuple | list) else order[axis] == len(order) - 1


def fold_normalization(graph: OpenGraph) -> None:
    """LayerNormalization without a scale, which is followed by one, and by a shift."""
    gone: list[BuilderNode] = []
    for norm in graph.nodes:
        if norm.op_type == "LayerNormalization" and len(norm.inputs) == 2 and norm.inputs[1] in graph.builder.constants():
            gone += _own(graph, norm)
    _drop(graph, gone)


def _own(graph: OpenGraph, norm: BuilderNode) -> list[BuilderNode]:
    """The nodes whose numbers the normalisation has taken."""
    ones = graph.stored[norm.inputs[1]]
    mul = graph.only_taker(norm.outputs[0])
    scale = _other(graph, mul, "Mul", norm.outputs[0], ones.shape)
    if mul is None or scale is None or not bool((ones.read() == 1).all()):
        return []
    norm.inputs[1] = scale
    add = graph.only_taker(mul.outputs[0])
    shift = _other(graph, add, "Add", mul.outputs[0], ones.shape)
    if add is None or shift is None:
        return [mul]
    norm.inputs.append(shift)
    return [mul, add]


def _other(graph: OpenGraph, node: BuilderNode | None, op_type: str, value: str, shape: tuple[int, ...]) -> str | None:
    """The other input of the node, if it is a tensor of that shape."""
    if node is None or node.op_type != op_type:
        return None
    other = node.inputs[1] if node.inputs[0] == value else node.inputs[0]
    return other if other in graph.stored and graph.stored[other].shape == shape else None


def _drop(graph: OpenGraph, gone: list[BuilderNode]) -> None:
    """The first inputs of nodes, or what is computed, are their results; a result with a name of its own keeps it."""
    for node in gone:
        value = next(name for name in node.inputs if name not in graph.stored)
        graph.bypass(node, value)
