"""Pooling: the maximum, the mean or the norm of each window, or of entire axes."""

from __future__ import annotations

from math import prod

from ..dims import Dim
from ..errors.operator_errors import BadArgument
from ..errors.problem import argument_location
from ..types.tensor_types import FLOAT32, INT64, TensorType
from .argument import UnusedArgument
from .element_types import ANY, FLOATS, INTEGERS, LONGS
from .kinds import FLAG, INT, NUMBER, SIZES, SIZES0
from .operand import SPATIAL, Input
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import require_elements
from .windows import Window, compute_sizes, each_axis


class _Pool(Operator):
    """The base of pools with windows. The default stride is the kernel. Subclasses accept integers where PyTorch's CPU kernels do."""

    spatial = True
    x = Input(FLOATS, SPATIAL)
    kernel = Arg(SIZES, positional=True, alias="kernel_size")
    stride = Arg(SIZES, default=None)
    ceil_mode = Arg(FLAG, default=False)

    def _padding_sizes(self, x: TensorType) -> tuple[int, ...]:
        return (0,) * (x.rank - 2)

    def _dilation_sizes(self, x: TensorType) -> tuple[int, ...]:
        return (1,) * (x.rank - 2)

    def make_windows(self, x: TensorType) -> tuple[Window, ...]:
        """Make the windows of the spatial axes."""
        kernel = each_axis(self.name, "kernel", self.kernel, x)
        stride = kernel if self.stride is None else each_axis(self.name, "stride", self.stride, x)
        padding = self._padding_sizes(x)
        return tuple(Window(*sides) for sides in zip(kernel, stride, self._dilation_sizes(x), padding, padding, strict=True))

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        require_elements(self.name, inputs, "x", range(2, x.rank))
        sizes = compute_sizes(self.name, x, self.make_windows(x), inputs.facts, ceil=self.ceil_mode)
        return (x.with_shape((*x.shape[:2], *sizes)),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * prod(w.taps for w in self.make_windows(inputs.x))

    def _refuse_beyond_input(self, inputs: OpInputs) -> None:
        """With three spatial axes, PyTorch needs the kernel of a mean to fit without padding and without `ceil_mode`."""
        x = inputs.x
        # `avg_pool3d` and `lp_pool3d` alone have this check; with one or two axes, padding may make room for the kernel.
        if x.rank < 5:
            return
        for axis, (size, window) in enumerate(zip(x.shape[2:], self.make_windows(x), strict=True), start=2):
            if inputs.facts.is_at_least(size, window.taps) is False:
                shown = f"{window.taps} for axis {axis} of {x}"
                needed = "must be at most the size without its padding, where there are three spatial axes"
                raise OperatorError(BadArgument(self.name, "kernel", shown, needed), argument_location("kernel"))


class _PaddedPool(_Pool):
    padding = Arg(SIZES0, default=0)

    def _padding_sizes(self, x: TensorType) -> tuple[int, ...]:
        return each_axis(self.name, "padding", self.padding, x)

    def make_windows(self, x: TensorType) -> tuple[Window, ...]:
        windows = super().make_windows(x)
        for window in windows:
            # PyTorch's rule, for the kernel without its dilation: more padding could leave a window without an element.
            if 2 * window.before > window.taps:
                shown = f"{window.before} for a kernel of {window.taps}"
                raise OperatorError(
                    BadArgument(self.name, "padding", shown, "must be at most half of the kernel"), argument_location("padding")
                )
        return windows


class MaxPool(_PaddedPool):
    """The maximum of each window, and (when unpacked) its index within the spatial axes.

    PyTorch pools integers on the CPU only.
    """

    name = "max_pool"
    extras = True
    x = Input(FLOATS | INTEGERS, SPATIAL)
    dilation = Arg(SIZES, default=1)
    examples = ("input 3x32x32 -> max_pool 3 stride=2 padding=1", "(y, at) = input 3x8x8 -> max_pool 2; out y, at")

    def _dilation_sizes(self, x: TensorType) -> tuple[int, ...]:
        return each_axis(self.name, "dilation", self.dilation, x)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (values,) = super().infer_types(inputs)
        return values, values.with_dtype(INT64)


class AvgPool(_PaddedPool):
    """The mean of each window, truncated for int64. PyTorch pools int64 on the CPU only."""

    name = "avg_pool"
    x = Input(FLOATS | LONGS, SPATIAL)
    count_include_pad = Arg(FLAG, default=True, only_with=("padding",))
    divisor_override = Arg(INT, default=None)
    examples = ("input 3x32x32 -> avg_pool 2", "input 3xT -> avg_pool 3 stride=1 padding=1 count_include_pad=false")

    def find_unused_arguments(self) -> dict[str, UnusedArgument]:
        divisor = {"count_include_pad": UnusedArgument("`divisor_override` is what sums are divided by", ("divisor_override",))}
        return super().find_unused_arguments() | (divisor if self.divisor_override is not None else {})

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        results = super().infer_types(inputs)
        if self.divisor_override == 0:
            raise OperatorError(BadArgument(self.name, "divisor_override", "0", "must not be zero"), argument_location("divisor_override"))
        # `F.avg_pool1d` has no such argument.
        if self.divisor_override is not None and inputs.x.rank == 3:
            needed = "needs two or three spatial axes"
            raise OperatorError(BadArgument(self.name, "divisor_override", str(inputs.x), needed), argument_location("divisor_override"))
        self._refuse_beyond_input(inputs)
        return results


class LpPool(_Pool):
    """The p-norm of each window: the p-th root of the sum of p-th powers; float32 for integers and booleans."""

    name = "lp_pool"
    x = Input(ANY, SPATIAL)
    p = Arg(NUMBER, default=2, positional=True)
    examples = ("input 3x32x32 -> lp_pool 3x3 stride=2", "input 3x32 -> lp_pool 2 p=4")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        if self.p == 0:
            raise OperatorError(BadArgument(self.name, "p", "0", "must not be zero"), argument_location("p"))
        self._refuse_beyond_input(inputs)
        return (x if x.dtype.is_float else x.with_dtype(FLOAT32),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * super().count_flops(inputs, results) + numel(results[0].shape)


class _AdaptivePool(Operator):
    """Windows that cover the input evenly, of a given number along each axis."""

    spatial = True
    x = Input(FLOATS, SPATIAL)
    size = Arg(SIZES, positional=True)

    def result_sizes(self, x: TensorType) -> tuple[int, ...]:
        return each_axis(self.name, "size", self.size, x)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        # From the channels on: PyTorch's adaptive_max_pool refuses an empty axis of channels too.
        require_elements(self.name, inputs, "x", range(1, x.rank))
        return (x.with_shape((*x.shape[:2], *self.result_sizes(x))),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(inputs.x.shape)


class AdaptiveAvgPool(_AdaptivePool):
    """The means of evenly spread windows: the result has the given size, for an input of any size."""

    name = "adaptive_avg_pool"
    examples = ("input 8x32x32 -> adaptive_avg_pool 1", "input 8xHxW -> adaptive_avg_pool 7x7")


class AdaptiveMaxPool(_AdaptivePool):
    """The maxima of evenly spread windows, and (when unpacked) their indices: the result has the given size, for an input of any size."""

    name = "adaptive_max_pool"
    extras = True
    examples = ("input 8x32x32 -> adaptive_max_pool 1", "(y, at) = input 8x30x30 -> adaptive_max_pool 7x7; out y, at")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (values,) = super().infer_types(inputs)
        return values, values.with_dtype(INT64)


class _GlobalPool(Operator):
    """The base of pools over all spatial axes, which are removed."""

    spatial = True
    x = Input(FLOATS, SPATIAL)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        require_elements(self.name, inputs, "x", range(2, x.rank))
        return (x.with_shape(x.shape[:2]),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(inputs.x.shape)


class GlobalAvgPool(_GlobalPool):
    """The mean of each channel: `[N, C, ...]` becomes `[N, C]`."""

    name = "global_avg_pool"
    definition = "x -> mean axis=[axis for axis in 2..x.rank]"
    examples = ("input 8x32x32 -> global_avg_pool -> dense 10",)


class GlobalMaxPool(_GlobalPool):
    """The maximum of each channel: `[N, C, ...]` becomes `[N, C]`."""

    name = "global_max_pool"
    # `torch.amax` takes every type, where PyTorch's pools have few kernels for integers and none for booleans.
    x = Input(ANY, SPATIAL)
    examples = ("input 8x32x32 -> global_max_pool -> dense 10",)
