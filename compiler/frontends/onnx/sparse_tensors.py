"""Reads sparse tensors of ONNX files as dense ones: the numbers that are not 0, and where they are.

In: a `SparseTensorProto`. Out: an array with all its numbers. Always: a small file cannot ask for more than `MOST_BYTES`, and a position
outside of the tensor is refused. Source: SparseTensorProto in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from onnx import SparseTensorProto, TensorProto

from ...types.numpy_types import Array
from .onnx_files import Unreadable, read_tensor

MOST_BYTES = 2**28
"""The largest array that is made. The sizes of a sparse tensor cost nothing."""


def read_numbers(tensor: TensorProto | SparseTensorProto, folder: Path | None) -> Array:
    """Read the numbers of a tensor of either kind."""
    return read_tensor(tensor, folder) if isinstance(tensor, TensorProto) else _read_sparse_tensor(tensor, folder)


def _read_sparse_tensor(sparse: SparseTensorProto, folder: Path | None) -> Array:
    """Read the numbers of a sparse tensor. Its indices count the elements in order, or have a column for each axis."""
    name, shape = sparse.values.name, tuple(sparse.dims)
    values, indices = read_tensor(sparse.values, folder), read_tensor(sparse.indices, folder)
    if any(size < 0 for size in shape) or values.ndim != 1 or indices.dtype != np.int64:
        raise Unreadable(f"has a sparse tensor `{name}` that is damaged")
    if prod(shape) * values.itemsize > MOST_BYTES:
        raise Unreadable(f"has a sparse tensor `{name}` that takes more than {MOST_BYTES >> 20} MiB if it is dense")
    if indices.shape not in ((len(values),), (len(values), len(shape))):
        raise Unreadable(f"has a sparse tensor `{name}` of {len(values)} numbers with indices of shape {list(indices.shape)}")
    places = indices.reshape(len(values), -1)
    sizes = shape if indices.ndim == 2 else (prod(shape),)
    if ((places < 0) | (places >= np.array(sizes))).any():
        raise Unreadable(f"has a sparse tensor `{name}` with a number outside of its shape {list(shape)}")
    dense = np.zeros(sizes, values.dtype)
    dense[tuple(places.T)] = values
    return dense.reshape(shape)
