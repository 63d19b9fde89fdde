"""Constant folding of arithmetic: compute ONNX operators on small constants in NumPy.

In: arrays. Out: an array, or None if it would exceed a number of bytes, or if NumPy computes something else. Always: the element types are
ONNX's.

    >>> COMPUTE_BY_TYPE["Add"]([np.array([7]), np.array([-2])], 100)
    array([5])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, prod
from typing import Any

import numpy as np

from ....types.numpy_types import Array

Compute = Callable[[Sequence[Array], int], "Array | None"]


_NUMBERS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Cos": np.cos,
    "Sin": np.sin,
    "Where": np.where,
}
_BOOLEANS: dict[str, Callable[..., Any]] = {
    "Less": np.less,
    "Greater": np.greater,
    "Equal": np.equal,
    "Not": np.logical_not,
    "And": np.logical_and,
    "Or": np.logical_or,
}
"""Elementwise functions, by the type of their results."""


def _make_elementwise(function: Callable[..., Any], is_boolean: bool = False) -> Compute:
    def compute(arrays: Sequence[Array], largest: int) -> Array | None:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        # The size is checked before computing: a broadcast of two vectors may be huge.
        if prod(shape) * (1 if is_boolean else max(a.itemsize for a in arrays)) > largest:
            return None
        with np.errstate(all="ignore"):
            return np.asarray(function(*arrays))

    return compute


def _compute_range(arrays: Sequence[Array], largest: int) -> Array | None:
    start, stop, step = (a.item() for a in arrays)
    # ONNX defines the length of a Range by this formula, which NumPy's arange follows only up to rounding.
    count = max(ceil((stop - start) / step), 0)
    if count * arrays[0].itemsize > largest:
        return None
    return np.asarray(start + np.arange(count) * step, dtype=arrays[0].dtype)


def _compute_expand(arrays: Sequence[Array], largest: int) -> Array | None:
    shape = np.broadcast_shapes(arrays[0].shape, tuple(int(n) for n in arrays[1]))
    return np.broadcast_to(arrays[0], shape).copy() if prod(shape) * arrays[0].itemsize <= largest else None


def _compute_div(arrays: Sequence[Array], largest: int) -> Array | None:
    # For integers ONNX rounds towards zero and NumPy rounds down, so only floats are folded.
    return _make_elementwise(np.true_divide)(arrays, largest) if arrays[0].dtype.kind == "f" else None


COMPUTE_BY_TYPE: dict[str, Compute] = {
    "Range": _compute_range,
    "Expand": _compute_expand,
    "Div": _compute_div,
    **{op_type: _make_elementwise(function) for op_type, function in _NUMBERS.items()},
    **{op_type: _make_elementwise(function, is_boolean=True) for op_type, function in _BOOLEANS.items()},
}
