"""Stream operators that look at several positions: convolutions, pools, differences, padding, slices and concatenation.

For example, a causal convolution of 3 positions remembers the last 2 elements of the chunk before.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
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
from ...ops.formula import round_to_float32
from ...ops.joining import Concat
from ...ops.operator import Operator, OpInputs
from ...ops.pooling import AvgPool, LpPool, MaxPool
from ...ops.resampling import Upsample
from ...ops.short_time import Stft
from ...ops.slicing import Pad, RepeatInterleave, Select, Slice
from ...ops.windows import Window
from ..edge_padding import find_mirrored_delay, pad_with_elements, resolve_mirror, see_mirrored_window
from ..items import Chunk, FixedTensor, Item, Number
from ..rule_table import stream_rule
from ..stream_site import StreamSite


def _get_chunk(site: StreamSite, index: int = 0) -> Chunk:
    """Return an input that has positions. An operator without one makes them, as many as the whole has."""
    item = site.items[index]
    if not isinstance(item, Chunk):
        site.refuse(f"it depends on the length of the whole, `{site.length.name}`")
    if item.history is not None:
        site.refuse("two of its axes are positions")
    return item


def _bring_parameters(site: StreamSite) -> list[Value]:
    """Return the inputs after the first, which must not change from step to step."""
    if any(isinstance(item, Chunk) for item in site.items[1:]):
        site.refuse("a parameter of it changes with the position")
    return [site.bring_fixed_tensor(item) for item in site.items[1:]]


def _get_convolved_chunk(site: StreamSite) -> Chunk:
    """Return the chunk that a learned window moves over."""
    if isinstance(site.items[0], FixedTensor):
        site.refuse("a parameter of it changes with the position")
    return _get_chunk(site)


def _convolve_samples(site: StreamSite) -> Sequence[Item]:
    """Convolve chunks along the batch axis, where each position is a sample."""
    return site.pass_through(lambda op, given, index: frozenset({1}) if index == 0 else frozenset(range(given.types[index].rank)))


@stream_rule(Conv)
def stream_conv(site: StreamSite) -> Sequence[Item]:
    x = _get_convolved_chunk(site)
    if x.axis < 2:
        return _convolve_samples(site)
    windows = list(site.op.make_windows(site.given.x))
    window = windows[x.axis - 2]
    mode = site.op.padding_mode
    if mode != "zeros" and (window.before or window.after):
        x = pad_with_elements(site, x, window.before, window.after, mode, f"`padding_mode={mode}`")
        window = replace(window, before=0, after=0)
    return _slide_window(site, x, window, _remove_padding(site, windows, x.axis - 2), 0, bool(site.op.bias))


def _remove_padding(site: StreamSite, windows: list[Window], index: int) -> Operator:
    """Return the operator without padding along the stream."""
    windows[index] = replace(windows[index], before=0, after=0)
    # The argument of the operator has one number for both ends of an axis.
    if any(w.before != w.after for w in windows):
        site.refuse("`padding=same` pads another axis more at its end", "pad it before with `-> pad`")
    return site.change_arguments(padding=tuple(w.before for w in windows))


def _slide_window(site: StreamSite, x: Chunk, window: Window, op: Operator, pad: Number, shifts: bool) -> Sequence[Item]:
    """Slide a window over the positions. It looks back: from each position, or with a stride, from the last of each group."""
    length, stride = site.length, window.stride
    _check_multiple(site, "stride", stride)
    # Padding at the end is known only at the end, so elements wait until the next ones replace the padding.
    if window.after:
        x = site.fill_after_end(site.hold_back_tail(x), pad)
    if window.before:
        x = site.pad_front(resolve_mirror(site, x), window.before, pad)
    # A window is complete once its last element exists: P / stride + floor((ahead - span) / stride) + 1 windows are.
    ahead = -((window.span - 1 - x.ahead) // stride)
    if x.mirror:
        ahead = min(ahead, -find_mirrored_delay(x, stride))
    back = x.ahead - ahead * stride
    if x.mirror:
        seen = see_mirrored_window(site, x, back, length.chunk + window.span - stride)
    else:
        seen = site.prepend_past(x, back) if back >= 0 else site.slice_axis(x.value, x.axis, -back, length.chunk)
    value = site.add_with_all_results(op, [seen, *_bring_parameters(site)], site.home)[0]
    axis, over = site.find_axis(0, length.scale_to_rate(length.rate // stride))
    before: Value | Number | None = None
    if ahead > 0:
        plain = not isinstance(x.before, Value) and not x.before and not shifts
        before = 0 if plain else site.add_with_all_results(op, [site.make_before(x), *_bring_parameters(site)], site.home)[0]
    return [replace(x, value=value, axis=axis, ahead=ahead, over=over, before=before, mirror=0)]


def _check_multiple(site: StreamSite, what: str, size: int) -> None:
    """Refuse an operator that makes one position of `size`, unless every chunk has a multiple of `size` positions."""
    if site.length.rate % size:
        needed = site.memory.length.rate * size // gcd(site.length.rate, size)
        site.refuse(f"its {what} is {size}, and a piece may have any number of positions", in_multiples(site.length.name, needed))


@stream_rule(ConvTranspose)
def stream_conv_transpose(site: StreamSite) -> Sequence[Item]:
    """Spread each position over `stride` positions of the result and those after them, which are complete once all inputs have arrived."""
    x = _get_convolved_chunk(site)
    if x.axis < 2:
        return _convolve_samples(site)
    windows, index = site.op.make_windows(site.given.x), x.axis - 2
    window, stride = windows[index], windows[index].stride
    cut, extra = [w.before for w in windows], list(site.op.output_paddings(site.given.x))
    # Along the stream nothing is cut here: the slice below takes the elements that are complete.
    cut[index], extra[index] = 0, max(stride - window.span, 0)
    op = site.change_arguments(padding=tuple(cut), output_padding=tuple(extra))
    x = site.fill_before_start(site.fill_after_end(site.hold_back_tail(x), 0), 0)
    # A number would also fill the places before the first element, from which nothing is spread.
    if x.ahead > 0 and x.before:
        x = replace(x, before=site.make_before(x))
    back, length = (window.span - 1) // stride, site.length.scale_to_rate(site.length.rate * stride)
    padded = site.add_operator(op, site.prepend_past(x, back), *_bring_parameters(site), home=site.home)
    value = site.slice_axis(padded, x.axis, back * stride, back * stride + length.chunk)
    axis, over = site.find_axis(0, length)
    ahead = x.ahead * stride - window.before
    before = None
    if ahead > 0:
        before = site.slice_axis(
            site.add_operator(op, site.make_before(x), *_bring_parameters(site), home=site.home), axis, window.before, x.ahead * stride
        )
    return [replace(x, value=value, axis=axis, ahead=ahead, over=over, before=before)]


def mix_repeated(op: Any, inputs: OpInputs, index: int) -> frozenset[int]:
    x = inputs.types[index]
    # Without an axis, the tensor is flattened, so every axis is mixed.
    return frozenset(range(x.rank)) if op.axis is None else frozenset({normalize_axis(op.name, op.axis, x)})


def mix_resized(op: Any, inputs: OpInputs, index: int) -> frozenset[int]:
    return frozenset(range(2, inputs.types[index].rank))


@stream_rule(RepeatInterleave, mixes=mix_repeated)
def stream_repeat_interleave(site: StreamSite) -> Sequence[Item]:
    """Repeat each position."""
    x, op = _get_chunk(site), site.op
    if op.axis is None:
        site.refuse("it joins the positions with other axes", "name the axis")
    if normalize_axis(op.name, op.axis, site.given.x) != x.axis:
        return site.apply_elementwise()
    return _repeat_positions(site, x, op.repeats)


@stream_rule(Upsample, mixes=mix_resized)
def stream_upsample(site: StreamSite) -> Sequence[Item]:
    """Repeat each position, for the nearest neighbor and an integer factor."""
    x, op = _get_chunk(site), site.op
    if x.axis < 2:
        return site.apply_elementwise()
    factors = op.scale if isinstance(op.scale, tuple) else (op.scale,) * (x.rank - 2)
    if op.mode not in ("nearest", "nearest-exact"):
        site.refuse(f"`mode={op.mode}` mixes neighbors", "use `mode=nearest`")
    if op.scale is None:
        site.refuse("its output size depends on the full length", "give an integer as `scale`")
    factor = factors[x.axis - 2]
    if op.mode == "nearest" and isinstance(factor, int) and not _repeats_evenly(factor):
        site.refuse(f"PyTorch's rounding of 1/{factor} repeats some positions once more than others", "use `mode=nearest_exact`")
    return _repeat_positions(site, x, factor)


def _repeats_evenly(factor: int) -> bool:
    """Whether PyTorch finds each neighbor exactly, as the whole part of the index times `1 / factor` in float32.

    An index `k * factor` becomes `k` times this number. It is rounded to `k` or more if the number is too small by at most 2**-25 of it,
    half the distance to the float32 below a power of 2."""
    return Fraction(round_to_float32(1 / factor)) * factor >= 1 - Fraction(1, 2**25)


def _repeat_positions(site: StreamSite, x: Chunk, count: object) -> Sequence[Item]:
    """Apply the operator, which makes `count` positions of one."""
    if not isinstance(count, int) or count < 1:
        site.refuse("it makes no fixed number of positions of one")
    axis, over = site.find_axis(0, site.length.scale_to_rate(site.length.rate * count))
    before = x.before
    if x.ahead > 0 and isinstance(before, Value):
        before = site.add_operator(site.node.op, before)
    value = site.add_operator(site.node.op, x.value)
    return [replace(x, value=value, axis=axis, ahead=x.ahead * count, over=over, before=before)]


@stream_rule(Stft)
def stream_stft(site: StreamSite) -> Sequence[Item]:
    """Transform windows of the signal. With `center`, the signal is padded first."""
    x, op = _get_chunk(site), site.op
    if x.axis != x.rank - 1:
        return site.pass_through(lambda *_: frozenset({site.given.x.rank - 1}))
    if op.center and op.pad_mode == "constant":
        x = site.pad_front(site.fill_after_end(site.hold_back_tail(resolve_mirror(site, x)), 0), op.edge_size(), 0)
        x = replace(x, over=x.over + op.edge_size())
    elif op.center:
        x = pad_with_elements(site, x, op.edge_size(), op.edge_size(), op.pad_mode, f"`pad_mode={op.pad_mode}`")
    window = Window(op.n_fft, stride=op.hop_size())
    return _slide_window(site, x, window, site.change_arguments(center=False, pad_mode="reflect"), 0, False)


@stream_rule(SlidingWindow)
def stream_sliding_window(site: StreamSite) -> Sequence[Item]:
    x, axis = _get_chunk(site), normalize_axis(site.op.name, site.op.axis, site.given.x)
    if x.axis != axis:
        return site.pass_through(lambda op, given, index: frozenset({axis}))
    return _slide_window(site, x, Window(site.op.size, site.op.step), site.node.op, 0, shifts=False)


@stream_rule(MaxPool, AvgPool, LpPool)
def stream_pool(site: StreamSite) -> Sequence[Item]:
    x = _get_chunk(site)
    if x.axis < 2:
        return site.apply_elementwise()
    windows = list(site.op.make_windows(site.given.x))
    window = windows[x.axis - 2]
    if window.before and not getattr(site.op, "count_include_pad", True):
        site.refuse("`count_include_pad=false` counts the positions that there are")
    if site.op.ceil_mode:
        site.refuse("`ceil_mode` depends on the length of the whole")
    pad: Number = -inf if isinstance(site.op, MaxPool) else 0
    if isinstance(site.op, MaxPool) and not x.value.type.dtype.is_float and window.before:
        site.refuse("integers have no number for padding")
    # LpPool has no padding of its own, so there is none to remove.
    op: Any = site.op
    if not isinstance(site.op, LpPool):
        op = _remove_padding(site, windows, x.axis - 2)
    return _slide_window(site, x, window, op, pad, True)


@stream_rule(Diff)
def stream_diff(site: StreamSite) -> Sequence[Item]:
    x = _get_chunk(site)
    if normalize_axis(site.op.name, site.op.axis, site.given.x) != x.axis:
        return site.apply_elementwise()
    return _slide_window(site, x, Window(site.op.n + 1), site.node.op, 0, True)


@stream_rule(Pad)
def stream_pad(site: StreamSite) -> Sequence[Item]:
    x = _get_chunk(site)
    amounts = dict(site.op.axis_amounts(site.given.x.rank))
    front, after = amounts.pop(x.axis, (0, 0))
    if not isinstance(front, int) or not isinstance(after, int):
        site.refuse("its padding is no number")
    if (front or after) and site.op.mode != "constant":
        return [_pad_with_elements(site, x, amounts, front, after)]
    if any(amounts.values()) and any(any(ends) for ends in amounts.values()):
        x = _pad_other_axes(site, x, amounts)
    _, over = site.find_axis(0)
    if after > 0:
        x = site.fill_after_end(site.hold_back_tail(x), site.op.value)
    if front > 0:
        x = site.pad_front(x, front, site.op.value)
    # A negative amount crops, as in PyTorch.
    elif front < 0:
        x = _crop_front(site, x, -front)
    x = replace(x, over=over)
    return [site.hold_back_tail(x) if after < 0 < front else x]


def _pad_with_elements(site: StreamSite, x: Chunk, amounts: dict[int, tuple[Any, Any]], front: int, after: int) -> Chunk:
    if any(any(ends) for ends in amounts.values()):
        x = _pad_other_axes(site, x, amounts)
    return pad_with_elements(site, x, front, after, site.op.mode, f"`mode={site.op.mode}`")


def _pad_other_axes(site: StreamSite, x: Chunk, amounts: dict[int, tuple[Any, Any]]) -> Chunk:
    """Pad the axes that are not the stream."""
    rank = site.given.x.rank
    sizes = tuple(end for axis in reversed(range(rank)) for end in amounts.get(axis, (0, 0)))
    op = site.change_arguments(padding=sizes)
    before = x.before if x.ahead > 0 else None
    if before is not None:
        before = site.add_operator(op, site.make_before(x))
    return replace(x, value=site.add_operator(op, x.value), before=before)


def _crop_front(site: StreamSite, x: Chunk, count: int) -> Chunk:
    """Remove the first elements of the sequence. The caller sets by how much the result exceeds the stream."""
    moved = replace(x, ahead=x.ahead - count)
    before = x.before if moved.ahead > 0 else None
    if isinstance(before, Value):
        before = site.slice_axis(before, x.axis, count, x.ahead)
    return replace(moved, before=before)


@stream_rule(Slice)
def stream_slice(site: StreamSite) -> Sequence[Item]:
    op, axis = site.op, normalize_axis(site.op.name, site.op.axis, site.given.x)
    if isinstance(site.items[0], FixedTensor):
        return [_slice_fixed_rows(site, axis)]
    x = _get_chunk(site)
    if axis != x.axis:
        return site.pass_through(lambda *_: frozenset())
    if not isinstance(op.start, int) or op.start < 0:
        site.refuse_lookahead(reason="a stream has no end to count from")
    _check_multiple(site, "step", op.step)
    if site.length.scale_to_rate(site.length.rate // op.step).measure_excess(site.node.outputs[0].type.shape[axis]) is None:
        site.refuse("it takes a fixed number of positions of the whole")
    every = site.change_arguments(start=0, stop=None)
    return _slide_window(site, _crop_front(site, x, op.start), Window(1, stride=op.step), every, 0, False)


def _slice_fixed_rows(site: StreamSite, axis: int) -> Chunk:
    """Return the rows of a fixed table for the chunk, or every `step`-th of them."""
    _, over = site.find_axis(0)
    start, stop, step, length = site.op.start, site.op.stop, site.op.step, site.length
    if not isinstance(start, int) or stop is None or start < 0:
        site.refuse("it does not take the first positions")
    table = site.bring_fixed_tensor(site.items[0])

    def slice_rows(first: Dim, last: Dim) -> Value:
        return site.add_operator(Slice(axis=axis, start=start + step * first, stop=start + step * last, step=step), table)

    first = length.past + over
    before = slice_rows(0, over) if over > 0 else None
    return Chunk(slice_rows(first, first + length.chunk), axis, over, over, before)


@stream_rule(Select)
def stream_select(site: StreamSite) -> Sequence[Item]:
    x = _get_chunk(site)
    if normalize_axis(site.op.name, site.op.axis, site.given.x) != x.axis:
        return site.pass_through(lambda *_: frozenset())
    if not isinstance(site.op.index, int) or site.op.index < 0:
        site.refuse_lookahead(reason="a stream has no end to count from")
    return site.refuse("one position is taken for all")


@stream_rule(Concat)
def stream_concat(site: StreamSite) -> Sequence[Item]:
    axis = normalize_axis(site.op.name, site.op.axis, site.given.types[0])
    along = [i for i, x in enumerate(site.items) if isinstance(x, Chunk) and x.axis == axis]
    if not along:
        return site.pass_through(lambda *_: frozenset())
    if len(along) > 1:
        site.refuse_lookahead(reason="what comes second would begin where the first ends, at the end of the stream")
    (at,) = along
    x = _get_chunk(site, at)
    sizes = [t.shape[axis] for t in site.given.types[:at]]
    if not all(isinstance(size, int) for size in sizes):
        site.refuse("the number of positions in front is not known")
    # Fixed elements after the sequence exist only at its end.
    if at + 1 < len(site.items):
        x = _append_fixed_parts(site, site.hold_back_tail(x), axis, at)
    _, over = site.find_axis(0)
    front = sum(size for size in sizes if isinstance(size, int))
    if not front:
        return [replace(x, over=over)]
    if x.ahead < 0:
        site.refuse("the first positions have no element yet")
    parts = [site.bring_fixed_tensor(item) for item in site.items[:at]]
    before = site.concat_parts(axis, *parts, *([site.make_before(x)] if x.ahead else []))
    return [replace(x.shift_ahead(front, over), before=before)]


def _append_fixed_parts(site: StreamSite, x: Chunk, axis: int, at: int) -> Chunk:
    """In a flush, put the fixed elements after the last one of the sequence."""
    if site.memory.lookahead.ending:
        site.refuse("it joins elements to the end of the sequence, and a stream with a look-ahead has no rule for that", "use `pad`")
    return x
