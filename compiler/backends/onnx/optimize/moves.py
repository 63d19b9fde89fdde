"""Folds operators that move and convert elements, on tensors that are not read yet.

In: a node and its input tensors. Out: its results, whose elements are moved when they are read, or None if the node is not supported.
Always: constants that say where elements go, such as axes, are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ....types.numpy_types import Array, numpy_dtype
from ....types.tensor_types import DType
from ....weights.lazy_tensors import StoredTensor
from ..onnx_builder import BuilderNode

StoredInputs = Sequence[StoredTensor | None]
Move = Callable[[BuilderNode, StoredInputs], "Sequence[StoredTensor] | None"]


def move_when_read(source: StoredTensor, move: Callable[[Array], Array]) -> StoredTensor:
    """Return a tensor with the elements of `source`, moved. Moving an array without memory gives its shape."""
    # `broadcast_to` makes an array of the shape without its elements.
    shape = move(np.broadcast_to(np.zeros((), dtype=np.bool_), source.shape)).shape
    return StoredTensor(shape, source.kind, lambda: move(source.read()))


def _fold_transpose(node: BuilderNode, inputs: StoredInputs) -> Sequence[StoredTensor]:
    order: Any = node.attributes.get("perm")
    return [move_when_read(_get_first(inputs), lambda x: x.transpose(order))]


def _fold_unsqueeze(node: BuilderNode, inputs: StoredInputs) -> Sequence[StoredTensor]:
    axes = tuple(_read_integers(inputs[1]))
    return [move_when_read(_get_first(inputs), lambda x: np.expand_dims(x, axes))]


def _fold_squeeze(node: BuilderNode, inputs: StoredInputs) -> Sequence[StoredTensor]:
    axes = tuple(_read_integers(inputs[1])) if len(inputs) > 1 else None
    return [move_when_read(_get_first(inputs), lambda x: np.squeeze(x, axes))]


def _fold_reshape(node: BuilderNode, inputs: StoredInputs) -> Sequence[StoredTensor] | None:
    source, wanted = _get_first(inputs), _read_integers(inputs[1])
    # With `allowzero`, 0 is a size and not a copy of the input's.
    if node.attributes.get("allowzero") or wanted.count(-1) > 1:
        return None
    shape = [source.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    count = int(np.prod(source.shape, dtype=np.int64))
    known = int(np.prod([size for size in shape if size != -1], dtype=np.int64))
    final = tuple(count // known if size == -1 else size for size in shape)
    return [StoredTensor(final, source.kind, lambda: source.read().reshape(final))]


def _fold_split(node: BuilderNode, inputs: StoredInputs) -> Sequence[StoredTensor] | None:
    source, count = _get_first(inputs), len(node.outputs)
    axis: Any = node.attributes.get("axis") or 0
    # With sizes as an input, or an uneven division, the parts differ.
    if len(inputs) > 1 or source.shape[axis] % count:
        return None
    return [move_when_read(source, partial(_slice_part, axis=axis, index=index, count=count)) for index in range(count)]


def _slice_part(x: Array, axis: int, index: int, count: int) -> Array:
    step = x.shape[axis] // count
    return np.moveaxis(np.moveaxis(x, axis, 0)[index * step : (index + 1) * step], 0, axis)


def _fold_concat(node: BuilderNode, inputs: StoredInputs) -> Sequence[StoredTensor]:
    tensors, axis = [tensor for tensor in inputs if tensor is not None], node.attributes["axis"]
    assert isinstance(axis, int)
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    return [StoredTensor(tuple(shape), tensors[0].kind, lambda: np.concatenate([tensor.read() for tensor in tensors], axis))]


def _fold_cast(node: BuilderNode, inputs: StoredInputs) -> Sequence[StoredTensor] | None:
    source, to = _get_first(inputs), node.attributes["to"]
    assert isinstance(to, DType)
    # ONNX does not define the cast of a float beyond the range of an integer.
    if source.dtype is None or (source.dtype.is_float and not to.is_float):
        return None
    return [StoredTensor(source.shape, to.name, lambda: _cast_array(source.read(), to))]


def _cast_array(array: Array, to: DType) -> Array:
    with np.errstate(over="ignore"):  # a number beyond the type's range becomes infinite
        return array.astype(numpy_dtype(to))


def _get_first(inputs: StoredInputs) -> StoredTensor:
    assert inputs[0] is not None
    return inputs[0]


def _read_integers(tensor: StoredTensor | None) -> list[int]:
    assert tensor is not None
    return [int(number) for number in tensor.read()]


MOVES: dict[str, Move] = {
    "Transpose": _fold_transpose,
    "Unsqueeze": _fold_unsqueeze,
    "Squeeze": _fold_squeeze,
    "Reshape": _fold_reshape,
    "Split": _fold_split,
    "Concat": _fold_concat,
    "Cast": _fold_cast,
}
