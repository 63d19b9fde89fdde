"""Computes nearest neighbors: the position in the input that each position of a resized axis is read from.

In: how an axis is resized. Out: positions, as numbers or as a tensor of the graph. Always: these are PyTorch's, whose float32 arithmetic
decides between two that are equally near. Resize agrees where `matches_resize` is true.

    >>> list_positions(Stretch(2, 4), exact=False).tolist(), list_positions(Stretch(2, 3), exact=True).tolist()
    ([0, 0, 1, 1], [0, 1, 1])
"""

from __future__ import annotations

import numpy as np

from ...ops.resampled_positions import Positions, round_positions
from ...ops.resampling import Stretch
from ...types.tensor_types import BOOL, FLOAT32, INT64
from .onnx_emitters import Site
from .tensor_expressions import FLOAT64, TensorExpr

F32 = np.float32
_FAR = 2**16
"""The number of results that are compared along an axis whose size is known only at run time."""
_MOST = 2**24
"""The largest number of positions that become a constant of the graph. More are computed at run time."""


def matches_resize(stretch: Stretch, *, exact: bool) -> bool:
    """Whether ONNX's Resize reads from the same positions. It divides by the ratio, while PyTorch multiplies by the inverse. If the ratio
    is a float32, the division is exact, and the question is whether the error of PyTorch's product matters."""
    ratio = stretch.ratio
    if ratio is None or stretch.may_stay or float(F32(ratio)) != ratio:
        return False
    count = stretch.result if isinstance(stretch.result, int) else _FAR
    if count > _MOST:
        return False
    results = np.arange(count, dtype=np.int64)
    top, bottom = ratio.denominator, ratio.numerator
    ideal = (2 * results + 1) * top // (2 * bottom) if exact else results * top // bottom
    return np.array_equal(round_positions(count, _source_step(stretch), exact=exact), ideal)


def list_positions(stretch: Stretch, *, exact: bool) -> Positions:
    """List the positions of an axis with known sizes."""
    assert isinstance(stretch.size, int)
    assert isinstance(stretch.result, int)
    return np.minimum(round_positions(stretch.result, _source_step(stretch), exact=exact), stretch.size - 1)


def _source_step(stretch: Stretch) -> np.float32:
    """Return the distance of two results in the input, where the scale or both sizes are known."""
    if stretch.scale is not None:
        return F32(1.0 / stretch.scale)
    assert isinstance(stretch.size, int)
    assert isinstance(stretch.result, int)
    return F32(F32(stretch.size) / F32(stretch.result))


def emit_positions(site: Site, stretch: Stretch, *, exact: bool, leaves: bool) -> str:
    """Emit the positions as a tensor, computed at run time if necessary. `leaves`: an axis is left alone if its size stays."""
    if isinstance(stretch.size, int) and isinstance(stretch.result, int) and stretch.result <= _MOST:
        return site.constant(list_positions(stretch, exact=exact))
    results, step = _emit_results(site, stretch), _emit_step(site, stretch)
    if leaves and stretch.may_stay:
        same = TensorExpr(site, site.scalar(stretch.size, INT64), INT64).op("Equal", stretch.result, to=BOOL)
        step = same.op("Where", TensorExpr(site, site.scalar(1.0, FLOAT32), FLOAT32), step, to=FLOAT32)
    if exact:
        centers = (step.cast(FLOAT64) * (results + 0.5).cast(FLOAT64) - 0.5).cast(FLOAT32)
        positions = (centers.op("Max", 0.0) + 0.5).op("Floor")
    else:
        positions = (results * step).op("Floor")
    return positions.cast(INT64).op("Min", TensorExpr(site, site.scalar(stretch.size - 1, INT64), INT64)).name


def _emit_results(site: Site, stretch: Stretch) -> TensorExpr:
    """Emit 0, 1, 2, ... as float32."""
    if isinstance(stretch.result, int) and stretch.result <= _MOST:
        return TensorExpr(site, site.constant(np.arange(stretch.result).astype(F32)), FLOAT32)
    ends = [site.scalar(number, INT64) for number in (0, stretch.result, 1)]
    return TensorExpr(site, site.add("Range", ends), INT64).cast(FLOAT32)


def _emit_step(site: Site, stretch: Stretch) -> TensorExpr:
    if stretch.scale is not None:
        return TensorExpr(site, site.constant(_source_step(stretch)), FLOAT32)
    size, result = (TensorExpr(site, site.scalar(number, FLOAT32), FLOAT32) for number in (stretch.size, stretch.result))
    return size / result
