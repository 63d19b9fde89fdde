"""Reductions over some axes or all of them.

In: one tensor. Out: one without those axes, or with axes of 1 instead if `keepdim` is set. Always: without `axis`, all axes are reduced,
the batch axis too, as in PyTorch.
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, free_symbols
from ..errors.arithmetic import IndexOverBatch
from ..errors.operator_errors import BadArgument
from ..errors.problem import STAGE, Location, Problem, argument_location
from ..types.tensor_types import BATCH, BOOL, FLOAT32, INT64, DType, Shape, TensorType
from .axes import front_axes, normalize_axis
from .element_types import FLOATS, NUMBERS
from .kinds import AXES, AXIS, EXTENDED, FLAG, NUMBER
from .operand import Input
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import require_elements
from .scalars import require_exact_scalar


class Reduction(Operator):
    """The base of reductions over the axes that `reduced_axes` returns. By default, these are all axes."""

    x = Input()
    keepdim = Arg(FLAG, default=False)
    work: ClassVar[int] = 1
    """Operations for each element of the input."""

    def explicit_axes(self) -> tuple[int, ...] | None:
        """Return the axes in the arguments. None means all axes."""
        raise NotImplementedError

    def reduced_axes(self, x: TensorType) -> tuple[int, ...]:
        """Return the axes that are reduced, counted from the front."""
        written = self.explicit_axes()
        if written is None:
            return tuple(range(x.rank))
        # A tensor without axes counts as one with one axis, as in PyTorch: its axis 0 may be named, but there is nothing to remove.
        return tuple(axis for axis in front_axes(self.name, written, x) if axis < x.rank)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axes = self.reduced_axes(x)
        kept: Shape = tuple(1 if axis in axes else d for axis, d in enumerate(x.shape) if self.keepdim or axis not in axes)
        return (TensorType(self.result_dtype(x.dtype), kept),)

    def result_dtype(self, dtype: DType) -> DType:
        """Return the element type of the result, by the element type of the input."""
        return dtype

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """`work` for each element of the input."""
        return self.work * numel(inputs.x.shape)


class OverAxes(Reduction):
    """Takes any number of axes."""

    axis = Arg(AXES, default=None, positional=True, alias="dim")

    def explicit_axes(self) -> tuple[int, ...] | None:
        axes: tuple[int, ...] | None = self.axis
        return axes


class OverAxis(Reduction):
    """Takes one axis, or none."""

    axis = Arg(AXIS, default=None, positional=True, alias="dim")

    def explicit_axes(self) -> tuple[int, ...] | None:
        axis: int | None = self.axis
        return None if axis is None else (axis,)


def _sum_dtype(dtype: DType) -> DType:
    return dtype if dtype.is_float else INT64


class Mean(OverAxes):
    """The mean."""

    name = "mean"
    x = Input(FLOATS)
    examples = ("input 3x8x8 -> mean axis=[2, 3]", "input [T, 8] -> mean axis=1")
    is_mean = True
    """Like some losses, it is the quotient of `make_total` and `mean_divisor`."""

    def make_total(self) -> Sum:
        """Return the sum, the dividend of the mean."""
        return Sum(axis=self.axis, keepdim=self.keepdim)

    def mean_divisor(self, inputs: OpInputs) -> Dim:
        """Return the number of elements, the divisor of the mean."""
        return numel(tuple(inputs.x.shape[axis] for axis in self.reduced_axes(inputs.x)))


class Sum(OverAxes):
    """The sum; int64 for integers and booleans."""

    name = "sum"
    examples = ("input [T, 8] -> sum axis=-1",)

    def result_dtype(self, dtype: DType) -> DType:
        return _sum_dtype(dtype)


class Prod(OverAxis):
    """The product; int64 for integers and booleans."""

    name = "prod"
    examples = ("input 4 -> prod axis=-1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # `torch.prod` has no `keepdim` without `dim`.
        if self.keepdim and self.axis is None:
            raise OperatorError(BadArgument(self.name, "keepdim", "true", "requires `axis`"), argument_location("keepdim"))
        return super().infer_types(inputs)

    def result_dtype(self, dtype: DType) -> DType:
        return _sum_dtype(dtype)


class MinMaxReduction(OverAxes):
    """With one axis, the indices along it are a second result, which is used only if both are unpacked."""

    extras = True

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (values,) = super().infer_types(inputs)
        require_elements(self.name, inputs, "x", self.reduced_axes(inputs.x))
        return (values, values.with_dtype(INT64)) if self.has_indices else (values,)

    @property
    def has_indices(self) -> bool:
        """Whether the indices are a second result."""
        written = self.explicit_axes()
        return written is not None and len(written) == 1


class Max(MinMaxReduction):
    """The maximum; with one axis, its indices too: `(values, indices) = x -> max axis=1`."""

    name = "max"
    examples = ("input [T, 8] -> max axis=1", "x = input 4; (values, indices) = x -> max axis=1; out values, indices")


class Min(MinMaxReduction):
    """The minimum; with one axis, its indices too: `(values, indices) = x -> min axis=1`."""

    name = "min"
    examples = ("input [T, 8] -> min axis=1",)


class ArgReduction(OverAxis):
    """An index along an axis; without one, among all elements in order."""

    # `torch.argmax` refuses booleans, although `torch.max` takes them.
    x = Input(NUMBERS)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        results = super().infer_types(inputs)
        require_elements(self.name, inputs, "x", self.reduced_axes(inputs.x))
        return results

    def result_dtype(self, dtype: DType) -> DType:
        return INT64

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        # The index would count through all samples: nearly always, an index for each sample is meant. The batch may have moved to another
        # axis, or be a factor of one.
        over_batch = self.axis is None and any(BATCH in free_symbols(size) for size in inputs.x.shape)
        return ((IndexOverBatch(self.name, inputs.x.shape), STAGE),) if over_batch else ()


class Argmax(ArgReduction):
    """The index of the maximum."""

    name = "argmax"
    examples = ("input 10 -> argmax axis=-1",)


class Argmin(ArgReduction):
    """The index of the minimum."""

    name = "argmin"
    examples = ("input 10 -> argmin axis=-1",)


class Spread(OverAxes):
    """A measure of deviation from the mean. `correction` is subtracted from the count: 1 for a sample, 0 for a population."""

    work = 4
    x = Input(FLOATS)
    correction = Arg(NUMBER, default=1)


class Var(Spread):
    """The variance."""

    name = "var"
    examples = ("input 3x8x8 -> var axis=[2, 3] correction=0",)


class Std(Spread):
    """The standard deviation."""

    name = "std"
    examples = ("input 3x8x8 -> std axis=[2, 3]",)


class Norm(OverAxes):
    """The p-norm of vectors: the p-th root of the sum of p-th powers."""

    name = "norm"
    work = 2
    x = Input(FLOATS)
    p = Arg(EXTENDED, default=2, positional=True)
    axis = Arg(AXES, default=None, alias="dim")
    examples = ("input 8 -> norm axis=-1", "input 8 -> norm 1 axis=-1 keepdim=true")


class Normalize(Operator):
    """Vectors along an axis, each divided by its p-norm, which is taken to be at least `eps`."""

    name = "normalize"
    definition = "x / (x -> norm p axis=axis keepdim=true -> clamp min=eps)"
    pointwise = True
    x = Input(FLOATS)
    p = Arg(EXTENDED, default=2)
    axis = Arg(AXIS, default=1, positional=True, alias="dim")
    eps = Arg(NUMBER, default=1e-12)
    examples = ("input 64 -> normalize", "input [T, 64] -> normalize axis=-1 p=1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        normalize_axis(self.name, self.axis, x)
        require_exact_scalar(self.name, x, self.eps, "eps")
        return (x,)

    def make_norm(self) -> Norm:
        """Return the operator for the norms by which the vectors are divided."""
        return Norm(p=self.p, axis=(self.axis,), keepdim=True)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The norms, and a division for each element."""
        return 3 * numel(inputs.x.shape)


class Logsumexp(OverAxes):
    """The logarithm of the sum of exponentials."""

    name = "logsumexp"
    work = 2
    examples = ("input 8 -> logsumexp axis=-1",)

    def result_dtype(self, dtype: DType) -> DType:
        return dtype if dtype.is_float else FLOAT32


class Quantifier(OverAxes):
    """Numbers count as true unless they are 0. The result is bool, but uint8 of uint8, as in PyTorch."""

    def result_dtype(self, dtype: DType) -> DType:
        # `torch.any` and `torch.all` of uint8 return uint8.
        return dtype if dtype.kind == "uint" else BOOL


class Any(Quantifier):
    """Whether any is true."""

    name = "any"
    examples = ("x = input 8; x > 0 -> any axis=-1",)


class All(Quantifier):
    """Whether all are true."""

    name = "all"
    examples = ("x = input 8; x > 0 -> all axis=-1",)


class Cumulative(Operator):
    """Reduces all elements of an axis up to each."""

    x = Input()
    axis = Arg(AXIS, positional=True, alias="dim")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        normalize_axis(self.name, self.axis, x)
        return (x.with_dtype(_sum_dtype(x.dtype)),)


class Cumsum(Cumulative):
    """The cumulative sum; int64 for integers and booleans."""

    name = "cumsum"
    examples = ("input [T] -> cumsum axis=1",)


class Cumprod(Cumulative):
    """The cumulative product; int64 for integers and booleans."""

    name = "cumprod"
    examples = ("input 8 -> cumprod axis=1",)
