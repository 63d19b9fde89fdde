"""Comparison and logic on tensors, and the choice by it, element by element.

In: one or two tensors that broadcast, or one and a number. Out: one tensor, bool but for the choice. Always: numbers count as true unless
they are 0.
"""

from __future__ import annotations

from ..errors.base import Location, Problem, input_
from ..errors.operators import NeedsBool
from ..ir.types import BOOL, DType, TensorType
from .arithmetic import BinaryOperator, MaybeNumber, Pair
from .base import OperatorError, OpInputs
from .broadcast import broadcast_all
from .pointwise import ANYTHING, Pointwise, computed, require_exact_scalar, scalar_warnings
from .promotion import result_type


class Comparison(BinaryOperator):
    """A truth value for each pair."""

    verb = "compare"

    def result_type(self, operands: DType) -> DType:
        return BOOL


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


class Logic(Pair):
    """A truth value for each pair; numbers count as true unless they are 0."""

    verb = "combine"

    def result_type(self, operands: DType) -> DType:
        return BOOL


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


class Predicate(Pointwise):
    """A truth value for each element."""

    takes = ANYTHING

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        return (given[0].with_dtype(BOOL),)


class Isnan(Predicate):
    """Whether it is no number, as `0 / 0` is none."""

    name = "isnan"
    torch = "torch.isnan"
    onnx = "IsNaN"
    examples = ("x = input 3; x / x -> isnan",)


class Isinf(Predicate):
    """Whether it is infinite."""

    name = "isinf"
    torch = "torch.isinf"
    onnx = "IsInf"
    examples = ("x = input 3; 1 / x -> isinf",)


class Isfinite(Predicate):
    """Whether it is a number and not infinite."""

    name = "isfinite"
    torch = "torch.isfinite"
    onnx = "IsNaN, IsInf, Or and Not"
    examples = ("x = input 3; 1 / x -> isfinite",)


class Where(MaybeNumber):
    """`x` where the condition is true, else `other`, which may be a number; with `reverse`, the number stands where it is true."""

    name = "where"
    torch = "torch.where"
    onnx = "Where"
    inputs = ("condition", "x", "other?")
    examples = ("x = input 3; y = input 3; (x > 0, x, y) -> where", "x = input 3; (x > 0, x) -> where 0")

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        self.refuse_operands(given)
        if given[0].dtype != BOOL:
            raise OperatorError(NeedsBool(self.name, given[0]), input_(0))
        dtype = self.operand_type(given)
        # PyTorch makes a half type of a float32 without asking.
        require_exact_scalar(self.name, given[1].with_dtype(computed(dtype)), self.other, "other")
        shape = broadcast_all([t.shape for t in given], given.facts, self.name, "choose between")
        return (TensorType(dtype, shape),)

    def operand_type(self, given: OpInputs) -> DType:
        """The element type that both choices are converted to."""
        return result_type(given.types[1:], self.scalars)

    def warnings(self, given: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, given[1].with_dtype(self.operand_type(given)), other=self.other)
