"""Windows that slide over the spatial axes, for convolutions and pools.

In: the arguments `kernel`, `stride`, `padding`, `dilation` as they were written (one number, or one for each axis) and the type of the
input `[N, C, ...]`. Out: one `Window` for each spatial axis, and the sizes it makes. Always: sizes are PyTorch's, symbolic ones too.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import Record

from ..dims import Dim, Facts, SymDim, format_dim
from ..errors.operator_errors import BadArgument, KernelTooLarge, WrongRank
from ..errors.problem import argument_location, input_location
from ..types.tensor_types import TensorType
from .kinds import Kind, SizesKind, WordKind
from .operator import OperatorError

FEATURES = "[N, C, length], [N, C, height, width] or [N, C, depth, height, width]"

Sizes = int | tuple[int, ...]


class Window(Record):
    """A window along one axis: `taps` elements, `dilation` apart, moved by `stride`, over an input that is padded by `before` and `after`
    elements at its ends.

    >>> Window(3, stride=2, before=1, after=1).count_windows(32)
    16
    """

    taps: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def span(self) -> int:
        """The number of elements from the first tap to the last."""
        return self.dilation * (self.taps - 1) + 1

    def padded_size(self, size: Dim) -> Dim:
        return size + self.before + self.after

    def count_windows(self, size: Dim, *, ceil: bool = False) -> Dim:
        """Count the windows that fit an axis of this size. `ceil`: the last window may extend over the end, but not start after the
        input."""
        room = self.padded_size(size) - self.span
        if ceil:
            # Rounding up is adding `stride - 1`. PyTorch drops a last window that would start in the padding after
            # the input: that is the other bound of the minimum. In this form, it is one formula for all sizes,
            # symbolic ones too.
            room = size + self.before - 1 + min(0, self.after + self.stride - self.span)
        return room // self.stride + 1


class PaddingKind(Kind["int | tuple[int, ...] | str"]):
    """Sizes, or a word."""

    varies = True

    def __init__(self, *words: str, low: int | None = 0) -> None:
        self.sizes = SizesKind(low)
        self.word = WordKind(*words)
        self.words = words

    def describe_values(self) -> str:
        return f"{self.word.describe_values()}, or {self.sizes.describe_values()}"

    def convert_value(self, value: object) -> int | tuple[int, ...] | str:
        return self.word.convert_value(value) if isinstance(value, str) else self.sizes.convert_value(value)


def spatial_axes(operator: str, x: TensorType) -> int:
    """Return the number of axes after `[N, C]`, from one to three."""
    if not 3 <= x.rank <= 5:
        raise OperatorError(WrongRank(operator, FEATURES, x), input_location(0))
    return x.rank - 2


def each_axis(operator: str, name: str, value: Sizes, x: TensorType) -> tuple[int, ...]:
    """Return the argument `name` as one number for each spatial axis of `x`."""
    axes = spatial_axes(operator, x)
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise wrong_count(operator, name, value, x)
    return value


def wrong_count(operator: str, name: str, values: Sequence[object], x: TensorType) -> OperatorError:
    """Make the error for a number of values that differs from the number of spatial axes of `x`."""
    axes = x.rank - 2
    needed = "must have one number for each spatial axis" if axes > 1 else "must have one number for the one spatial axis"
    text = [
        format_dim(value) if isinstance(value, SymDim) else f"{value:g}" if isinstance(value, float) else str(value) for value in values
    ]
    shown = "x".join(text) if text and all(isinstance(value, int) for value in values) else f"[{', '.join(text)}]"
    advice = _count_advice(name, values, x)
    common = text[0] if not advice and len(set(text)) == 1 else ""
    if common:
        advice = f"for the same number along every axis, write `{common}`"
    return OperatorError(BadArgument(operator, name, f"{shown} for {x}", needed, advice, common), argument_location(name))


def _count_advice(name: str, values: Sequence[object], x: TensorType) -> str:
    axes = x.rank - 2
    if not values:
        return "write one number for all axes, such as `1`, or remove the argument"
    if len(values) == axes - 1 and name in ("kernel", "size") and x.is_batch and isinstance(x.shape[1], int):
        # PyTorch users write the batch and the channels into the shape: `input 8x3x32x32`.
        image = "x".join(map(format_dim, x.shape[2:]))
        return f"{x} has {axes} spatial axes; if the first size is the batch, leave it out: `input {image}`"
    if len(values) == axes + 1 and name in ("kernel", "size"):
        adds = "`-> unsqueeze 1` before this adds a channel axis" if x.is_batch else "`-> unsqueeze 0` before this adds a batch axis"
        return f"axis 0 is the batch and axis 1 the channels; {adds}"
    return ""


def compute_sizes(operator: str, x: TensorType, windows: tuple[Window, ...], facts: Facts, *, ceil: bool = False) -> tuple[Dim, ...]:
    """Compute the sizes of the result along the spatial axes, which are the last. An error if an axis cannot hold its window."""
    sizes: list[Dim] = []
    first = x.rank - len(windows)
    for axis, (size, window) in enumerate(zip(x.shape[first:], windows, strict=True), start=first):
        count = window.count_windows(size, ceil=ceil)
        if facts.is_at_least(count, 1) is False:
            problem = KernelTooLarge(operator, axis, window.span, size, window.padded_size(size), x)
            raise OperatorError(problem, argument_location("kernel"))
        sizes.append(count)
    return tuple(sizes)
