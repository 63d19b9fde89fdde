"""Operators of detection and segmentation, which look at an image at positions between its pixels.

In: images, and tensors that say where to look. Out: one tensor. Always: the values there are interpolated linearly. These are
torchvision's; the emitted source has them in plain PyTorch.
"""

from __future__ import annotations

from math import prod

from ..dims import Dim, format_dim, suggest_equality
from ..errors.operator_errors import NotDivisible, Unprovable, WrongSize
from ..errors.problem import STAGE, argument_location
from ..types.tensor_types import TensorType
from .convolution import Conv
from .element_types import FLOATS
from .kinds import COUNT, FLAG, NUMBER, SIZE, SIZES, SIZES0, IntKind
from .learned_tensors import weight_and_bias
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, ParameterSpec, numel
from .parametric import WithBias
from .requirements import count_of
from .windows import Window, compute_sizes, each_axis

IMAGES = axes("N C H W", "[N, C, height, width]")


def _require_size(operator: str, inputs: OpInputs, name: str, axis: int, size: Dim, what: str) -> None:
    """Refuse the input `name` unless its axis has that size. `what` names the size: `as many rows as the result`."""
    tensor = inputs[name]
    same = inputs.facts.are_equal(tensor.shape[axis], size)
    if same is False:
        raise OperatorError(WrongSize(operator, f"{what}, {format_dim(size)} along axis {axis}", tensor), inputs.at(name))
    if same is None:
        need = f"axis {axis} must be {what}"
        positions = (inputs.position(name), 0)
        raise OperatorError(
            Unprovable(operator, tensor.shape[axis], size, need, suggest_equality(tensor.shape[axis], size) or "", positions), STAGE
        )


class DeformConv(WithBias):
    """A convolution of an image whose taps are moved by `offset`, and weighted by `mask` if there is one.

    The offset is `[N, 2 * groups * kernel, height, width]` of the result: for each tap, how far it is moved down and to the right, where
    groups of channels may have their own offsets. The mask is `[N, groups * kernel, height, width]`. Outside the image everything is 0.
    """

    name = "deform_conv"
    drawn = Conv.drawn
    takes_activation = True
    spatial = True
    x = Input(FLOATS, IMAGES)
    offset = Input(FLOATS, axes("N offsets h w", "[N, 2 * groups * kernel, height, width]"), like="x")
    mask = Input(FLOATS, axes("N masks h w", "[N, groups * kernel, height, width]"), like="x", optional=True)
    channels = Arg(SIZE, positional=True, alias="out_channels")
    kernel = Arg(SIZES, positional=True, alias="kernel_size")
    stride = Arg(SIZES, default=1)
    padding = Arg(SIZES0, default=0)
    dilation = Arg(SIZES, default=1)
    groups = Arg(COUNT, default=1)
    bias = Arg(FLAG, default=True)
    examples = (
        "x = input 3x8x8; at = x -> conv 18 3x3 padding=1 as offset; (x, at) -> deform_conv 4 3x3 padding=1 relu",
        "x = input 3x8x8; at = x -> conv 18 3x3 as offset; m = x -> conv 9 3x3 sigmoid as mask; (x, at, m) -> deform_conv 4 3x3",
    )

    def make_windows(self, x: TensorType) -> tuple[Window, ...]:
        """Make the windows of the spatial axes."""
        names = ("kernel", "stride", "dilation", "padding", "padding")
        sides = [each_axis(self.name, name, self.args[name], x) for name in names]
        return tuple(Window(*of_axis) for of_axis in zip(*sides, strict=True))

    def count_taps(self) -> int:
        """Count the taps of one channel."""
        return self.kernel**2 if isinstance(self.kernel, int) else prod(self.kernel)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, taps = inputs.x, self.count_taps()
        sizes = compute_sizes(self.name, x, self.make_windows(x), inputs.facts)
        for count, which, name in ((x.shape[1], "input", "groups"), (self.channels, "output", "channels")):
            if isinstance(count, int) and count % self.groups:
                both = (x.shape[1], self.channels)
                what, position = count_of(count, f"{which} channel"), 0 if which == "input" else None
                problem = NotDivisible(self.name, f"{self.groups} groups", what, at=position, divided=both, number=self.groups)
                raise OperatorError(problem, argument_location(name))
        groups = self.offset_groups(inputs)
        counts = {"offset": 2 * groups * taps, "mask": groups * taps}
        for name in inputs.names[1:]:
            _require_size(self.name, inputs, name, 0, x.shape[0], "the size of the batch")
            _require_size(self.name, inputs, name, 1, counts[name], f"{counts[name] // groups} for each group of channels")
            for axis, size in enumerate(sizes, start=2):
                _require_size(self.name, inputs, name, axis, size, "the size of the result")
        return (x.with_shape((x.shape[0], self.channels, *sizes)),)

    def offset_groups(self, inputs: OpInputs) -> int:
        """Return the number of groups of channels with their own offsets."""
        size, channels = inputs.offset.shape[1], inputs.x.shape[1]
        # The number of groups is not an argument: as in torchvision, it follows from the size of the offset.
        each = 2 * self.count_taps()
        if not isinstance(size, int) or size % each:
            needed = f"a multiple of {each} along axis 1, two for each tap"
            raise OperatorError(WrongSize(self.name, needed, inputs.offset), inputs.at("offset"))
        groups = size // each
        if isinstance(channels, int) and channels % groups:
            raise OperatorError(NotDivisible(self.name, f"{groups} groups of offsets", f"{channels} channels"), inputs.at("offset"))
        return groups

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        features = x.shape[1] // self.groups
        kernel = tuple(window.taps for window in self.make_windows(x))
        return weight_and_bias((self.channels, features, *kernel), self.channels, features * self.count_taps(), x.dtype, self.bias)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The operations of a convolution, and four products for each interpolated value."""
        values = numel((*results[0].shape[:1], inputs.x.shape[1], *results[0].shape[2:])) * self.count_taps()
        added = numel(results[0].shape) if self.bias else 0
        return 2 * self.count_multiply_adds(inputs, results) + 8 * values + added

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * (inputs.x.shape[1] // self.groups) * self.count_taps()


class RoiAlign(Operator):
    """Boxes of images as small images of one size: `[N, C, H, W]` and boxes `[K, 5]` make `[K, C, size]`.

    A box is the number of its image, and its left, upper, right and lower end; `scale` times these are pixels. Each element is the mean of
    `sampling_ratio` by `sampling_ratio` points; of 0, of about one point for each pixel that the element covers, which depends on the box.
    With `aligned`, a pixel is around its coordinates, not to the right and below.
    """

    name = "roi_align"
    spatial = True
    x = Input(FLOATS, IMAGES)
    boxes = Input(FLOATS, axes("K five", "[boxes, 5]"), like="x")
    size = Arg(SIZES, positional=True, alias="output_size")
    scale = Arg(NUMBER, default=1.0, alias="spatial_scale")
    sampling_ratio = Arg(IntKind(varies=True), default=2)
    aligned = Arg(FLAG, default=False)
    examples = (
        "x = input 8x9x9; image = param [6, 1] init=zeros trainable=false as image; boxes = input [6, 4] batch=false; "
        "(x, (image, boxes) -> concat axis=1) -> roi_align 7x7 scale=0.25",
    )

    def result_sizes(self, x: TensorType) -> tuple[int, int]:
        """Return height and width of the result."""
        high, wide = each_axis(self.name, "size", self.size, x)
        return high, wide

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, boxes = inputs.x, inputs.boxes
        _require_size(self.name, inputs, "boxes", 1, 5, "the number of an image and four ends")
        return (x.with_shape((boxes.shape[0], x.shape[1], *self.result_sizes(x))),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Four products and a sum for each point. If the number of points depends on the boxes, one point for each element."""
        return 8 * max(self.sampling_ratio, 1) ** 2 * numel(results[0].shape)
