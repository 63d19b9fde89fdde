"""Windows spread evenly over an axis, as adaptive pools have them: window i of `count` is from `i * size // count` up to
`(i + 1) * size / count`, rounded up.

In: a use of an operator on `[N, C, ...]`, and the number of windows of each spatial axis. Out: the name of the pooled tensor. Always: exact
for any sizes. The windows of a known size are constants, those of a symbolic one are computed at run time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...dims import Dim
from ...ir.elements import numpy_dtype
from ...ir.types import INT64, DType
from .table import Site


def means_by_axis(site: Site, counts: Sequence[Dim]) -> str:
    """The means: one axis after another is multiplied by the weight of each position in each window."""
    x = site.given.x
    y = site.x.name
    for axis, (size, count) in enumerate(zip(x.shape[2:], counts, strict=True), start=2):
        if size != count:
            y = times(site, y, axis, x.rank, _weights(site, size, count, x.dtype))
    return y


def spread_places(site: Site, counts: Sequence[int]) -> dict[int, str]:
    """For each spatial axis whose size changes, the matrix of positions in its windows: short ones repeat their last position."""
    sizes = enumerate(zip(site.given.x.shape[2:], counts, strict=True), start=2)
    return {axis: _places(site, size, count) for axis, (size, count) in sizes if size != count}


def times(site: Site, y: str, axis: int, rank: int, weights: str) -> str:
    """An axis multiplied by a matrix [size, count]."""
    if axis == rank - 1:
        return site.add("MatMul", [y, weights])
    swapped = list(range(rank))
    swapped[axis], swapped[-1] = swapped[-1], swapped[axis]
    product = site.add("MatMul", [site.add("Transpose", [y], perm=swapped), weights])
    return site.add("Transpose", [product], perm=swapped)


def _edges(size: Dim, count: int) -> tuple[list[Dim], list[Dim]]:
    """The starts of the windows, and the positions after their ends."""
    return [i * size // count for i in range(count)], [((i + 1) * size + count - 1) // count for i in range(count)]


def _weights(site: Site, size: Dim, count: Dim, dtype: DType) -> str:
    """The matrix [size, count] of each position's weight in each window's mean."""
    if isinstance(size, int) and isinstance(count, int):
        starts, ends = _edges(size, count)
        place = np.arange(size)[:, None]
        low, high = np.array(starts), np.array(ends)
        return site.constant((((place >= low) & (place < high)) / (high - low)).astype(numpy_dtype(dtype)))
    first, stop = _run_time_edges(site, size, count)
    positions = _column(site, _range(site, size))
    inside = site.add("And", [site.add("GreaterOrEqual", [positions, first]), site.add("Less", [positions, stop])])
    return site.add("Div", [site.cast(inside, dtype), site.cast(site.add("Sub", [stop, first]), dtype)])


def _run_time_edges(site: Site, size: Dim, count: Dim) -> tuple[str, str]:
    """The edges as tensors [count]."""
    if isinstance(count, int):
        starts, ends = _edges(size, count)
        return site.ints(starts), site.ints(ends)
    whole, windows = site.scalar(size, INT64), site.scalar(count, INT64)
    before = site.add("Mul", [_range(site, count), whole])
    after = site.add("Add", [before, site.scalar(size + count - 1, INT64)])
    return site.add("Div", [before, windows]), site.add("Div", [after, windows])


def _places(site: Site, size: Dim, count: int) -> str:
    """The matrix [count, width] of the positions in each window."""
    starts, ends = _edges(size, count)
    if isinstance(size, int):
        low, high = np.array(starts), np.array(ends) - 1
        return site.constant(np.minimum(low[:, None] + np.arange(max(high - low) + 1), high[:, None]))
    width = (size + count - 1) // count + 1
    last = site.ints([end - 1 for end in ends])
    positions = site.add("Add", [_column(site, site.ints(starts)), _range(site, width)])
    return site.add("Min", [positions, _column(site, last)])


def _range(site: Site, stop: Dim) -> str:
    return site.add("Range", [site.scalar(0, INT64), site.scalar(stop, INT64), site.scalar(1, INT64)])


def _column(site: Site, numbers: str) -> str:
    return site.add("Unsqueeze", [numbers, site.ints([1])])
