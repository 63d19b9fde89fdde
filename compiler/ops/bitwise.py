"""Logic and shifts of the bits of integers, element by element.

In: integers, for logic also booleans; two tensors that broadcast, or one and a number. Out: one tensor; its element type is PyTorch's.
"""

from __future__ import annotations

from ..errors.operator_errors import BadArgument, NeedsInteger
from ..errors.problem import argument_location
from ..types.tensor_types import BOOL, DType, TensorType
from .arithmetic import BinaryOperator
from .element_types import BOOLS, INTEGERS
from .operand import Input
from .operator import OperatorError, OpInputs
from .pointwise import Pointwise


class BitwiseLogic(BinaryOperator):
    """Combines each pair of bits."""

    verb = "combine"
    x = Input(INTEGERS | BOOLS)
    other = Input(INTEGERS | BOOLS, or_number=True, either_side=True)

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        if dtype.is_float:
            raise OperatorError(BadArgument(self.name, "other", str(self.other), "must be an integer"), argument_location("other"))


class BitwiseAnd(BitwiseLogic):
    """The bits that are set in both."""

    name = "bitwise_and"
    examples = ("x = input [T] int64; x -> bitwise_and 7", "x = input [T] bool; y = input [T] bool; (x, y) -> bitwise_and")


class BitwiseOr(BitwiseLogic):
    """The bits that are set in one or both."""

    name = "bitwise_or"
    examples = ("x = input [T] int64; x -> bitwise_or 1",)


class BitwiseXor(BitwiseLogic):
    """The bits that differ."""

    name = "bitwise_xor"
    examples = ("x = input [T] int64; y = input [T] int64; (x, y) -> bitwise_xor",)


class BitwiseNot(Pointwise):
    """All bits inverted: `-x - 1` of an integer with a sign."""

    name = "bitwise_not"
    x = Input(INTEGERS | BOOLS)
    examples = ("input [T] int64 -> bitwise_not",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x,)


class Shift(BitwiseLogic):
    """Shifts by a number of bits. If the number is negative or too large for the type, only the sign remains."""

    verb = "shift"

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        super().refuse_types(inputs, dtype)
        if dtype == BOOL:
            raise OperatorError(NeedsInteger(self.name, inputs.x), inputs.at("x"))


class BitwiseLeftShift(Shift):
    """The bits moved up: `x * 2 ** other`, of which the last bits of the type stay; 0 if `other` is no position of a bit."""

    name = "bitwise_left_shift"
    examples = ("x = input [T] int64; x -> bitwise_left_shift 2",)


class BitwiseRightShift(Shift):
    """The bits moved down: `x / 2 ** other`, rounded down; 0, or -1 of negative numbers, if `other` is no position of a bit."""

    name = "bitwise_right_shift"
    examples = ("x = input [T] int64; x -> bitwise_right_shift 2",)
