"""Folds means and maxima over evenly spread windows of a symbolic axis into `adaptive_avg_pool` or `adaptive_max_pool`.

ONNX has no adaptive pools, so netc's ONNX backend writes them out (adaptive_windows.py). This reads them back.

In: a graph without calls, and one of its nodes. Out: whether the node became one operator. Always: the edges of the windows, and the number
of positions that are looked up, equal the operator's for every size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from netc.dsl.record import Record

from ...dims import Dim, dim_max
from ...ir.graph import OpNode
from ...ir.graph_values import Value
from ...ops.arithmetic import Add, Div, Minimum
from ...ops.comparison import Lt, Where
from ...ops.constants import TableOperator
from ...ops.indexing import IndexSelect
from ...ops.pooling import AdaptiveAvgPool, AdaptiveMaxPool
from ...ops.reduction import Max, Sum
from ...ops.shape import Cast, Flatten, Reshape, Unflatten, Unsqueeze
from ..graph_view import GraphView
from .emitter import list_formula, range_formula


class Windows(Record):
    """The windows of one axis of a tensor, and their number."""

    x: Value
    axis: int
    count: int

    @property
    def firsts(self) -> list[Dim]:
        size = self.x.type.shape[self.axis]
        return [i * size // self.count for i in range(self.count)]

    @property
    def stops(self) -> list[Dim]:
        size = self.x.type.shape[self.axis]
        return [((i + 1) * size + self.count - 1) // self.count for i in range(self.count)]

    @property
    def lengths(self) -> list[Dim]:
        return [stop - first for first, stop in zip(self.firsts, self.stops, strict=True)]


def fold_adaptive_pool(view: GraphView, node: OpNode) -> bool:
    """Fold the means, or the maxima, over windows of one axis after another into one pool."""
    for pool, step in ((AdaptiveAvgPool, _match_means), (AdaptiveMaxPool, _match_maxima)):
        x, counts = node.outputs[0], dict[int, int]()
        while (windows := step(view, x)) is not None:
            x = windows.x
            counts[windows.axis] = windows.count
        sizes = [counts.get(axis, size) for axis, size in enumerate(x.type.shape)][2:]
        # A pool does not reduce the batch or the channels.
        if counts and min(counts) > 1 and all(isinstance(size, int) for size in sizes):
            return view.replace_operator(node, pool(size=tuple(sizes)), (x,))
    return False


def _match_means(view: GraphView, value: Value) -> Windows | None:
    """Match `sum(where(inside, x[positions], 0)) / lengths`."""
    quotient = view.match_maker(value, Div)
    total = view.match_maker(quotient.inputs[0], Sum) if quotient is not None and len(quotient.inputs) == 2 else None
    chosen = view.match_maker(total.inputs[0], Where) if total is not None else None
    if quotient is None or total is None or chosen is None or len(chosen.inputs) != 2:
        return None
    windows, lengths = _match_windows(view, chosen.inputs[1], total), view.match_maker(quotient.inputs[1], Cast)
    if windows is None or lengths is None or chosen.op.args.get("other") != 0 or chosen.op.args.get("reverse"):
        return None
    after = value.type.rank - 1 - windows.axis
    same = _is_list(view, lengths.inputs[0], windows.lengths, after) and _matches_inside_mask(view, windows, chosen.inputs[0], after)
    return windows if same else None


def _match_maxima(view: GraphView, value: Value) -> Windows | None:
    """Match `max(x[positions])`. Positions after the end of a window repeat its last one."""
    total = view.match_maker(value, Max)
    return None if total is None else _match_windows(view, total.inputs[0], total)


def _match_windows(view: GraphView, value: Value, total: OpNode) -> Windows | None:
    """Match the windows of `x[positions]` whose second axis an operator reduces."""
    unflatten = view.match_maker(value, Unflatten)
    lookup = view.match_maker(unflatten.inputs[0], IndexSelect) if unflatten is not None else None
    positions = view.match_maker(lookup.inputs[1], Reshape, Flatten) if lookup is not None else None
    if lookup is None or positions is None or total.op.args.get("keepdim"):
        return None
    x = lookup.inputs[0]
    axis = lookup.op.args["axis"] % x.type.rank
    count = value.type.shape[axis]
    if not isinstance(count, int) or isinstance(x.type.shape[axis], int) or total.op.args.get("axis") not in (axis + 1, (axis + 1,)):
        return None
    windows = Windows(x, axis, count)
    same = value.type.shape[axis : axis + 2] == _get_positions_shape(windows) and _matches_clamped_positions(
        view, windows, positions.inputs[0]
    )
    return windows if same else None


def _get_positions_shape(windows: Windows) -> tuple[Dim, ...]:
    """Return the shape of the positions: the number of windows, and the length of the longest one."""
    return windows.count, reduce(dim_max, windows.lengths)


def _matches_clamped_positions(view: GraphView, windows: Windows, value: Value) -> bool:
    """Return whether a tensor is `minimum(first + step, stop - 1)`: no position is after its window."""
    node = view.match_maker(value, Minimum)
    if node is None or len(node.inputs) != 2:
        return False
    return _matches_steps(view, windows, node.inputs[0]) and _is_list(view, node.inputs[1], [stop - 1 for stop in windows.stops], 1)


def _matches_inside_mask(view: GraphView, windows: Windows, value: Value, after: int) -> bool:
    """Return whether a tensor is `first + step < stop`, with an axis of 1 for each axis after the pooled one."""
    node = view.match_maker(value, Lt, Unsqueeze)
    while node is not None and node.op.name == "unsqueeze":
        node = view.match_maker(node.inputs[0], Lt, Unsqueeze)
    if node is None or len(node.inputs) != 2 or value.type.shape != (*_get_positions_shape(windows), *[1] * after):
        return False
    return _matches_steps(view, windows, node.inputs[0]) and _is_list(view, node.inputs[1], windows.stops, 1)


def _matches_steps(view: GraphView, windows: Windows, value: Value) -> bool:
    """Return whether a tensor is `first + step` for every step of the longest window."""
    node = view.match_maker(value, Add)
    if node is None or len(node.inputs) != 2:
        return False
    steps = view.match_maker(node.inputs[1], TableOperator)
    counted = (
        steps is not None
        and steps.outputs[0].type.shape == _get_positions_shape(windows)[1:]
        and steps.op.args["formula"] == range_formula(0, 0, 1)
    )
    return counted and _is_list(view, node.inputs[0], windows.firsts, 1)


def _is_list(view: GraphView, value: Value, sizes: Sequence[Dim], after: int) -> bool:
    """Return whether a table has these sizes along its first axis, and axes of 1 after it."""
    node, shape = view.match_maker(value, TableOperator), (len(sizes), *[1] * after)
    return node is not None and value.type.shape == shape and node.op.args["formula"] == list_formula(sizes, shape)
