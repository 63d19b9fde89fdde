"""Arithmetic on tensors, element by element.

In: one tensor, or two that broadcast, or one and a number. Out: one tensor; its element type is PyTorch's, of tensors without axes and of
numbers too. Always: `symbol` is written between two operands, `prefix_symbol` before one.
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import SymDim
from ..errors.arithmetic import NeedsNumber
from ..errors.operator_errors import BadArgument
from ..errors.problem import STAGE, Location, Problem, argument_location, input_location
from ..types.tensor_types import BOOL, FLOAT32, DType, TensorType
from .broadcast import broadcast
from .kinds import SCALAR
from .operand import Input
from .operator import Arg, Operator, OperatorError, OpInputs
from .promotion import Scalar, result_type
from .scalars import conversion_warnings, require_bound, require_exact_scalar, wrap_scalar


class NumberOrTensor(Operator):
    """Two operands, `x` and `other`, the second of which may be a number."""

    pointwise = True
    verb: ClassVar[str] = ""
    """Completes "cannot ..." in the message about two shapes."""
    x = Input()

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        dtype = self.operand_type(inputs)
        self.refuse_types(inputs, dtype)
        shapes = [t.shape for t in inputs]
        shape = shapes[0] if self.scalars else broadcast(shapes[0], shapes[1], inputs.facts, self.name, self.verb)
        return (TensorType(self.result_type(dtype), shape),)

    def operand_type(self, inputs: OpInputs) -> DType:
        """Return the element type to which both operands are converted."""
        return result_type(inputs, self.scalars)

    def result_type(self, operands: DType) -> DType:
        """Return the element type of the result, by the element type of the operands."""
        return operands

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        """Refuse element types and numbers that the operator does not take."""

    def convert_number(self, dtype: DType) -> Scalar:
        """Convert the number to the element type of the operands."""
        return wrap_scalar(self.scalars[0], dtype)

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        if not self.scalars:
            return ()
        x = inputs.x.with_dtype(self.operand_type(inputs))
        return conversion_warnings(self.symbol or self.name, x, {"other": (self.scalars[0], self.convert_number(x.dtype))})


class BinaryOperator(NumberOrTensor):
    """The number may also come first."""

    other = Input(or_number=True, either_side=True)


# PyTorch has no kernels for powers, remainders and rounded quotients of booleans.
def refuse_bool(operator: str, inputs: OpInputs, dtype: DType) -> None:
    if dtype == BOOL:
        raise OperatorError(NeedsNumber(operator, inputs.x), inputs.at("x"))


def refuse_zero(op: NumberOrTensor, dtype: DType) -> None:
    known = [n for n in op.scalars if not isinstance(n, SymDim)]
    # Integers have no infinity for `x // 0`. A symbolic size is not a divisor that is known to be 0.
    if known and dtype.is_integer and not op.number_first and op.convert_number(dtype) == 0:
        shown = "0" if known[0] == 0 else f"{known[0]}, which {dtype} takes as 0"
        raise OperatorError(BadArgument(op.name, "other", shown, f"must not be 0 for {dtype} tensors"), argument_location("other"))


class Add(BinaryOperator):
    """The sum, of any number of tensors."""

    name = "add"
    folds = True
    symbol = "+"
    verb = "add"
    examples = ("x = input 3; x + 1", "x = input 3; y = input 3; (x, y) -> add")


class Sub(BinaryOperator):
    """The difference."""

    name = "sub"
    symbol = "-"
    verb = "subtract"
    examples = ("x = input 3; 1 - x", "x = input 3; y = input 3; x - y")

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        # Not the common type, as elsewhere: PyTorch refuses to subtract a boolean even from a float.
        for index, x in enumerate(inputs):
            if x.dtype == BOOL:
                raise OperatorError(NeedsNumber(self.name, x), input_location(index))
        if isinstance(self.other, bool):
            raise OperatorError(
                BadArgument(self.name, "other", f"`{str(self.other).lower()}`", "must be a number"), argument_location("other")
            )


class Mul(BinaryOperator):
    """The elementwise product, of any number of tensors."""

    name = "mul"
    folds = True
    symbol = "*"
    verb = "multiply"
    examples = ("x = input 3; x * 0.5", "x = input 3x8x8; gate = x -> mean axis=[2, 3] keepdim=true -> sigmoid; x * gate")


class Div(BinaryOperator):
    """The quotient; float32 for integers."""

    name = "div"
    symbol = "/"
    verb = "divide"
    examples = ("x = input 3; x / 255", "x = input 3; y = input 3; x / y")

    def operand_type(self, inputs: OpInputs) -> DType:
        dtype = super().operand_type(inputs)
        return dtype if dtype.is_float else FLOAT32


class FloorDiv(BinaryOperator):
    """The quotient, rounded down."""

    name = "floor_div"
    symbol = "//"
    verb = "divide"
    examples = ("x = input [T] int64; x // 2",)

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        refuse_bool(self.name, inputs, dtype)
        refuse_zero(self, dtype)


class Remainder(BinaryOperator):
    """The remainder of the division, with the sign of the divisor."""

    name = "remainder"
    symbol = "%"
    verb = "divide"
    examples = ("x = input [T] int64; x % 2",)

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        refuse_bool(self.name, inputs, dtype)
        refuse_zero(self, dtype)


class Pow(BinaryOperator):
    """The power."""

    name = "pow"
    symbol = "**"
    verb = "take powers of"
    examples = ("x = input 3; x ** 2", "x = input 3; 2 ** x")

    def refuse_types(self, inputs: OpInputs, dtype: DType) -> None:
        refuse_bool(self.name, inputs, dtype)
        exponent = self.other
        if self.scalars and not self.number_first:
            require_exact_scalar(self.name, inputs.x.with_dtype(dtype), exponent, "other")
        # `x ** -1` of integers has no value in PyTorch. A float exponent converts both to float32 first.
        if self.number_first or not isinstance(exponent, int) or exponent >= 0 or not dtype.is_integer:
            return
        needed = f"must not be negative for {inputs.x.dtype} tensors"
        raise OperatorError(
            BadArgument(self.name, "other", str(exponent), needed, f"write `{exponent}.0` for a float32"), argument_location("other")
        )


class Pair(Operator):
    """Two tensors that broadcast."""

    pointwise = True
    verb: ClassVar[str] = ""
    x = Input()
    other = Input()

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        shape = broadcast(inputs.x.shape, inputs.other.shape, inputs.facts, self.name, self.verb)
        return (TensorType(self.result_type(result_type(inputs)), shape),)

    def result_type(self, operands: DType) -> DType:
        """Return the element type of the result, by the element type of the operands."""
        return operands


class Maximum(Pair):
    """The elementwise maximum, of any number of tensors."""

    name = "maximum"
    folds = True
    verb = "take the maximum of"
    examples = ("x = input 3; y = input 3; (x, y) -> maximum",)


class Minimum(Pair):
    """The elementwise minimum, of any number of tensors."""

    name = "minimum"
    folds = True
    verb = "take the minimum of"
    examples = ("x = input 3; y = input 3; (x, y) -> minimum",)


class Clamp(Operator):
    """`x` clamped to the range from `min` to `max`, one of which may be left out.

    The result's element type must be able to represent each, whatever the sizes in it are: the versions of PyTorch differ on others.
    """

    name = "clamp"
    pointwise = True
    x = Input()
    min = Arg(SCALAR, default=None, positional=True)
    max = Arg(SCALAR, default=None, positional=True)
    examples = ("input 3 -> clamp 0 1", "input 3 -> clamp max=6")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        # One bound is enough, as in torch.clamp, but not none.
        bounds = {name: value for name, value in (("min", self.min), ("max", self.max)) if value is not None}
        if not bounds:
            raise OperatorError(BadArgument(self.name, "min", "neither", "must be given, or `max`"), STAGE)
        # A bound takes part in the promotion: integers clamped to 0.5 are floats, and booleans clamped to 0 are int64.
        dtype = result_type((x,), bounds.values())
        if dtype == BOOL:
            raise OperatorError(NeedsNumber(self.name, x), inputs.at("x"))
        for name, value in bounds.items():
            require_bound(self.name, x.with_dtype(dtype), value, name)
        return (x.with_dtype(dtype),)
