"""Averages windows that are spread evenly over an axis, as in adaptive pools.

Window i of `count` begins at `i * size // count` and ends before `(i + 1) * size / count`, rounded up: 5 positions in 2 windows are 0 to 2
and 2 to 4. In: a use of an operator on `[N, C, ...]`, and the number of windows of each spatial axis. Out: the name of the pooled tensor.
Always: the result is exact for any sizes. For a known size the windows are constants. For a symbolic size they are computed at run time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netc.dsl.record import Record

from ...dims import Dim, dim_max
from ...types.tensor_types import BOOL, INT64
from .antialias import WeightTable
from .onnx_emitters import Site
from .tensor_expressions import TensorExpr, compute_precisely
from .writer import GraphWriter


class WindowTable(Record):
    """The windows of one axis. `positions`, `[count, width]`: the positions in each window, where a short window repeats its last one.
    `is_member`: which of these are no repetitions, or None where all windows have one width. `lengths`, `[count]`: the lengths of the
    windows."""

    positions: str
    is_member: str | None
    lengths: str


def average_by_axis(site: Site, counts: Sequence[Dim]) -> str:
    """Average the windows of one axis after another."""

    def steps(y: TensorExpr) -> TensorExpr:
        for axis, (size, count) in enumerate(zip(site.given.x.shape[2:], counts, strict=True), start=2):
            if size != count:
                y = _average_windows(y, axis, site.given.x.rank, _make_window_table(site, size, count))
        return y

    return compute_precisely(site.x, steps).name


def _average_windows(x: TensorExpr, axis: int, rank: int, spread: WindowTable) -> TensorExpr:
    site = x.site
    along = TensorExpr(site, site.ints([axis + 1]), INT64)
    laid_out = TensorExpr(site, site.add("Gather", [x.name, spread.positions], axis=axis), x.dtype)
    if spread.is_member is None:
        return laid_out.op("ReduceMean", along, keepdims=0)
    inside, lengths = (_append_axes(site, name, rank - 1 - axis) for name in (spread.is_member, spread.lengths))
    # Short windows repeat their last element. Where, rather than a product with 0, keeps NaN out of windows that it is not in.
    total = TensorExpr(site, inside, BOOL).choose(laid_out, 0.0).op("ReduceSum", along, keepdims=0)
    return total / TensorExpr(site, lengths, INT64).cast(x.dtype)


def sum_weighted(site: Site, y: str, axis: int, rank: int, table: WeightTable) -> str:
    """Compute each result along an axis as a weighted sum of some positions."""
    positions, inside, weights = (site.constant(array) for array in (table.positions, table.inside, table.weights))
    x = TensorExpr(site, site.add("Gather", [y, positions], axis=axis), site.given.x.dtype)
    products = x.op("Mul", TensorExpr(site, _append_axes(site, weights, rank - 1 - axis), x.dtype))
    if not table.inside.all():
        products = TensorExpr(site, _append_axes(site, inside, rank - 1 - axis), BOOL).choose(products, 0.0)
    return products.op("ReduceSum", TensorExpr(site, site.ints([axis + 1]), INT64), keepdims=0).name


def _append_axes(site: GraphWriter, numbers: str, axes: int) -> str:
    """Append that number of axes of size 1."""
    return site.add("Unsqueeze", [numbers, site.ints(range(-axes, 0))]) if axes else numbers


def list_window_positions(site: Site, counts: Sequence[int]) -> dict[int, str]:
    """Map each spatial axis whose size changes to the matrix of positions in its windows."""
    sizes = enumerate(zip(site.given.x.shape[2:], counts, strict=True), start=2)
    return {axis: _make_window_table(site, size, count).positions for axis, (size, count) in sizes if size != count}


def _make_window_table(site: Site, size: Dim, count: Dim) -> WindowTable:
    if isinstance(size, int) and isinstance(count, int):
        return _make_constant_table(site, size, count)
    first, stop = _emit_edges(site, size, count)
    lengths = site.add("Sub", [stop, first])
    width = site.add("ReduceMax", [lengths], keepdims=0)
    steps = site.add("Range", [site.scalar(0, INT64), width, site.scalar(1, INT64)])
    positions, ends = site.add("Add", [_to_column(site, first), steps]), _to_column(site, stop)
    last = site.add("Sub", [ends, site.scalar(1, INT64)])
    return WindowTable(site.add("Min", [positions, last]), site.add("Less", [positions, ends]), lengths)


def _make_constant_table(site: Site, size: int, count: int) -> WindowTable:
    first, stop = (np.array(edges) for edges in _find_edges(size, count))
    lengths = stop - first
    positions = first[:, None] + np.arange(lengths.max())
    inside = positions < stop[:, None]
    repeated = site.constant(np.minimum(positions, stop[:, None] - 1))
    return WindowTable(repeated, None if inside.all() else site.constant(inside), site.constant(lengths))


def _find_edges(size: Dim, count: int) -> tuple[list[Dim], list[Dim]]:
    """Return the starts of the windows, and the positions after their ends."""
    return [i * size // count for i in range(count)], [((i + 1) * size + count - 1) // count for i in range(count)]


def _emit_edges(site: Site, size: Dim, count: Dim) -> tuple[str, str]:
    """Emit the edges as tensors [count]."""
    if isinstance(count, int):
        starts, ends = _find_edges(size, count)
        return site.ints(starts), site.ints(ends)
    # There may be no windows, as for one position at half the scale. Even then, the divisor must not be 0.
    length, windows = site.scalar(size, INT64), site.scalar(dim_max(count, 1), INT64)
    steps = site.add("Range", [site.scalar(0, INT64), site.scalar(count, INT64), site.scalar(1, INT64)])
    before = site.add("Mul", [steps, length])
    after = site.add("Add", [before, site.scalar(size + count - 1, INT64)])
    return site.add("Div", [before, windows]), site.add("Div", [after, windows])


def _to_column(site: Site, numbers: str) -> str:
    return site.add("Unsqueeze", [numbers, site.ints([1])])
