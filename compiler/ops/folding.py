"""Move blocks of an image into channels and back, and the windows of an axis into another axis.

In: tensors whose last axes are spatial, after the channels. Out: the same elements in other positions. `unfold` repeats the elements that
several blocks share, and `fold` sums them.
"""

from __future__ import annotations

from math import prod

from ..dims import Dim, format_dim, suggest_divisibility, suggest_equality
from ..errors.operator_errors import BadArgument, NotDivisible, Unprovable, UnprovableMultiple, WrongRank, WrongSize
from ..errors.problem import argument_location
from ..types.tensor_types import TensorType, show_shape
from .axes import normalize_axis
from .element_types import ANY, BOOLS, FLOATS
from .kinds import AXIS, COUNT, SIZE, SIZES, SIZES0, ListKind
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .shape import Layout
from .windows import Window, compute_sizes


def exact_quotient(operator: str, size: Dim, noun: str, by: int, blocks: str, inputs: OpInputs, name: str) -> Dim:
    """Return `size / by`, or refuse it if it is not an integer. For the message, `noun` is a word such as `channels`, and `blocks` a phrase
    such as `blocks of 2x2`."""
    # `exact_div` also divides symbolic sizes: `12 * H` channels by 4 are `3 * H`.
    quotient = inputs.facts.exact_div(size, by)
    if quotient is not None:
        return quotient
    if inputs.facts.divides(by, size) is False:
        raise OperatorError(NotDivisible(operator, blocks, f"{format_dim(size)} {noun}"), argument_location(name))
    raise OperatorError(UnprovableMultiple(operator, by, size, suggest_divisibility(by, size)), argument_location(name))


IMAGES = axes("... C H W", "[..., C, height, width]")


class PixelShuffle(Layout):
    """Channels become blocks of `r` by `r`: `[..., C * r * r, H, W]` becomes `[..., C, H * r, W * r]`."""

    name = "pixel_shuffle"
    spatial = True
    x = Input(ANY, IMAGES)
    r = Arg(COUNT, positional=True, alias="upscale_factor")
    examples = ("input 12xHxW -> pixel_shuffle 2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        *before, channels, height, width = x.shape
        fewer = exact_quotient(self.name, channels, "channels", self.r * self.r, f"blocks of {self.r}x{self.r}", inputs, "r")
        return (x.with_shape((*before, fewer, height * self.r, width * self.r)),)


class PixelUnshuffle(Layout):
    """Blocks of `r` by `r` become channels: `[..., C, H * r, W * r]` becomes `[..., C * r * r, H, W]`."""

    name = "pixel_unshuffle"
    spatial = True
    x = Input(ANY, IMAGES)
    r = Arg(COUNT, positional=True, alias="downscale_factor")
    examples = ("input 3x8x8 -> pixel_unshuffle 2", "input 3xHxW where H % 2 == 0, W % 2 == 0 -> pixel_unshuffle 2")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        *before, channels, height, width = x.shape
        blocks = f"blocks of {self.r}x{self.r}"
        high = exact_quotient(self.name, height, "rows", self.r, blocks, inputs, "r")
        wide = exact_quotient(self.name, width, "columns", self.r, blocks, inputs, "r")
        return (x.with_shape((*before, channels * self.r * self.r, high, wide)),)


class ChannelShuffle(Layout):
    """Interleaves groups of channels: the first of each of the `groups`, then the second of each."""

    name = "channel_shuffle"
    spatial = True
    x = Input(ANY, axes("N C ...", "[N, C, ...] with at least three axes", least=3))
    groups = Arg(COUNT, positional=True)
    examples = ("input 8x4x4 -> channel_shuffle 2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        self.group_width(inputs)
        return (x,)

    def group_width(self, inputs: OpInputs) -> Dim:
        """Return the number of channels in a group."""
        return exact_quotient(self.name, inputs.x.shape[1], "channels", self.groups, f"{self.groups} groups", inputs, "groups")


def _image_or_batch(operator: str, inputs: OpInputs, rank: int, needed: str) -> TensorType:
    """Return the input, which must be a batch with `rank` axes or a single sample. A batch with fewer axes is refused."""
    x = inputs.x
    # `[N, H, W]` without channels has the rank of a single image `[C, H, W]`: its axis N tells them apart.
    if x.rank != rank and x.is_batch:
        raise OperatorError(WrongRank(operator, needed, x), inputs.at("x"))
    return x


class _Blocks(Operator):
    """The base of both directions: the positions of blocks in an image, by `kernel`, `dilation`, `padding` and `stride`."""

    def expand_pair(self, name: str) -> tuple[int, ...]:
        """Return an argument as one number for each of the two axes of the image."""
        value: int | tuple[int, ...] = self.args[name]
        pair = (value, value) if isinstance(value, int) else value
        if len(pair) != 2:
            needed = "must be one number, or one for each of the two axes of the image"
            raise OperatorError(BadArgument(self.name, name, "x".join(map(str, pair)), needed), argument_location(name))
        return pair

    def make_windows(self) -> tuple[Window, ...]:
        """Make the windows of the two axes of the image."""
        sides = (self.expand_pair(name) for name in ("kernel", "stride", "dilation", "padding", "padding"))
        return tuple(Window(*of_axis) for of_axis in zip(*sides, strict=True))


class Unfold(_Blocks):
    """The blocks of an image, each a column: `[N, C, H, W]` becomes `[N, C * kernel, blocks]`. A single image has no `N`."""

    name = "unfold"
    # PyTorch's kernels have floats and booleans, and no integers.
    x = Input(FLOATS | BOOLS, axes("... C H W", "[N, C, height, width]", most=4))
    kernel = Arg(SIZES, positional=True, alias="kernel_size")
    dilation = Arg(SIZES, default=1)
    padding = Arg(SIZES0, default=0)
    stride = Arg(SIZES, default=1)
    examples = ("input 3x8x8 -> unfold 2x2 stride=2", "input 3xHxW -> unfold 3 padding=1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = _image_or_batch(self.name, inputs, 4, "[N, C, height, width]")
        *batch, channels, _, _ = x.shape
        high, wide = self.count_blocks(inputs)
        return (x.with_shape((*batch, channels * prod(self.expand_pair("kernel")), high * wide)),)

    def count_blocks(self, inputs: OpInputs) -> tuple[Dim, ...]:
        """Count the blocks along each axis of the image."""
        return compute_sizes(self.name, inputs.x, self.make_windows(), inputs.facts)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class Fold(_Blocks):
    """An image of the sum of blocks, each a column: `[N, C * kernel, blocks]` becomes `[N, C, height, width]`. A single one has no `N`."""

    name = "fold"
    spatial = True
    x = Input(FLOATS | BOOLS, axes("... C blocks", "[N, C * kernel, blocks]", most=3))
    output_size = Arg(ListKind(SIZE, scalar=True, least=1), positional=True)
    kernel = Arg(SIZES, positional=True, alias="kernel_size")
    dilation = Arg(SIZES, default=1)
    padding = Arg(SIZES0, default=0)
    stride = Arg(SIZES, default=1)
    examples = ("input [12, 16] -> fold 8x8 2 stride=2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = _image_or_batch(self.name, inputs, 3, "[N, C * kernel, blocks]")
        *batch, columns, _ = x.shape
        kernel = self.expand_pair("kernel")
        shown = "x".join(map(str, kernel))
        # A column has one element of each channel for each tap of the kernel.
        channels = exact_quotient(self.name, columns, "channels", prod(kernel), f"blocks of {shown}", inputs, "kernel")
        image = x.with_shape((*batch, channels, *self.image_size()))
        high, wide = compute_sizes(self.name, image, self.make_windows(), inputs.facts)
        self._refuse_unless_as_many(high * wide, inputs)
        return (image,)

    def image_size(self) -> tuple[Dim, ...]:
        """Return height and width of the image."""
        size = self.output_size * 2 if len(self.output_size) == 1 else self.output_size
        if len(size) != 2:
            shown = "[" + ", ".join(map(format_dim, size)) + "]"
            needed = "must be one number, or one for each of the two axes of the image"
            raise OperatorError(BadArgument(self.name, "output_size", shown, needed), argument_location("output_size"))
        return size

    def _refuse_unless_as_many(self, blocks: Dim, inputs: OpInputs) -> None:
        x = inputs.x
        same = inputs.facts.are_equal(x.shape[-1], blocks)
        if same is False:
            needed = f"as many columns as there are blocks in {show_shape(self.image_size())}, {format_dim(blocks)}"
            raise OperatorError(WrongSize(self.name, needed, x), inputs.at("x"))
        if same is None:
            need = f"axis {x.rank - 1} must be the number of blocks"
            raise OperatorError(
                Unprovable(self.name, x.shape[-1], blocks, need, suggest_equality(x.shape[-1], blocks) or "", (0, 0)), inputs.at("x")
            )

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One operation for each element that is added."""
        return numel(inputs.x.shape)


class SlidingWindow(Layout):
    """The windows of `size` elements of an axis, `step` apart: they are a new last axis, and the axis counts them.

    What PyTorch calls `unfold` of a tensor; `unfold` here takes the blocks of an image.
    """

    name = "sliding_window"
    x = Input(ANY, axes("... n", "at least one axis"))
    axis = Arg(AXIS, positional=True, alias="dimension")
    size = Arg(COUNT, positional=True)
    step = Arg(COUNT, default=1, positional=True)
    examples = ("input [16] -> sliding_window 1 4 2", "input [T, 80] where T >= 5 -> sliding_window axis=1 size=5")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axis = normalize_axis(self.name, self.axis, x)
        count = Window(self.size, self.step).count_windows(x.shape[axis])
        if inputs.facts.is_at_least(count, 1) is False:
            needed = f"must be at most {format_dim(x.shape[axis])}, the size of axis {axis} of {show_shape(x.shape)}"
            raise OperatorError(BadArgument(self.name, "size", str(self.size), needed), argument_location("size"))
        return (x.with_shape((*x.shape[:axis], count, *x.shape[axis + 1 :], self.size)),)
