"""Arithmetic, comparison and logic on tensors, element by element.

In: one tensor, or two that broadcast, or one and a number. Out: one tensor; its element type is PyTorch's, of tensors without axes and of
numbers too. Always: `symbol` is what the operator is written as between two operands, `prefix_symbol` before one.
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import SymDim
from ..errors.arithmetic import NeedsNumber, OperandCount
from ..errors.base import STAGE, argument, input_
from ..errors.operators import BadArgument, NeedsBool
from ..types import BOOL as BOOL_TYPE
from ..types import FLOAT32, DType, TensorType
from .base import Arg, Given, Operator, Refusal
from .broadcast import broadcast, broadcast_all
from .kinds import BOOL, SCALAR
from .pointwise import refuse_unless_fits
from .promotion import Scalar, result_type


class Binary(Operator):
    """Two operands, the second of which may be a number; with `reverse`, the number is the first."""

    inputs = ("x", "other?")
    other = Arg(SCALAR, default=None, positional=True)
    reverse = Arg(BOOL, default=False)
    verb: ClassVar[str] = ""
    """Completes "cannot ..." in the message about two shapes."""

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        self._refuse_operands(given)
        dtype = self.operand_type(given)
        self.refuse_types(given, dtype)
        if self.scalars:
            refuse_unless_fits(self.name, given[0].with_dtype(dtype), self.other, "other")
            shape = given[0].shape
        else:
            shape = broadcast(given[0].shape, given[1].shape, given.facts, self.name, self.verb)
        return (TensorType(self.result_type(dtype), shape),)

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        """The operand that is a number."""
        other: Scalar | None = self.other
        return () if other is None else (other,)

    def operand_type(self, given: Given) -> DType:
        """The element type that both operands are converted to."""
        return result_type(given, self.scalars)

    def result_type(self, operands: DType) -> DType:
        """The element type of the result, of that of the operands."""
        return operands

    def refuse_types(self, given: Given, dtype: DType) -> None:
        """Refuses element types and numbers that the operator does not go with."""

    def _refuse_operands(self, given: Given) -> None:
        if len(given) + len(self.scalars) != 2:
            raise Refusal(OperandCount(self.name, "both" if self.scalars else "neither"), argument("other") if self.scalars else STAGE)
        if self.reverse and not self.scalars:
            raise Refusal(BadArgument(self.name, "reverse", "true", "goes only with a number"), argument("reverse"))


def _refuse_bool(operator: str, given: Given, dtype: DType) -> None:
    if dtype == BOOL_TYPE:
        raise Refusal(NeedsNumber(operator, given[0]), input_(0))


def _refuse_zero(op: Binary, dtype: DType) -> None:
    if dtype.is_integer and not op.reverse and not isinstance(op.other, SymDim) and op.scalars and op.other == 0:
        raise Refusal(BadArgument(op.name, "other", "0", f"must not be 0 for {dtype} tensors"), argument("other"))


class Add(Binary):
    """The sum."""

    name = "add"
    torch = "torch.add"
    onnx = "Add"
    symbol = "+"
    verb = "add"
    examples = ("x = input 3; x + 1", "x = input 3; y = input 3; (x, y) -> add")


class Sub(Binary):
    """The difference."""

    name = "sub"
    torch = "torch.sub"
    onnx = "Sub"
    symbol = "-"
    verb = "subtract"
    examples = ("x = input 3; 1 - x", "x = input 3; y = input 3; x - y")

    def refuse_types(self, given: Given, dtype: DType) -> None:
        for index, x in enumerate(given):
            if x.dtype == BOOL_TYPE:
                raise Refusal(NeedsNumber(self.name, x), input_(index))
        if isinstance(self.other, bool):
            raise Refusal(BadArgument(self.name, "other", f"`{str(self.other).lower()}`", "must be a number"), argument("other"))


class Mul(Binary):
    """The product, element by element."""

    name = "mul"
    torch = "torch.mul"
    onnx = "Mul"
    symbol = "*"
    verb = "multiply"
    examples = ("x = input 3; x * 0.5", "x = input 3x8x8; gate = x -> mean axis=[2, 3] keepdim=true -> sigmoid; x * gate")


class Div(Binary):
    """The quotient; of integers, a float32."""

    name = "div"
    torch = "torch.div"
    onnx = "Div"
    symbol = "/"
    verb = "divide"
    examples = ("x = input 3; x / 255", "x = input 3; y = input 3; x / y")

    def operand_type(self, given: Given) -> DType:
        dtype = super().operand_type(given)
        return dtype if dtype.is_float else FLOAT32


class FloorDiv(Binary):
    """The quotient, rounded down."""

    name = "floor_div"
    torch = "torch.floor_divide"
    onnx = "Mod, Sub and Div"
    symbol = "//"
    verb = "divide"
    examples = ("x = input [T] int64; x // 2",)

    def refuse_types(self, given: Given, dtype: DType) -> None:
        _refuse_bool(self.name, given, dtype)
        _refuse_zero(self, dtype)


class Remainder(Binary):
    """What division leaves, with the sign of the divisor."""

    name = "remainder"
    torch = "torch.remainder"
    onnx = "Mod"
    symbol = "%"
    verb = "divide"
    examples = ("x = input [T] int64; x % 2",)

    def refuse_types(self, given: Given, dtype: DType) -> None:
        _refuse_bool(self.name, given, dtype)
        _refuse_zero(self, dtype)


class Pow(Binary):
    """The power."""

    name = "pow"
    torch = "torch.pow"
    onnx = "Pow"
    symbol = "**"
    verb = "take powers of"
    examples = ("x = input 3; x ** 2", "x = input 3; 2 ** x")

    def refuse_types(self, given: Given, dtype: DType) -> None:
        _refuse_bool(self.name, given, dtype)
        exponent = self.other
        if self.reverse or not isinstance(exponent, int) or exponent >= 0 or not dtype.is_integer:
            return
        needed = f"must not be negative for {given[0].dtype} tensors"
        raise Refusal(BadArgument(self.name, "other", str(exponent), needed, f"write `{exponent}.0` for a float32"), argument("other"))


# --- comparison ------------------------------------------------------------------------------------------------------------


class Comparison(Binary):
    """A truth value for each pair."""

    verb = "compare"

    def result_type(self, operands: DType) -> DType:
        return BOOL_TYPE


class Eq(Comparison):
    """Whether both are equal."""

    name = "eq"
    torch = "torch.eq"
    onnx = "Equal"
    symbol = "=="
    examples = ("x = input [T] int64; x == 0",)


class Ne(Comparison):
    """Whether they differ."""

    name = "ne"
    torch = "torch.ne"
    onnx = "Equal and Not"
    symbol = "!="
    examples = ("x = input [T] int64; x != 0",)


class Lt(Comparison):
    """Whether the first is less."""

    name = "lt"
    torch = "torch.lt"
    onnx = "Less"
    symbol = "<"
    examples = ("x = input 3; x < 0",)


class Le(Comparison):
    """Whether the first is less or equal."""

    name = "le"
    torch = "torch.le"
    onnx = "LessOrEqual"
    symbol = "<="
    examples = ("x = input 3; x <= 0",)


class Gt(Comparison):
    """Whether the first is greater."""

    name = "gt"
    torch = "torch.gt"
    onnx = "Greater"
    symbol = ">"
    examples = ("x = input 3; x > 0",)


class Ge(Comparison):
    """Whether the first is greater or equal."""

    name = "ge"
    torch = "torch.ge"
    onnx = "GreaterOrEqual"
    symbol = ">="
    examples = ("x = input 3; x >= 0",)


# --- two tensors -----------------------------------------------------------------------------------------------------------


class Pair(Operator):
    """Two tensors that broadcast."""

    inputs = ("x", "other")
    verb: ClassVar[str] = ""

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        shape = broadcast(given[0].shape, given[1].shape, given.facts, self.name, self.verb)
        return (TensorType(self.result_type(result_type(given)), shape),)

    def result_type(self, operands: DType) -> DType:
        """The element type of the result, of that of the operands."""
        return operands


class Maximum(Pair):
    """The greater of both, element by element."""

    name = "maximum"
    torch = "torch.maximum"
    onnx = "Max"
    verb = "take the maximum of"
    examples = ("x = input 3; y = input 3; (x, y) -> maximum",)


class Minimum(Pair):
    """The lesser of both, element by element."""

    name = "minimum"
    torch = "torch.minimum"
    onnx = "Min"
    verb = "take the minimum of"
    examples = ("x = input 3; y = input 3; (x, y) -> minimum",)


class Logic(Pair):
    """A truth value for each pair; numbers count as true unless they are 0."""

    verb = "combine"

    def result_type(self, operands: DType) -> DType:
        return BOOL_TYPE


class LogicalAnd(Logic):
    """Whether both are true."""

    name = "logical_and"
    torch = "torch.logical_and"
    onnx = "And"
    examples = ("x = input 3; (x > 0, x < 1) -> logical_and",)


class LogicalOr(Logic):
    """Whether one of them is true."""

    name = "logical_or"
    torch = "torch.logical_or"
    onnx = "Or"
    examples = ("x = input 3; (x < 0, x > 1) -> logical_or",)


class LogicalXor(Logic):
    """Whether exactly one of them is true."""

    name = "logical_xor"
    torch = "torch.logical_xor"
    onnx = "Xor"
    examples = ("x = input 3; y = input 3; (x > 0, y > 0) -> logical_xor",)


class Where(Operator):
    """`x` where the condition is true, else `other`, which may be a number; with `reverse`, the number stands where it is true."""

    name = "where"
    torch = "torch.where"
    onnx = "Where"
    inputs = ("condition", "x", "other?")
    other = Arg(SCALAR, default=None, positional=True)
    reverse = Arg(BOOL, default=False)
    examples = ("x = input 3; y = input 3; (x > 0, x, y) -> where", "x = input 3; (x > 0, x) -> where 0")

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        """The choice that is a number."""
        other: Scalar | None = self.other
        return () if other is None else (other,)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        if len(given) + len(self.scalars) != 3:
            raise Refusal(OperandCount(self.name, "both" if self.scalars else "neither"), argument("other") if self.scalars else STAGE)
        if self.reverse and not self.scalars:
            raise Refusal(BadArgument(self.name, "reverse", "true", "goes only with a number"), argument("reverse"))
        if given[0].dtype != BOOL_TYPE:
            raise Refusal(NeedsBool(self.name, given[0]), input_(0))
        dtype = self.operand_type(given)
        refuse_unless_fits(self.name, given[1].with_dtype(dtype), self.other, "other")
        shape = broadcast_all([t.shape for t in given], given.facts, self.name, "choose between")
        return (TensorType(dtype, shape),)

    def operand_type(self, given: Given) -> DType:
        """The element type that both choices are converted to."""
        return result_type(given.types[1:], self.scalars)


class Clamp(Operator):
    """`x` held between `min` and `max`, one of which may be left out."""

    name = "clamp"
    torch = "torch.clamp"
    onnx = "Clip"
    min = Arg(SCALAR, default=None, positional=True)
    max = Arg(SCALAR, default=None, positional=True)
    examples = ("input 3 -> clamp 0 1", "input 3 -> clamp max=6")

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        x = given[0]
        bounds = {name: value for name, value in (("min", self.min), ("max", self.max)) if value is not None}
        if not bounds:
            raise Refusal(BadArgument(self.name, "min", "neither", "must be given, or `max`"), STAGE)
        dtype = result_type((x,), bounds.values())
        if dtype == BOOL_TYPE:
            raise Refusal(NeedsNumber(self.name, x), input_(0))
        for name, value in bounds.items():
            refuse_unless_fits(self.name, x.with_dtype(dtype), value, name)
        return (x.with_dtype(dtype),)


