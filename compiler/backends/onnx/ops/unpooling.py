"""Emit pools of two tensors, whose elements are scattered over zeros or gathered.

ONNX's MaxUnpool counts positions within the full tensor.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 3x8x8; (y, at) = x -> max_pool 2; (y, at) -> max_unpool 2").onnx().graph.node]
['MaxPool', 'Mod', 'Reshape', 'Reshape', 'Shape', 'Concat', 'Expand', 'ScatterElements', 'Reshape']
"""

from __future__ import annotations

from math import prod

import numpy as np

from ....dims import Dim
from ....ops.operator import numel
from ....ops.unpooling import FractionalMaxPool, MaxUnpool
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, INT64
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr
from ..unsupported_in_onnx import UnsupportedInOnnx
from .shape import reshape_tensor, transpose_tensor


@emits(MaxUnpool, onnx="Reshape and ScatterElements")
def emit_max_unpool(op: MaxUnpool, site: Site) -> str:
    x, shape = site.given.x, site.results[0].shape
    flat = (*x.shape[:2], numel(x.shape[2:]))
    values, places = (reshape_tensor(site, part.name, x.shape, flat) for part in (site.x, site.indices))
    flat_result = (*shape[:2], numel(shape[2:]))
    zero = TensorExpr(site, site.scalar(0.0, x.dtype), x.dtype)
    zeros = zero.op("Expand", TensorExpr(site, site.ints(flat_result), INT64))
    return reshape_tensor(site, site.add("ScatterElements", [zeros.name, places, values], axis=2), flat_result, shape)


@emits(FractionalMaxPool, onnx="GatherElements and ArgMax; not without `samples`")
def emit_fractional_max_pool(op: FractionalMaxPool, site: Site) -> str | tuple[str, ...]:
    if "samples" not in site.given:
        raise UnsupportedInOnnx(op.name, "its windows are drawn at random, which needs `samples` as a second tensor")
    values, shape, sides = site.x, site.given.x.shape, op.window_sides(site.given.x)
    count = TensorExpr(site, site.add("Range", [site.scalar(n, INT64) for n in (0, numel(shape[2:]), 1)]), INT64)
    places = count.op("Reshape", _make_ints(site, (1, 1, *shape[2:]))).op("Expand", _make_ints(site, shape))
    for axis, (kernel, windows) in enumerate(sides, start=2):
        index = _find_window_elements(site, axis, kernel, windows, shape[axis])
        shape = (*shape[:axis], kernel * windows, *shape[axis + 1 :])
        column = index.op("Reshape", _make_ints(site, (*shape[:2], *(s if n == axis else 1 for n, s in enumerate(shape[2:], start=2)))))
        index = column.op("Expand", _make_ints(site, shape))
        values, places = (part.op("GatherElements", index, axis=axis) for part in (values, places))
    windows_last = [_move_windows_last(site, part, shape, sides) for part in (values, places)]
    best = windows_last[0].op("ArgMax", to=INT64, axis=-1, keepdims=1)
    results = [part.op("GatherElements", best, axis=site.given.x.rank).op("Squeeze", _make_ints(site, (-1,))).name for part in windows_last]
    return tuple(results[: len(site.results)])


def _make_ints(site: Site, values: tuple[Dim, ...]) -> TensorExpr:
    return TensorExpr(site, site.ints(values), INT64)


def _find_window_elements(site: Site, axis: int, kernel: int, count: int, size: Dim) -> TensorExpr:
    """Return the elements of each window along an axis, [N, C, count, kernel]. The last window is at the end of the axis."""
    dtype = site.given.x.dtype
    last = site.given.x.rank - 1
    number = last - axis if last == 3 else axis - 2  # for two axes, PyTorch puts the sample of the last axis first
    sample = site.samples.op("Gather", _make_ints(site, (number,)), axis=2)
    end = TensorExpr(site, site.scalar(size - kernel, INT64), INT64)
    steps = np.arange(count, dtype=numpy_dtype(dtype))
    apart = end.cast(dtype) / float(max(count - 1, 1))
    start = ((sample + TensorExpr(site, site.constant(steps), dtype)) * apart).cast(INT64) - (sample * apart).cast(INT64)
    is_last = TensorExpr(site, site.constant(np.arange(count) == count - 1), BOOL)
    start = is_last.choose(end, start)
    wide = TensorExpr(site, site.add("Unsqueeze", [start.name, site.ints([3])]), INT64)
    return wide + TensorExpr(site, site.constant(np.arange(kernel)), INT64)


def _move_windows_last(site: Site, x: TensorExpr, shape: tuple[Dim, ...], sides: tuple[tuple[int, int], ...]) -> TensorExpr:
    """Reshape [N, C, count * kernel, ...] to [N, C, count, ..., kernels]."""
    split = (*shape[:2], *(number for kernel, count in sides for number in (count, kernel)))
    order = [0, 1, *range(2, len(split), 2), *range(3, len(split), 2)]
    y = transpose_tensor(site, reshape_tensor(site, x.name, shape, split), order)
    permuted = tuple(split[axis] for axis in order)
    merged = (*permuted[: 2 + len(sides)], prod(kernel for kernel, _ in sides))
    return TensorExpr(site, reshape_tensor(site, y, permuted, merged), x.dtype)
