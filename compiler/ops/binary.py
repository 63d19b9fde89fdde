"""Elementwise functions of two tensors that have no symbol in the language.

In: two tensors that broadcast; for some, a number in place of one. Out: one tensor; its element type is PyTorch's.
"""

from __future__ import annotations

from ..dims import Dim
from ..errors.operator_errors import NeedsFloat
from ..types.tensor_types import FLOAT32, DType, TensorType
from .arithmetic import NumberOrTensor, Pair, refuse_bool, refuse_zero
from .broadcast import broadcast_all
from .element_types import FLOATS
from .operand import Input
from .operator import Operator, OperatorError, OpInputs, numel
from .promotion import result_type
from .scalars import require_exact_scalar


class Atan2(Pair):
    """The angle of the point at height `x` and distance `other`, from -pi to pi; float32 for integers: `(y, x) -> atan2`."""

    name = "atan2"
    verb = "take the angles of"
    examples = ("y = input 3; x = input 3; (y, x) -> atan2",)

    def result_type(self, operands: DType) -> DType:
        # Unlike `hypot` below, PyTorch computes the angles of integers, in float32.
        return operands if operands.is_float else FLOAT32


class _FloatPair(Pair):
    """A function of two tensors, at least one of which is a float."""

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # The common type, since one float is enough: PyTorch converts the other tensor, but has no kernel for two of integers.
        if not result_type(inputs).is_float:
            raise OperatorError(NeedsFloat(self.name, inputs.x), inputs.at("x"))
        return super().infer_types(inputs)


class Hypot(_FloatPair):
    """`sqrt(x * x + other * other)`, without overflow in between."""

    name = "hypot"
    verb = "take the hypotenuse of"
    examples = ("x = input 3; y = input 3; (x, y) -> hypot",)


class Logaddexp(_FloatPair):
    """`log(exp(x) + exp(other))`, without overflow in between."""

    name = "logaddexp"
    verb = "add the exponentials of"
    examples = ("x = input 3; y = input 3; (x, y) -> logaddexp",)


class Fmod(NumberOrTensor):
    """The remainder of the division, with the sign of the dividend. The result of `%` has the sign of the divisor."""

    name = "fmod"
    verb = "divide"
    other = Input(or_number=True)
    examples = ("x = input 3; x -> fmod 2", "x = input 3; y = input 3; (x, y) -> fmod")

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        refuse_bool(self.name, inputs, dtype)
        refuse_zero(self, dtype)


class Lerp(Operator):
    """Linear interpolation, `x + weight * (end - x)`; the weight is a number or a third tensor."""

    name = "lerp"
    definition = "x + weight * (end - x)"
    pointwise = True
    x = Input(FLOATS)
    end = Input(FLOATS, like="x")
    weight = Input(FLOATS, like="x", or_number=True)
    examples = ("x = input 3; y = input 3; (x, y) -> lerp 0.25", "x = input 3; y = input 3; w = input 3; (x, y, w) -> lerp")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # PyTorch interpolates half types in float32, so the weight may be a number that only float32 holds.
        computed = inputs.x.with_dtype(FLOAT32) if inputs.x.dtype.size == 2 else inputs.x
        require_exact_scalar(self.name, computed, self.weight, "weight")
        return (inputs.x.with_shape(broadcast_all([t.shape for t in inputs], inputs.facts, self.name, "interpolate between")),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape)
