"""Folds scales and shifts after a layer into its weights.

In: a graph. Out: the same function, without BatchNormalization after convolutions, without a scale after the product of a dense layer, and
with the scale and shift after a normalization as its own. Always: only if the layer and its weights have no other use. The new numbers are
computed in float64 when they are written, from one weight at a time.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3x8x8 -> conv 4 3 -> batch_norm").onnx().graph.node]
['Conv']
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....types.numpy_types import Array, numpy_dtype
from ....weights.lazy_tensors import StoredTensor
from ..onnx_builder import BuilderNode
from .open_graph import OpenGraph

_CHANNEL_AXES = {"Conv": 0, "ConvTranspose": 1}
"""The axis of the output channels in the weights."""


def compute_when_read(source: StoredTensor, shape: tuple[int, ...], compute: Callable[[], Array]) -> StoredTensor:
    """Return a tensor of the type of `source`, computed in float64."""
    assert source.dtype is not None
    dtype = numpy_dtype(source.dtype)

    def read() -> Array:
        # Damaged weights must give the same NaN as the unfolded layer, without a warning.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return compute().astype(dtype, copy=False)

    return StoredTensor(shape, source.kind, read)


def _read_float64(tensor: StoredTensor) -> Array:
    return tensor.read().astype(np.float64)


def _multiply_weight(weight: StoredTensor, factor: Array) -> Array:
    """Multiply the weight by a factor that broadcasts to it, in float64 a few numbers at a time. The result has the weight's type."""
    array = weight.read()
    result = np.empty(array.shape, array.dtype)
    return np.multiply(array, factor, out=result, dtype=np.float64, casting="unsafe")


def fold_batch_normalization(graph: OpenGraph) -> None:
    """Fold `(W x + b - mean) / sqrt(variance + eps) * scale + shift` into the weight and bias of a convolution."""
    gone = [norm for norm in graph.nodes if norm.op_type == "BatchNormalization" and _try_fold_normalization(graph, norm)]
    _bypass_nodes(graph, gone)


def _try_fold_normalization(graph: OpenGraph, norm: BuilderNode) -> bool:
    layer = graph.find_producer(norm.inputs[0], "Conv") or graph.find_producer(norm.inputs[0], "ConvTranspose")
    if layer is None or not all(value in graph.stored for value in (*norm.inputs[1:], *filter(None, layer.inputs[1:]))):
        return False
    # The output channels of a grouped ConvTranspose are no axis of its weight.
    if layer.op_type == "ConvTranspose" and layer.attributes.get("group") not in (None, 1):
        return False
    weight = graph.stored[layer.inputs[1]]
    scale, shift, mean, variance = (graph.stored[value] for value in norm.inputs[1:])
    # A shared weight would be scaled for its other user as well.
    if weight.dtype is None or not weight.dtype.is_float or len(graph.users[layer.inputs[1]]) > 1:
        return False
    bias = graph.stored[layer.inputs[2]] if len(layer.inputs) > 2 and layer.inputs[2] else None
    epsilon = norm.attributes["epsilon"]
    assert isinstance(epsilon, float)
    axis = _CHANNEL_AXES[layer.op_type]

    def compute_factor() -> Array:
        # ONNX stores `epsilon` as float32, and the unfolded node would add that.
        return _read_float64(scale) / np.sqrt(_read_float64(variance) + np.float32(epsilon))

    def scale_weight() -> Array:
        return _multiply_weight(weight, compute_factor().reshape([-1 if n == axis else 1 for n in range(len(weight.shape))]))

    def shift_bias() -> Array:
        return ((0.0 if bias is None else _read_float64(bias)) - _read_float64(mean)) * compute_factor() + _read_float64(shift)

    layer.inputs = [
        layer.inputs[0],
        graph.store_tensor(f"{layer.inputs[1]}/{norm.op_type}", compute_when_read(weight, weight.shape, scale_weight)),
        graph.store_tensor(f"{norm.inputs[2]}/{norm.op_type}", compute_when_read(shift, shift.shape, shift_bias)),
    ]
    return True


def fold_scales(graph: OpenGraph) -> None:
    """Fold a scale of each feature after a dense layer into its weight, also across a Transpose, as in ConvNeXt."""
    _bypass_nodes(graph, [node for node in graph.nodes if node.op_type == "Mul" and _try_fold_scale(graph, node)])


def _try_fold_scale(graph: OpenGraph, mul: BuilderNode) -> bool:
    value, scale = mul.inputs if mul.inputs[1] in graph.stored else mul.inputs[::-1]
    if scale not in graph.stored or value in graph.stored:
        return False
    transpose = graph.find_producer(value, "Transpose")
    add = graph.find_producer(transpose.inputs[0] if transpose is not None else value, "Add")
    if add is None:
        return False
    product, bias = add.inputs
    dense = graph.find_producer(product, "MatMul")
    if dense is None or bias not in graph.stored or dense.inputs[1] not in graph.stored:
        return False
    weight, shift, factor = (graph.stored[name] for name in (dense.inputs[1], bias, scale))
    features = weight.shape[-1]
    order = transpose.attributes.get("perm") if transpose is not None else None
    if not _is_of_features(factor.shape, features, order) or shift.shape != (features,) or len(weight.shape) != 2:
        return False
    if any(len(graph.users[name]) > 1 for name in (dense.inputs[1], bias)):
        return False
    dense.inputs[1] = graph.store_tensor(
        f"{dense.inputs[1]}/Mul",
        compute_when_read(weight, weight.shape, lambda: _multiply_weight(weight, _read_float64(factor).reshape(-1))),
    )
    add.inputs[1] = graph.store_tensor(
        f"{bias}/Mul", compute_when_read(shift, shift.shape, lambda: _read_float64(shift) * _read_float64(factor).reshape(-1))
    )
    return True


def _is_of_features(shape: tuple[int, ...], features: int, order: object) -> bool:
    """Whether a scale of that shape has one number for each feature. Features are on the last axis before axes are put in that order."""
    if features == 1 or shape.count(1) != len(shape) - 1 or features not in shape:
        return False
    # Counted from the end, since a scale may have fewer axes than the tensor.
    axis = shape.index(features) - len(shape)
    return axis == -1 if not isinstance(order, tuple | list) else order[axis] == len(order) - 1


def fold_normalization(graph: OpenGraph) -> None:
    """Take a scale, and a shift after it, into a LayerNormalization without a scale."""
    gone: list[BuilderNode] = []
    for norm in graph.nodes:
        if norm.op_type == "LayerNormalization" and len(norm.inputs) == 2 and norm.inputs[1] in graph.builder.list_constants():
            gone += _absorb_affine(graph, norm)
    _bypass_nodes(graph, gone)


def _absorb_affine(graph: OpenGraph, norm: BuilderNode) -> list[BuilderNode]:
    """Let the normalization take the numbers of the nodes after it. Return these nodes."""
    ones = graph.stored[norm.inputs[1]]
    mul = graph.find_only_user(norm.outputs[0])
    scale = _find_other_input(graph, mul, "Mul", norm.outputs[0], ones.shape)
    if mul is None or scale is None or not bool((ones.read() == 1).all()):
        return []
    norm.inputs[1] = scale
    add = graph.find_only_user(mul.outputs[0])
    shift = _find_other_input(graph, add, "Add", mul.outputs[0], ones.shape)
    if add is None or shift is None:
        return [mul]
    norm.inputs.append(shift)
    return [mul, add]


def _find_other_input(graph: OpenGraph, node: BuilderNode | None, op_type: str, value: str, shape: tuple[int, ...]) -> str | None:
    """Return the other input of the node, if it is a tensor of that shape."""
    if node is None or node.op_type != op_type:
        return None
    other = node.inputs[1] if node.inputs[0] == value else node.inputs[0]
    return other if other in graph.stored and graph.stored[other].shape == shape else None


def _bypass_nodes(graph: OpenGraph, gone: list[BuilderNode]) -> None:
    """Remove nodes whose numbers were folded. A result with a name of its own keeps it."""
    for node in gone:
        value = next(name for name in node.inputs if name not in graph.stored)
        graph.bypass_node(node, value)
