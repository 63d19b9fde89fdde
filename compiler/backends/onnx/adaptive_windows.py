"""Windows spread evenly over an axis, as adaptive pools have them: window i of `count` is from `i * size // count` up to
`(i + 1) * size / count`, rounded up.

In: a use of an operator on `[N, C, ...]`, and the number of windows of each spatial axis. Out: the name of the pooled tensor. Always: exact
for any sizes. The windows of a known size are constants, those of a symbolic one are computed at run time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netc.dsl.record import Record

from ...dims import Dim, dim_max
from ...types.tensor_types import BOOL, INT64
from .antialias import Table
from .onnx_emitters import Site
from .tensor_expressions import TensorExpr, precise
from .writer import GraphWriter


class Spread(Record):
    """The windows of one axis: the positions in each, `[count, width]`, in which short ones repeat their last; which of these do not
    repeat, or None where all windows have one width; and the number of those that do not, `[count]`."""

    positions: str
    inside: str | None
    lengths: str


def means_by_axis(site: Site, counts: Sequence[Dim]) -> str:
    """The means: of one axis after another, so that what is not finite is only in the means of windows that it is in."""

    def steps(y: TensorExpr) -> TensorExpr:
        for axis, (size, count) in enumerate(zip(site.given.x.shape[2:], counts, strict=True), start=2):
            if size != count:
                y = _means(y, axis, site.given.x.rank, _spread(site, size, count))
        return y

    return precise(site.x, steps).name


def _means(x: TensorExpr, axis: int, rank: int, spread: Spread) -> TensorExpr:
    site = x.site
    along = TensorExpr(site, site.ints([axis + 1]), INT64)
    laid_out = TensorExpr(site, site.add("Gather", [x.name, spread.positions], axis=axis), x.dtype)
    if spread.inside is None:
        return laid_out.op("ReduceMean", along, keepdims=0)
    inside, lengths = (_before(site, name, rank - 1 - axis) for name in (spread.inside, spread.lengths))
    total = TensorExpr(site, inside, BOOL).choose(laid_out, 0.0).op("ReduceSum", along, keepdims=0)
    return total / TensorExpr(site, lengths, INT64).cast(x.dtype)


def weighted(site: Site, y: str, axis: int, rank: int, table: Table) -> str:
    """An axis of which each result is a sum of some positions by their weights."""
    positions, inside, weights = (site.constant(array) for array in (table.positions, table.inside, table.weights))
    x = TensorExpr(site, site.add("Gather", [y, positions], axis=axis), site.given.x.dtype)
    products = x.op("Mul", TensorExpr(site, _before(site, weights, rank - 1 - axis), x.dtype))
    if not table.inside.all():
        products = TensorExpr(site, _before(site, inside, rank - 1 - axis), BOOL).choose(products, 0.0)
    return products.op("ReduceSum", TensorExpr(site, site.ints([axis + 1]), INT64), keepdims=0).name


def _before(site: GraphWriter, numbers: str, axes: int) -> str:
    """With that number of axes of 1 more at the end."""
    return site.add("Unsqueeze", [numbers, site.ints(range(-axes, 0))]) if axes else numbers


def spread_places(site: Site, counts: Sequence[int]) -> dict[int, str]:
    """For each spatial axis whose size changes, the matrix of positions in its windows."""
    sizes = enumerate(zip(site.given.x.shape[2:], counts, strict=True), start=2)
    return {axis: _spread(site, size, count).positions for axis, (size, count) in sizes if size != count}


def _spread(site: Site, size: Dim, count: Dim) -> Spread:
    if isinstance(size, int) and isinstance(count, int):
        return _known_spread(site, size, count)
    first, stop = _run_time_edges(site, size, count)
    lengths = site.add("Sub", [stop, first])
    width = site.add("ReduceMax", [lengths], keepdims=0)
    steps = site.add("Range", [site.scalar(0, INT64), width, site.scalar(1, INT64)])
    positions, ends = site.add("Add", [_column(site, first), steps]), _column(site, stop)
    last = site.add("Sub", [ends, site.scalar(1, INT64)])
    return Spread(site.add("Min", [positions, last]), site.add("Less", [positions, ends]), lengths)


def _known_spread(site: Site, size: int, count: int) -> Spread:
    first, stop = (np.array(edges) for edges in _edges(size, count))
    lengths = stop - first
    positions = first[:, None] + np.arange(lengths.max())
    inside = positions < stop[:, None]
    repeated = site.constant(np.minimum(positions, stop[:, None] - 1))
    return Spread(repeated, None if inside.all() else site.constant(inside), site.constant(lengths))


def _edges(size: Dim, count: int) -> tuple[list[Dim], list[Dim]]:
    """The starts of the windows, and the positions after their ends."""
    return [i * size // count for i in range(count)], [((i + 1) * size + count - 1) // count for i in range(count)]


def _run_time_edges(site: Site, size: Dim, count: Dim) -> tuple[str, str]:
    """The edges as tensors [count]."""
    if isinstance(count, int):
        starts, ends = _edges(size, count)
        return site.ints(starts), site.ints(ends)
    # There may be no windows, as of one position at half the scale: nothing is divided then, but not by 0 either.
    whole, windows = site.scalar(size, INT64), site.scalar(dim_max(count, 1), INT64)
    steps = site.add("Range", [site.scalar(0, INT64), site.scalar(count, INT64), site.scalar(1, INT64)])
    before = site.add("Mul", [steps, whole])
    after = site.add("Add", [before, site.scalar(size + count - 1, INT64)])
    return site.add("Div", [before, windows]), site.add("Div", [after, windows])


def _column(site: Site, numbers: str) -> str:
    return site.add("Unsqueeze", [numbers, site.ints([1])])
