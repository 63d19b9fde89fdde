"""Convolutions of `[N, C, ...]` with one to three spatial axes, and their transposes."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from ..dims import Dim, Facts
from ..errors.operator_errors import BadArgument, EmptyResult, NotDivisible
from ..errors.problem import argument_location
from ..types.tensor_types import TensorType
from .element_types import FLOATS
from .kinds import COUNT, FLAG, SIZE, SIZES, SIZES0, WordKind
from .learned_tensors import weight_and_bias
from .operand import SPATIAL, Input
from .operator import Arg, OperatorError, OpInputs, ParameterSpec, numel
from .parametric import WithBias
from .requirements import count_of, require_elements
from .windows import PaddingKind, Window, compute_sizes, each_axis


class _Convolution(WithBias):
    """The base of both convolutions: their inputs, arguments and groups."""

    takes_activation = True
    spatial = True
    as_tensors = ("weight", "bias")
    x = Input(FLOATS, SPATIAL)
    channels = Arg(SIZE, positional=True, alias="out_channels")
    kernel = Arg(SIZES, positional=True, alias="kernel_size")
    stride = Arg(SIZES, default=1)
    groups = Arg(COUNT, default=1)
    bias = Arg(FLAG, default=True)
    dilation = Arg(SIZES, default=1)

    def _check_input(self, inputs: OpInputs) -> TensorType:
        x = inputs.x
        self._check_groups(x, x.shape[1], "input")
        self._check_groups(x, self.channels, "output")
        return x

    def _check_groups(self, x: TensorType, channels: Dim, which: str) -> None:
        """Refuse groups that do not divide the channels. Symbolic channels are refused later, with the parameters that they would need."""
        if isinstance(channels, int) and channels % self.groups:
            position = 0 if which == "input" else None
            both = (x.shape[1], self.channels)
            what = count_of(channels, f"{which} channel")
            problem = NotDivisible(self.name, f"{self.groups} groups", what, at=position, divided=both, number=self.groups)
            raise OperatorError(problem, argument_location("groups" if which == "input" else "channels"))

    def _kernel_sizes(self, x: TensorType) -> tuple[int, ...]:
        return each_axis(self.name, "kernel", self.kernel, x)


class Conv(_Convolution):
    """Convolution over one, two or three spatial axes. Negative `padding` cuts off, where `padding_mode` is not `zeros`."""

    name = "conv"
    drawn = "uniform within +-1 / sqrt(fan in): `init=kaiming_uniform(a=sqrt(5))` for the weight, and the same bounds for the bias"
    padding = Arg(PaddingKind("same", "valid", low=None), default=0)
    padding_mode = Arg(WordKind("zeros", "reflect", "replicate", "circular"), default="zeros", only_with=("padding",))
    examples = ("input 3x32x32 -> conv 8 3x3 relu padding=1", "input 1xT -> conv 4 5 padding=same")

    def make_windows(self, x: TensorType) -> tuple[Window, ...]:
        """Make the windows of the spatial axes. `same` with an even span pads one more element after than before, as in PyTorch."""
        kernel = self._kernel_sizes(x)
        stride = each_axis(self.name, "stride", self.stride, x)
        dilation = each_axis(self.name, "dilation", self.dilation, x)
        if self.padding == "same":
            total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
            before, after = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        else:
            sizes = 0 if isinstance(self.padding, str) else self.padding
            before = after = each_axis(self.name, "padding", sizes, x)
        return tuple(Window(*sides) for sides in zip(kernel, stride, dilation, before, after, strict=True))

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = self._check_input(inputs)
        windows = self.make_windows(x)
        stride = max(w.stride for w in windows)
        # `F.conv2d` refuses a stride with "same": the padding that keeps sizes divided by it would depend on the size of the input.
        if self.padding == "same" and stride != 1:
            problem = BadArgument(self.name, "stride", str(stride), "must be 1 with `padding=same`", self._suggest_padding(windows))
            raise OperatorError(problem, argument_location("stride"))
        self._check_padding(x, windows, inputs.facts)
        return (x.with_shape((x.shape[0], self.channels, *compute_sizes(self.name, x, windows, inputs.facts))),)

    @staticmethod
    def _suggest_padding(windows: tuple[Window, ...]) -> str:
        """Suggest explicit padding instead of `same`: half the span, if the span is odd."""
        if any(w.before != w.after for w in windows):
            return ""
        sizes = [w.before for w in windows]
        if len(set(sizes)) == 1:
            sizes = sizes[:1]
        return f"with `padding={'x'.join(map(str, sizes))}`, each size is divided by the stride and rounded up"

    # Each mode pads with elements of the input: this many must be there.
    _needs: ClassVar[dict[str, tuple[int, str]]] = {"reflect": (1, "less than"), "circular": (0, "at most")}

    def _check_padding(self, x: TensorType, windows: tuple[Window, ...], facts: Facts) -> None:
        least = min(window.before for window in windows)
        # PyTorch's convolutions refuse negative padding. The other modes pad by `F.pad` first, which cuts off.
        if self.padding_mode == "zeros" and least < 0:
            needed = "must be at least 0 with `padding_mode=zeros`"
            raise OperatorError(
                BadArgument(self.name, "padding", str(least), needed, "cut off with `-> pad [-1, -1]` before"), argument_location("padding")
            )
        if self.padding_mode not in self._needs:
            return
        more, words = self._needs[self.padding_mode]
        for axis, (size, window) in enumerate(zip(x.shape[2:], windows, strict=True), start=2):
            most = max(window.before, window.after)
            if most > 0 and facts.is_at_least(size, most + more) is False:
                needed = f"must be {words} the size of axis {axis} with `padding_mode={self.padding_mode}`"
                raise OperatorError(BadArgument(self.name, "padding", f"{most} for {x}", needed), argument_location("padding"))

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        kernel = self._kernel_sizes(x)
        inner = x.shape[1] // self.groups
        return weight_and_bias((self.channels, inner, *kernel), self.channels, inner * prod(kernel), x.dtype, self.bias)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.count_multiply_adds(inputs, results) + (numel(results[0].shape) if self.has_bias(inputs) else 0)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        x = inputs.x
        return numel(results[0].shape) * (x.shape[1] // self.groups) * prod(self._kernel_sizes(x))


class ConvTranspose(_Convolution):
    """Transposed convolution: each element of the input is spread over a window of the result."""

    name = "conv_transpose"
    drawn = "uniform within +-1 / sqrt(fan in): `init=kaiming_uniform(a=sqrt(5))` for the weight, and the same bounds for the bias"
    padding = Arg(SIZES0, default=0)
    output_padding = Arg(SIZES0, default=0)
    examples = ("input 8x16x16 -> conv_transpose 4 2x2 stride=2", "input 8xT -> conv_transpose 4 3 stride=2 padding=1 output_padding=1")

    def make_windows(self, x: TensorType) -> tuple[Window, ...]:
        """Make the windows of the spatial axes. `before` and `after` are cut off the result."""
        padding = each_axis(self.name, "padding", self.padding, x)
        sides = (
            self._kernel_sizes(x),
            each_axis(self.name, "stride", self.stride, x),
            each_axis(self.name, "dilation", self.dilation, x),
            padding,
            padding,
        )
        return tuple(Window(*numbers) for numbers in zip(*sides, strict=True))

    def output_paddings(self, x: TensorType) -> tuple[int, ...]:
        """Return `output_padding` for each spatial axis."""
        return each_axis(self.name, "output_padding", self.output_padding, x)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = self._check_input(inputs)
        require_elements(self.name, inputs, "x", range(2, x.rank))
        sizes: list[Dim] = []
        for size, window, extra in zip(x.shape[2:], self.make_windows(x), self.output_paddings(x), strict=True):
            # The rule of torch.nn.ConvTranspose2d.
            if extra >= max(window.stride, window.dilation):
                needed = "must be less than the greater of stride and dilation"
                raise OperatorError(BadArgument(self.name, "output_padding", str(extra), needed), argument_location("output_padding"))
            sizes.append((size - 1) * window.stride - window.before - window.after + window.span + extra)
        result = (x.shape[0], self.channels, *sizes)
        for axis, size in enumerate(sizes, start=2):
            if inputs.facts.is_at_least(size, 1) is False:
                raise OperatorError(EmptyResult(self.name, result, axis, needs_elements=True), argument_location("padding"))
        return (x.with_shape(result),)

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        kernel = self._kernel_sizes(x)
        outer = self.channels // self.groups
        # PyTorch takes the second axis of the weight for the fan in, here too.
        return weight_and_bias((x.shape[1], outer, *kernel), self.channels, outer * prod(kernel), x.dtype, self.bias)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.count_multiply_adds(inputs, results) + (numel(results[0].shape) if self.has_bias(inputs) else 0)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        x = inputs.x
        return numel(x.shape) * (self.channels // self.groups) * prod(self._kernel_sizes(x))
