"""Arithmetic on tensors, element by element.

In: one tensor, or two that broadcast, or one and a number. Out: one tensor; its element type is PyTorch's, of tensors without axes and of
numbers too. Always: `symbol` is what the operator is written as between two operands, `prefix_symbol` before one.
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import SymDim
from ..errors.arithmetic import NeedsNumber, OperandCount
from ..errors.base import STAGE, Place, Problem, argument, input_
from ..errors.operators import BadArgument
from ..types import BOOL as BOOL_TYPE
from ..types import FLOAT32, DType, TensorType
from .base import Arg, Given, Operator, Refusal
from .broadcast import broadcast
from .kinds import BOOL, SCALAR
from .pointwise import changed, refuse_outside, refuse_unless_held, wrapped
from .promotion import Scalar, result_type


class MaybeNumber(Operator):
    """The last input may be a number instead; with `reverse`, it changes places with the tensor before it."""

    other = Arg(SCALAR, default=None, positional=True)
    reverse = Arg(BOOL, default=False)

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        """The number, if there is one."""
        other: Scalar | None = self.other
        return () if other is None else (other,)

    def refuse_operands(self, given: Given) -> None:
        """Refuses a tensor as well as a number, and neither."""
        if len(given) + len(self.scalars) != len(self.inputs):
            place = argument("other") if self.scalars else STAGE
            raise Refusal(OperandCount(self.name, "both" if self.scalars else "neither"), place)
        if self.reverse and not self.scalars:
            raise Refusal(BadArgument(self.name, "reverse", "true", "goes only with a number"), argument("reverse"))


class Binary(MaybeNumber):
    """Two operands, the second of which may be a number."""

    inputs = ("x", "other?")
    verb: ClassVar[str] = ""
    """Completes "cannot ..." in the message about two shapes."""

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        self.refuse_operands(given)
        dtype = self.operand_type(given)
        self.refuse_types(given, dtype)
        shapes = [t.shape for t in given]
        shape = shapes[0] if self.scalars else broadcast(shapes[0], shapes[1], given.facts, self.name, self.verb)
        return (TensorType(self.result_type(dtype), shape),)

    def operand_type(self, given: Given) -> DType:
        """The element type that both operands are converted to."""
        return result_type(given, self.scalars)

    def result_type(self, operands: DType) -> DType:
        """The element type of the result, of that of the operands."""
        return operands

    def refuse_types(self, given: Given, dtype: DType) -> None:
        """Refuses element types and numbers that the operator does not go with."""

    def number(self, dtype: DType) -> Scalar:
        """The number in the element type of the operands."""
        return wrapped(self.scalars[0], dtype)

    def warnings(self, given: Given) -> tuple[tuple[Problem, Place], ...]:
        if not self.scalars:
            return ()
        x = given[0].with_dtype(self.operand_type(given))
        return changed(self.symbol or self.name, x, {"other": (self.other, self.number(x.dtype))})


def _refuse_bool(operator: str, given: Given, dtype: DType) -> None:
    if dtype == BOOL_TYPE:
        raise Refusal(NeedsNumber(operator, given[0]), input_(0))


def _refuse_zero(op: Binary, dtype: DType) -> None:
    if dtype.is_integer and not op.reverse and not isinstance(op.other, SymDim) and op.scalars and op.number(dtype) == 0:
        found = "0" if op.other == 0 else f"{op.other}, which {dtype} takes as 0"
        raise Refusal(BadArgument(op.name, "other", found, f"must not be 0 for {dtype} tensors"), argument("other"))


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
        if self.scalars and not self.reverse:
            refuse_unless_held(self.name, given[0].with_dtype(dtype), exponent, "other")
        if self.reverse or not isinstance(exponent, int) or exponent >= 0 or not dtype.is_integer:
            return
        needed = f"must not be negative for {given[0].dtype} tensors"
        raise Refusal(BadArgument(self.name, "other", str(exponent), needed, f"write `{exponent}.0` for a float32"), argument("other"))


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


class Clamp(Operator):
    """`x` held between `min` and `max`, one of which may be left out.

    Each must be a number that the result's element type holds, whatever the sizes in it are: of others, the versions of PyTorch make
    different things.
    """

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
            refuse_outside(self.name, x.with_dtype(dtype), value, name)
        return (x.with_dtype(dtype),)
