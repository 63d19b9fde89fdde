"""Fourier transforms. Complex numbers are a last axis of two: the real and the imaginary part, as in `torch.view_as_real` and in ONNX.

In: one tensor. Out: one with frequencies instead of the axis, or the other way round. Always: `axis` counts the axes of the tensor as it
is, so that -2 is the last one before the axis of two; `n` cuts the axis off or fills it up with zeros first. The absolute values are
`-> norm axis=-1`. What is not finite spreads along the axis, in ONNX not to the same elements as in PyTorch.
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, suggest_equality
from ..errors.operator_errors import BadArgument, EmptyResult, WrongSize
from ..errors.problem import argument_location
from ..errors.shape import UnprovableSize
from ..types.tensor_types import FLOAT32, TensorType, show_shape
from .axes import normalize_axis
from .element_types import FULL_FLOATS, FULL_OR_INTEGERS
from .kinds import AXIS, SIZE, WordKind
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import require_elements

NORM = WordKind("backward", "ortho", "forward")
_LEVELS = 5
"""The multiply-adds for each element of a transform of size 32. Their number grows with the logarithm of the size."""


def require_pairs(operator: str, inputs: OpInputs) -> None:
    """Refuse an input whose last axis is not two, the real and the imaginary part."""
    x = inputs.x
    two = inputs.facts.are_equal(x.shape[-1], 2)
    if two is False:
        needed = "complex numbers, a last axis of 2"
        raise OperatorError(WrongSize(operator, needed, x), inputs.at("x"))
    if two is None:
        need = f"axis {x.rank - 1} of {show_shape(x.shape)} is 2"
        raise OperatorError(UnprovableSize(need, "complex numbers have two parts", suggest_equality(x.shape[-1], 2) or ""), inputs.at("x"))


class Fourier(Operator):
    """The base of transforms along an axis. `norm=ortho` divides by the root of the size. `forward` divides the transform by the size,
    `backward` the inverse."""

    inverse: ClassVar[bool] = False
    n = Arg(SIZE, default=None, positional=True)
    norm = Arg(NORM, default="backward")

    def time_length(self, x: TensorType) -> Dim:
        """Return the size of the axis in time."""
        return x.shape[self.transform_axis(x)] if self.n is None else self.n

    def transform_axis(self, x: TensorType) -> int:
        """Return the axis, counted from the front."""
        return normalize_axis(self.name, self.args["axis"], x)

    def with_axis_size(self, x: TensorType, size: Dim) -> TensorType:
        """Return the type with another size of the axis."""
        axis = self.transform_axis(x)
        return x.with_shape((*x.shape[:axis], size, *x.shape[axis + 1 :]))

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """About the operations of a fast Fourier transform, for each number in time: `irfft` needs as many as `rfft`."""
        in_time = results[0] if self.inverse else self.with_axis_size(inputs.x, self.time_length(inputs.x))
        return 2 * _LEVELS * numel(in_time.shape)


class Rfft(Fourier):
    """The Fourier transform of real numbers: `n // 2 + 1` frequencies, as a last axis of real and imaginary parts."""

    name = "rfft"
    # No half types: PyTorch's CPU kernels refuse them.
    x = Input(FULL_OR_INTEGERS, axes("... n", "at least one axis"))
    axis = Arg(AXIS, default=-1, alias="dim")
    examples = ("input [T] -> rfft", "input [T, 400] -> rfft 512 -> norm axis=-1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # Like PyTorch, convert integers and booleans to float32.
        x = inputs.x if inputs.x.dtype.is_float else inputs.x.with_dtype(FLOAT32)
        require_elements(self.name, inputs, "x", (self.transform_axis(x),))
        result = self.with_axis_size(x, self.time_length(x) // 2 + 1)
        return (result.with_shape((*result.shape, 2)),)


class _OfPairs(Fourier):
    """A transform of complex numbers."""

    x = Input(FULL_FLOATS, axes("... n two", "complex numbers, at least one axis and a last one of 2"))
    axis = Arg(AXIS, default=-2, alias="dim")

    def transform_axis(self, x: TensorType) -> int:
        axis = super().transform_axis(x)
        if axis == x.rank - 1:
            needed = "must not be the last axis, the real and the imaginary part"
            raise OperatorError(BadArgument(self.name, "axis", str(self.axis), needed), argument_location("axis"))
        return axis

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        require_pairs(self.name, inputs)
        return (self.with_axis_size(inputs.x, self.time_length(inputs.x)),)


class Irfft(_OfPairs):
    """The inverse of `rfft`: real numbers of their `n // 2 + 1` first frequencies; `n` is even unless it is given."""

    name = "irfft"
    inverse = True
    examples = ("input [T] -> rfft -> irfft", "input [33, 2] -> irfft 65")

    def time_length(self, x: TensorType) -> Dim:
        # Whether the signal had an even length is lost in its frequencies. Like PyTorch, assume that it had.
        return 2 * (x.shape[self.transform_axis(x)] - 1) if self.n is None else self.n

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        require_pairs(self.name, inputs)
        result = self.with_axis_size(inputs.x, self.time_length(inputs.x))
        if inputs.facts.is_at_least(self.time_length(inputs.x), 1) is False:
            problem = EmptyResult(self.name, result.shape[:-1], self.transform_axis(inputs.x), needs_elements=True)
            raise OperatorError(problem, argument_location("axis"))
        return (result.with_shape(result.shape[:-1]),)


class Fft(_OfPairs):
    """The Fourier transform of complex numbers."""

    name = "fft"
    examples = ("input [T, 2] -> fft", "x = input [8]; (x, x * 0) -> stack axis=-1 -> fft")


class Ifft(_OfPairs):
    """The inverse of `fft`."""

    name = "ifft"
    inverse = True
    examples = ("input [T, 2] -> fft -> ifft",)
