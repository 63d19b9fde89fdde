"""What looks at several positions: convolutions, pools, differences, padding, slices, and tensors joined."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, inf
from typing import Any

from netc.dsl.record import replace

from ...dims import Dim
from ...errors.stream_errors import in_multiples
from ...ir.graph_values import Value
from ...ops.axes import normalize_axis
from ...ops.convolution import Conv, ConvTranspose
from ...ops.cumulative import Diff
from ...ops.folding import SlidingWindow
from ...ops.joining import Concat
from ...ops.operator import Operator
from ...ops.pooling import AvgPool, LpPool, MaxPool
from ...ops.slicing import Pad, Select, Slice
from ...ops.windows import Window
from ..items import Fixed, Item, Number, Piece
from ..rule_table import rule
from ..stream_site import Site


def _piece(site: Site, index: int = 0) -> Piece:
    item = site.items[index]
    assert isinstance(item, Piece)
    if item.history is not None:
        site.refuse("two of its axes are positions")
    return item


def _rest(site: Site) -> list[Value]:
    """The inputs after the first, which do not change from step to step."""
    if any(isinstance(item, Piece) for item in site.items[1:]):
        site.refuse("a parameter of it changes with the position")
    return [site.fixed(item) for item in site.items[1:]]


def _convolved(site: Site) -> Piece:
    """The piece that a learned window moves over."""
    if isinstance(site.items[0], Fixed):
        site.refuse("a parameter of it changes with the position")
    return _piece(site)


def _of_samples(site: Site) -> Sequence[Item]:
    """A convolution of what has its positions along the batch: each is one of its samples."""
    return site.passed(lambda op, given, index: frozenset({1}) if index == 0 else frozenset(range(given.types[index].rank)))


@rule(Conv)
def convolution(site: Site) -> Sequence[Item]:
    x = _convolved(site)
    if x.axis < 2:
        return _of_samples(site)
    windows = list(site.op.make_windows(site.given.x))
    window = windows[x.axis - 2]
    if site.op.padding_mode != "zeros" and (window.before or window.after):
        site.refuse(f"`padding_mode={site.op.padding_mode}` pads with elements of the whole", "pad with zeros")
    return _slide(site, x, window, _unpadded(site, windows, x.axis - 2), 0, bool(site.op.bias))


def _unpadded(site: Site, windows: list[Window], at: int) -> Operator:
    """The operator without padding along the stream."""
    windows[at] = replace(windows[at], before=0, after=0)
    if any(w.before != w.after for w in windows):
        site.refuse("`padding=same` pads another axis more at its end", "pad it before with `-> pad`")
    return site.changed(padding=tuple(w.before for w in windows))


def _slide(site: Site, x: Piece, window: Window, op: Operator, pad: Number, shifts: bool) -> Sequence[Item]:
    """A window over the positions: of each, those right before it; with a stride, of the last of each group."""
    length, stride = site.length, window.stride
    _whole_groups(site, "stride", stride)
    if window.after:
        x = site.ended(x)
    x = site.padded(x, window.before, pad)
    ahead = -((window.span - 1 - x.ahead) // stride)
    back = x.ahead - ahead * stride
    seen = site.with_past(x, back) if back >= 0 else site.cut(x.value, x.axis, -back, length.piece)
    value = site.put_all(op, [seen, *_rest(site)], site.home)[0]
    axis, over = site.axis_of(0, length.at(length.rate // stride))
    before: Value | Number | None = None
    if ahead > 0:
        plain = not isinstance(x.before, Value) and not x.before and not shifts
        before = 0 if plain else site.put_all(op, [site.before(x), *_rest(site)], site.home)[0]
    return [replace(x, value=value, axis=axis, ahead=ahead, over=over, before=before)]


def _whole_groups(site: Site, what: str, size: int) -> None:
    """Refuses what makes one position of `size`, unless pieces have a multiple of them."""
    if site.length.rate % size:
        needed = site.memory.length.rate * size // gcd(site.length.rate, size)
        site.refuse(f"its {what} is {size}, and a piece may have any number of positions", in_multiples(site.length.name, needed))


@rule(ConvTranspose)
def transposed(site: Site) -> Sequence[Item]:
    """Each position is spread over `stride` of the result and those after them: they are complete once it is there."""
    x = _convolved(site)
    if x.axis < 2:
        return _of_samples(site)
    windows, at = site.op.make_windows(site.given.x), x.axis - 2
    window, stride = windows[at], windows[at].stride
    cut, extra = [w.before for w in windows], list(site.op.output_paddings(site.given.x))
    cut[at], extra[at] = 0, max(stride - window.span, 0)
    op = site.changed(padding=tuple(cut), output_padding=tuple(extra))
    x = site.from_the_start(site.ended(x), 0)
    if x.ahead > 0 and x.before:
        x = replace(x, before=site.before(x))
    back, length = (window.span - 1) // stride, site.length.at(site.length.rate * stride)
    whole = site.put(op, site.with_past(x, back), *_rest(site), home=site.home)
    value = site.cut(whole, x.axis, back * stride, back * stride + length.piece)
    axis, over = site.axis_of(0, length)
    ahead = x.ahead * stride - window.before
    before = None
    if ahead > 0:
        before = site.cut(site.put(op, site.before(x), *_rest(site), home=site.home), axis, window.before, x.ahead * stride)
    return [replace(x, value=value, axis=axis, ahead=ahead, over=over, before=before)]


@rule(SlidingWindow)
def windows_of_an_axis(site: Site) -> Sequence[Item]:
    x, axis = _piece(site), normalize_axis(site.op.name, site.op.axis, site.given.x)
    if x.axis != axis:
        return site.passed(lambda op, given, index: frozenset({axis}))
    return _slide(site, x, Window(site.op.size, site.op.step), site.node.op, 0, shifts=False)


@rule(MaxPool, AvgPool, LpPool)
def pool(site: Site) -> Sequence[Item]:
    x = _piece(site)
    if x.axis < 2:
        return site.elementwise()
    windows = list(site.op.make_windows(site.given.x))
    window = windows[x.axis - 2]
    if window.before and not getattr(site.op, "count_include_pad", True):
        site.refuse("`count_include_pad=false` counts the positions that there are")
    if site.op.ceil_mode:
        site.refuse("`ceil_mode` depends on the length of the whole")
    pad: Number = -inf if isinstance(site.op, MaxPool) else 0
    if isinstance(site.op, MaxPool) and not x.value.type.dtype.is_float and window.before:
        site.refuse("integers have no number for padding")
    op: Any = site.op
    if not isinstance(site.op, LpPool):
        op = _unpadded(site, windows, x.axis - 2)
    return _slide(site, x, window, op, pad, True)


@rule(Diff)
def difference(site: Site) -> Sequence[Item]:
    x = _piece(site)
    if normalize_axis(site.op.name, site.op.axis, site.given.x) != x.axis:
        return site.elementwise()
    return _slide(site, x, Window(site.op.n + 1), site.node.op, 0, True)


@rule(Pad)
def padding(site: Site) -> Sequence[Item]:
    x = _piece(site)
    amounts = dict(site.op.axis_amounts(site.given.x.rank))
    front, after = amounts.pop(x.axis, (0, 0))
    if not isinstance(front, int) or not isinstance(after, int):
        site.refuse("its padding is no number")
    if (front or after) and site.op.mode != "constant":
        site.refuse(f"`mode={site.op.mode}` pads with elements of the whole", "pad with a number")
    if any(amounts.values()) and any(any(ends) for ends in amounts.values()):
        x = _others_padded(site, x, amounts)
    _, over = site.axis_of(0)
    if after > 0:
        x = site.ended(x)
    if front > 0:
        x = site.padded(x, front, site.op.value)
    elif front < 0:
        x = _cut_in_front(site, x, -front)
    x = replace(x, over=over)
    return [site.ended(x) if after < 0 < front else x]


def _others_padded(site: Site, x: Piece, amounts: dict[int, tuple[Any, Any]]) -> Piece:
    """The axes that are not the stream."""
    rank = site.given.x.rank
    sizes = tuple(end for axis in reversed(range(rank)) for end in amounts.get(axis, (0, 0)))
    op = site.changed(padding=sizes)
    before = x.before if x.ahead > 0 else None
    if before is not None:
        before = site.put(op, site.before(x))
    return replace(x, value=site.put(op, x.value), before=before)


def _cut_in_front(site: Site, x: Piece, count: int) -> Piece:
    """Without the first elements of the whole; the caller sets how much longer than the stream the result is."""
    moved = replace(x, ahead=x.ahead - count)
    before = x.before if moved.ahead > 0 else None
    if isinstance(before, Value):
        before = site.cut(before, x.axis, count, x.ahead)
    return replace(moved, before=before)


@rule(Slice)
def part(site: Site) -> Sequence[Item]:
    op, axis = site.op, normalize_axis(site.op.name, site.op.axis, site.given.x)
    if isinstance(site.items[0], Fixed):
        return [_rows(site, axis)]
    x = _piece(site)
    if axis != x.axis:
        return site.passed(lambda *_: frozenset())
    if not isinstance(op.start, int) or op.start < 0:
        site.looks_ahead(reason="a stream has no end to count from")
    _whole_groups(site, "step", op.step)
    if site.length.at(site.length.rate // op.step).over(site.node.outputs[0].type.shape[axis]) is None:
        site.refuse("it takes a fixed number of positions of the whole")
    every = site.changed(start=0, stop=None)
    return _slide(site, _cut_in_front(site, x, op.start), Window(1, stride=op.step), every, 0, False)


def _rows(site: Site, axis: int) -> Piece:
    """The first rows of what is fixed, or every `step`-th of them: those of the piece."""
    _, over = site.axis_of(0)
    start, stop, step, length = site.op.start, site.op.stop, site.op.step, site.length
    if not isinstance(start, int) or stop is None or start < 0:
        site.refuse("it does not take the first positions")
    table = site.fixed(site.items[0])

    def rows(first: Dim, last: Dim) -> Value:
        return site.put(Slice(axis=axis, start=start + step * first, stop=start + step * last, step=step), table)

    first = length.past + over
    before = rows(0, over) if over > 0 else None
    return Piece(rows(first, first + length.piece), axis, over, over, before)


@rule(Select)
def element(site: Site) -> Sequence[Item]:
    x = _piece(site)
    if normalize_axis(site.op.name, site.op.axis, site.given.x) != x.axis:
        return site.passed(lambda *_: frozenset())
    if not isinstance(site.op.index, int) or site.op.index < 0:
        site.looks_ahead(reason="a stream has no end to count from")
    return site.refuse("one position is taken for all")


@rule(Concat)
def joined(site: Site) -> Sequence[Item]:
    axis = normalize_axis(site.op.name, site.op.axis, site.given.types[0])
    along = [i for i, x in enumerate(site.items) if isinstance(x, Piece) and x.axis == axis]
    if not along:
        return site.passed(lambda *_: frozenset())
    if len(along) > 1:
        site.looks_ahead(reason="what comes second would begin where the first ends, at the end of the stream")
    (at,) = along
    x = _piece(site, at)
    sizes = [t.shape[axis] for t in site.given.types[:at]]
    if not all(isinstance(size, int) for size in sizes):
        site.refuse("the number of positions in front is not known")
    if at + 1 < len(site.items):
        x = site.ended(x)
    _, over = site.axis_of(0)
    front = sum(size for size in sizes if isinstance(size, int))
    if not front:
        return [replace(x, over=over)]
    if x.ahead < 0:
        site.refuse("the first positions have no element yet")
    parts = [site.fixed(item) for item in site.items[:at]]
    before = site.join(axis, *parts, *([site.before(x)] if x.ahead else []))
    return [replace(x.shifted(front, over), before=before)]
