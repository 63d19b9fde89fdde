"""Reads writes of a part of a tensor: a selection, a slice or diagonals. `slice_scatter(x, y, 1, 1, 3)` becomes
`(x -> slice 1 stop=1, y, x -> slice 1 3) -> concat 1`.

view_changes.py writes changes of views with these operators.
"""

from __future__ import annotations

import torch

from ....dims import Dim, bounds
from ....ir.graph import has_operator
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ....ops.joining import Concat
from ....ops.shape import Reshape, Unsqueeze
from ....types.numpy_types import to_array
from ....types.tensor_types import BOOL, Shape
from ...constants import make_formula_table
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads
from .creation import make_table


@reads("select_scatter")
def read_select_scatter(site: AtenSite) -> Value:
    x, axis, start = site.tensor(), site.integer("dim"), site.size("index")
    start = start + x.type.shape[axis] if isinstance(start, int) and start < 0 else start
    return _replace_part(site, x, site.apply_op("unsqueeze", site.tensor("src"), axis=axis), axis, start, start + 1)


@reads("slice_scatter")
def read_slice_scatter(site: AtenSite) -> Value:
    x, part, axis = site.tensor(), site.tensor("src"), site.integer("dim")
    if site.integer("step") != 1:
        return _replace_strided_part(site, x, part, axis)
    size, end = x.type.shape[axis], site.slice_end("end")
    start, stop = _count_from_front(site.slice_start(), size), size if end is None else _count_from_front(end, size)
    return _replace_part(site, x, part, axis, start, stop)


def _replace_part(site: AtenSite, x: Value, part: Value, axis: int, start: Dim, stop: Dim) -> Value:
    """Return the tensor with `part` in place of the elements from `start` to `stop` of an axis."""
    size = x.type.shape[axis]
    if not all(n == size or (bounds(n)[0] or 0) >= 0 for n in (start, stop)) or bounds(start)[0] is None:
        raise ImportRefused("changes a part whose bounds are not known")
    front = [] if start == 0 else _take_pieces(site, x, axis, 0, start)
    back = [] if stop == size else _take_pieces(site, x, axis, stop, size)
    return site.apply_op("concat", *front, part, *back, axis=axis) if front or back else part


def _count_from_front(end: Dim, size: Dim) -> Dim:
    """Count a bound of a slice from the front, and clip it to the axis if both are known.

    >>> _count_from_front(-1, 5), _count_from_front(9, 5)
    (4, 5)
    """
    if isinstance(end, int) and end < 0:
        end = end + size
    return max(0, min(end, size)) if isinstance(end, int) and isinstance(size, int) else end


def _take_pieces(site: AtenSite, x: Value, axis: int, start: Dim, stop: Dim) -> list[Value]:
    """Slice a tensor. If earlier writes joined it of pieces, and the bounds fall between them, return these pieces.

    A tensor that is filled part by part would otherwise become a chain of slices and concats.
    """
    end = None if stop == x.type.shape[axis] else stop
    return _take_written_pieces(site, x, axis, start, stop) or [site.apply_op("slice", x, axis=axis, start=start, stop=end)]


def _take_written_pieces(site: AtenSite, x: Value, axis: int, start: Dim, stop: Dim) -> list[Value]:
    """Return the inputs of a `concat` between two bounds. Empty if there is none with these bounds."""
    maker = site.find_maker(x)
    if not has_operator(maker, Concat) or maker.op.args["axis"] % x.type.rank != axis % x.type.rank:
        return []
    ends: list[Dim] = [0]
    for piece in maker.inputs:
        ends.append(ends[-1] + piece.type.shape[axis])
    return list(maker.inputs[ends.index(start) : ends.index(stop)]) if start in ends and stop in ends else []


def _replace_strided_part(site: AtenSite, x: Value, part: Value, axis: int) -> Value:
    """Replace every n-th element of an axis."""
    size, step = x.type.shape[axis], site.integer("step")
    start, end = site.slice_start(), site.slice_end("end")
    place = _find_column(site, size)
    if place is not None:
        return _replace_column(site, x, part, axis % x.type.rank, *place)
    if not isinstance(size, int) or not isinstance(start, int) or not isinstance(end, int | None):
        raise ImportRefused("changes every few elements of an axis whose size is not known to be a multiple of their distance")
    # The new part is appended to the old tensor, and each position selects from one of the two.
    places = {position: number for number, position in enumerate(range(size)[start:end:step])}
    order = torch.tensor([size + places[position] if position in places else position for position in range(size)])
    both = site.apply_op("concat", x, part, axis=axis)
    return site.apply_op("index_select", both, site.scope.builder.add_node(make_formula_table(to_array(order)))[0], axis=axis)


def _find_column(site: AtenSite, size: Dim) -> tuple[tuple[Dim, int], int] | None:
    """Return the sizes of an axis in rows of which a slice is a column, and the column: `x[:, 1::2]` is column 1 of rows of two elements.
    None if the slice is no whole column."""
    start, end, step = site.slice_start(), site.slice_end("end"), site.integer("step")
    if not isinstance(start, int) or not 0 <= start < step or end not in (None, size):
        return None
    count = site.scope.model.facts.exact_div(size, step)
    return None if count is None else ((count, step), start)


def _replace_column(site: AtenSite, x: Value, part: Value, axis: int, sizes: tuple[Dim, int], column: int) -> Value:
    """Replace a column of an axis that is divided into rows."""
    shape = (*x.type.shape[:axis], *sizes, *x.type.shape[axis + 1 :])
    rows = _find_rows(site, x, shape) or site.apply_op("reshape", x, shape=shape)
    replaced = _replace_part(site, rows, site.apply_op("unsqueeze", part, axis=axis + 1), axis + 1, column, column + 1)
    return site.apply_op("reshape", replaced, shape=x.type.shape)


def find_written_column(site: AtenSite, x: Value, axis: int) -> Value | None:
    """Return what an earlier write put into the elements that a slice reads. None if it put nothing there, or not only there."""
    axis %= x.type.rank
    place = _find_column(site, x.type.shape[axis])
    if place is None:
        return None
    sizes, column = place
    rows = _find_rows(site, x, (*x.type.shape[:axis], *sizes, *x.type.shape[axis + 1 :]))
    pieces = [] if rows is None else _take_written_pieces(site, rows, axis + 1, column, column + 1)
    maker = site.find_maker(pieces[0]) if len(pieces) == 1 else None
    return maker.inputs[0] if has_operator(maker, Unsqueeze) and maker.op.args["axis"] == axis + 1 else None


def _find_rows(site: AtenSite, x: Value, shape: Shape) -> Value | None:
    """Return the rows of this shape that an earlier write flattened to a tensor."""
    maker = site.find_maker(x)
    return maker.inputs[0] if has_operator(maker, Reshape) and maker.inputs[0].type.shape == shape else None


@reads("diagonal_scatter")
def read_diagonal_scatter(site: AtenSite) -> Value:
    """Read a write of the diagonals of matrices as a choice between old and new elements, by a mask of the positions."""
    x, part, offset = site.tensor(), site.tensor("src"), site.integer("offset")
    rank = x.type.rank
    rows, columns = site.integer("dim1") % rank, site.integer("dim2") % rank
    # The elements of the diagonal, one for each row of the matrix: a row that the diagonal does not cross gets a zero that is not chosen.
    before = max(-offset, 0)
    after = x.type.shape[rows] - part.type.shape[-1] - before
    part = part if before == 0 and after == 0 else site.apply_op("pad", part, padding=(before, after))
    order = [*(axis for axis in range(rank) if axis not in (rows, columns)), rows, columns]
    back = tuple(order.index(axis) for axis in range(rank))
    values = site.apply_op("unsqueeze", part, axis=-1)
    values = values if back == tuple(range(rank)) else site.apply_op("permute", values, axes=back)
    return site.apply_op("where", _mark_diagonal(site, x, rows, columns, offset), values, x)


@reads("fill_diagonal")
def read_fill_diagonal(site: AtenSite) -> Value:
    x, value = site.tensor(), site.number("fill_value")
    if x.type.rank != 2 or site.args.get("wrap"):
        raise ImportRefused("fills a diagonal of something other than one matrix")
    return site.apply_op("masked_fill", x, _mark_diagonal(site, x, 0, 1, 0), value=value)


def _mark_diagonal(site: AtenSite, x: Value, rows: int, columns: int, offset: int) -> Value:
    """Return a mask that is true on the diagonals of the matrices in a tensor. It broadcasts to the tensor."""
    first = min(rows, columns)
    shape = tuple(size if axis in (rows, columns) else 1 for axis, size in enumerate(x.type.shape))[first:]
    row: Formula = IndexFormula(rows - first)
    row = BinaryFormula("+", row, Const(offset)) if offset else row
    return make_table(site, shape, BinaryFormula("==", row, IndexFormula(columns - first)), BOOL)
