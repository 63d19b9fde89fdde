"""Pools with two inputs: unpooling by recorded positions, and pooling with windows at random positions.

In: what is pooled, and another tensor: indices, as in `(y, at) = x -> max_pool 2` and later `(z, at) -> max_unpool 2`, or random numbers.
Out: a tensor with other spatial axes. Always: indices count the positions of all spatial axes, as `max_pool` gives them.
"""

from __future__ import annotations

from math import prod

from ..dims import Dim, format_dim
from ..errors.argument_errors import MissingArgument
from ..errors.operator_errors import BadArgument, EmptyResult, WrongRank, WrongSize
from ..errors.problem import STAGE, argument_location, input_location
from ..types.tensor_types import INT64, TensorType, show_shape
from .element_types import FLOATS, LONGS
from .kinds import SIZE, SIZES, SIZES0, ListKind, NumberKind
from .operand import SPATIAL, Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import require_same_size
from .windows import each_axis, wrong_count


class MaxUnpool(Operator):
    """The elements at the positions where `max_pool` found them, and 0 elsewhere. Pass the arguments of the pool.

    Pools of several sizes give the same result size: `output_size` is the size before the pool. Of several elements for one position, any
    one may remain.
    """

    name = "max_unpool"
    spatial = True
    x = Input(FLOATS, SPATIAL)
    # PyTorch refuses int32 here, which it takes as indices elsewhere.
    indices = Input(LONGS, SPATIAL)
    kernel = Arg(SIZES, positional=True, alias="kernel_size")
    stride = Arg(SIZES, default=None)
    padding = Arg(SIZES0, default=0)
    output_size = Arg(ListKind(SIZE, scalar=True, least=1), default=None)
    examples = (
        "x = input 3x8x8; (y, at) = x -> max_pool 2; (y -> relu, at) -> max_unpool 2",
        "x = input 3x9x9; (y, at) = x -> max_pool 2; (y, at) -> max_unpool 2 output_size=[9, 9]",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, indices = inputs.x, inputs.indices
        if indices.rank != x.rank:
            needed = f"indices with as many axes as {show_shape(x.shape)}, {x.rank}"
            raise OperatorError(WrongRank(self.name, needed, indices), inputs.at("indices"))
        for axis in range(x.rank):
            require_same_size(self.name, inputs, ("x", "indices"), axis, "place", f"their axes {axis}")
        usual = self.default_sizes(x)
        shape = (*x.shape[:2], *(usual if self.output_size is None else self._check_sizes(usual, inputs)))
        for axis, size in enumerate(shape):
            if inputs.facts.is_at_least(size, 1) is False:
                raise OperatorError(EmptyResult(self.name, shape, axis), argument_location("padding"))
        return (x.with_shape(shape),)

    def window_sides(self, x: TensorType) -> tuple[tuple[int, int, int], ...]:
        """Return kernel, stride and padding of each spatial axis."""
        kernel = each_axis(self.name, "kernel", self.kernel, x)
        stride = kernel if self.stride is None else each_axis(self.name, "stride", self.stride, x)
        return tuple(zip(kernel, stride, each_axis(self.name, "padding", self.padding, x), strict=True))

    def default_sizes(self, x: TensorType) -> tuple[Dim, ...]:
        """Return the default spatial sizes: the least sizes that hold the last windows."""
        sides = zip(x.shape[2:], self.window_sides(x), strict=True)
        return tuple((size - 1) * stride - 2 * padding + kernel for size, (kernel, stride, padding) in sides)

    def _check_sizes(self, usual: tuple[Dim, ...], inputs: OpInputs) -> tuple[Dim, ...]:
        """Return the given sizes, one for each axis. An error if the pool would give another size for them."""
        assert self.output_size is not None
        sizes = self.output_size * len(usual) if len(self.output_size) == 1 else self.output_size
        if len(sizes) != len(usual):
            raise wrong_count(self.name, "output_size", sizes, inputs.x)
        for size, least, (_, stride, _) in zip(sizes, usual, self.window_sides(inputs.x), strict=True):
            # A pool rounds down, so the sizes within one stride of the default have the same result. PyTorch takes
            # one stride on both sides.
            low, high = inputs.facts.is_at_least(size, least - stride + 1), inputs.facts.is_at_least(least + stride - 1, size)
            if low is False or high is False:
                needed = f"must be above {format_dim(least - stride)} and below {format_dim(least + stride)}"
                raise OperatorError(BadArgument(self.name, "output_size", format_dim(size), needed), argument_location("output_size"))
        return sizes

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class FractionalMaxPool(Operator):
    """The maximum of `size` windows along each of two or three axes, at random positions, and (when unpacked) its index.

    `output_ratio`, instead of `size`, is the number of windows as a share of the axis.
    `samples` are random numbers of 0 to 1, `[N, C, axes]`. Without them PyTorch draws some, in training and in inference; ONNX cannot.
    """

    name = "fractional_max_pool"
    spatial = True
    draws = True
    extras = True
    x = Input(FLOATS, axes("N C ... h w", "[N, C, height, width] or [N, C, depth, height, width]", least=4, most=5))
    samples = Input(FLOATS, axes("N C axes", "[N, C, axes]"), like="x", optional=True)
    kernel = Arg(SIZES, positional=True, alias="kernel_size")
    size = Arg(SIZES, default=None, positional=True, alias="output_size")
    output_ratio = Arg(ListKind(NumberKind(above=0, below=1), scalar=True, least=1), default=None)
    examples = (
        "x = input 3x9x9; s = input 3x2; (x, s -> sigmoid) -> fractional_max_pool 2 5",
        "x = input 3x9x9; s = input 3x2; (x, s -> sigmoid) -> fractional_max_pool 2 output_ratio=0.7",
    )

    def window_sides(self, x: TensorType) -> tuple[tuple[int, int], ...]:
        """Return kernel and number of windows of each spatial axis."""
        kernel = each_axis(self.name, "kernel", self.kernel, x)
        counts = self._window_shares(x) if self.size is None else each_axis(self.name, "size", self.size, x)
        return tuple(zip(kernel, counts, strict=True))

    def axis_ratios(self, x: TensorType) -> tuple[float, ...]:
        """Return the shares, one for each spatial axis."""
        ratio = self.output_ratio
        return ratio * (x.rank - 2) if len(ratio) == 1 else ratio

    def _window_shares(self, x: TensorType) -> tuple[int, ...]:
        """Return the numbers of windows that follow from the sizes of the axes."""
        ratios = self.axis_ratios(x)
        if len(ratios) != x.rank - 2:
            raise wrong_count(self.name, "output_ratio", ratios, x)
        counts = []
        for axis, (size, ratio) in enumerate(zip(x.shape[2:], ratios, strict=True), start=2):
            # PyTorch rounds the product with a float down, which no formula over sizes expresses for every ratio.
            if not isinstance(size, int):
                needed = f"the size of axis {axis} to be known before run time"
                raise OperatorError(
                    WrongSize(self.name, needed, x, "give the number of windows, or fix the size with `--dim`"), input_location(0)
                )
            if not int(size * ratio):
                needed = f"must make one window or more of the {size} along axis {axis} of {x}"
                raise OperatorError(BadArgument(self.name, "output_ratio", f"{ratio:g}", needed), argument_location("output_ratio"))
            counts.append(int(size * ratio))
        return tuple(counts)

    def _check_one(self) -> None:
        """Check that exactly one of `size` and `output_ratio` is given."""
        if self.size is not None and self.output_ratio is not None:
            raise OperatorError(
                BadArgument(self.name, "output_ratio", "both", "cannot be together with `size`"), argument_location("output_ratio")
            )
        if self.size is None and self.output_ratio is None:
            raise OperatorError(MissingArgument(self.name, "size", SIZES.describe_values(), "fractional_max_pool 2 5"), STAGE)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        self._check_one()
        x, sides = inputs.x, self.window_sides(inputs.x)
        strict, name = x.rank == 5, "output_ratio" if self.size is None else "size"
        for axis, (kernel, count) in enumerate(sides, start=2):
            # PyTorch needs one element more with three spatial axes than with two.
            least = kernel + count - 1 + strict
            if inputs.facts.is_at_least(x.shape[axis], least) is False:
                needed = f"must be at most {format_dim(x.shape[axis] - kernel + 1 - strict)} along axis {axis} of {x}"
                raise OperatorError(BadArgument(self.name, name, str(count), needed), argument_location(name))
        if "samples" in inputs:
            for axis, what in enumerate(("their numbers of samples", "their channels")):
                require_same_size(self.name, inputs, ("x", "samples"), axis, "pool", what)
            if inputs.facts.are_equal(inputs.samples.shape[2], len(sides)) is not True:
                raise OperatorError(WrongSize(self.name, f"{len(sides)} numbers for each channel", inputs.samples), inputs.at("samples"))
        values = x.with_shape((*x.shape[:2], *(count for _, count in sides)))
        return values, values.with_dtype(INT64)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * prod(kernel for kernel, _ in self.window_sides(inputs.x))
