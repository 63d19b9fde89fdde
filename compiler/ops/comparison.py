"""Comparison and logic on tensors, and selection by it, element by element.

In: one or two tensors that broadcast, or one and a number. Out: one tensor, bool except for the selection. Always: numbers count as true
unless they are 0.
"""

from __future__ import annotations

from ..errors.problem import Location, Problem
from ..types.tensor_types import BOOL, DType, TensorType
from .arithmetic import BinaryOperator, Pair
from .broadcast import broadcast_all
from .element_types import BOOLS
from .operand import Input
from .operator import Operator, OpInputs
from .pointwise import Pointwise
from .promotion import result_type
from .scalars import compute_dtype, require_exact_scalar, scalar_warnings


class Comparison(BinaryOperator):
    """A boolean for each pair."""

    verb = "compare"

    def result_type(self, operands: DType) -> DType:
        return BOOL


class Eq(Comparison):
    """Whether both are equal."""

    name = "eq"
    symbol = "=="
    examples = ("x = input [T] int64; x == 0",)


class Ne(Comparison):
    """Whether they differ."""

    name = "ne"
    symbol = "!="
    examples = ("x = input [T] int64; x != 0",)


class Lt(Comparison):
    """Whether the first is less."""

    name = "lt"
    symbol = "<"
    examples = ("x = input 3; x < 0",)


class Le(Comparison):
    """Whether the first is less or equal."""

    name = "le"
    symbol = "<="
    examples = ("x = input 3; x <= 0",)


class Gt(Comparison):
    """Whether the first is greater."""

    name = "gt"
    symbol = ">"
    examples = ("x = input 3; x > 0",)


class Ge(Comparison):
    """Whether the first is greater or equal."""

    name = "ge"
    symbol = ">="
    examples = ("x = input 3; x >= 0",)


class Logic(Pair):
    """A boolean for each pair; numbers count as true unless they are 0."""

    verb = "combine"

    def result_type(self, operands: DType) -> DType:
        return BOOL


class LogicalAnd(Logic):
    """Whether both are true."""

    name = "logical_and"
    examples = ("x = input 3; (x > 0, x < 1) -> logical_and",)


class LogicalOr(Logic):
    """Whether one of them is true."""

    name = "logical_or"
    examples = ("x = input 3; (x < 0, x > 1) -> logical_or",)


class LogicalXor(Logic):
    """Whether exactly one of them is true."""

    name = "logical_xor"
    examples = ("x = input 3; y = input 3; (x > 0, y > 0) -> logical_xor",)


class Predicate(Pointwise):
    """A boolean for each element."""

    # Integers and booleans too, as in PyTorch, which answers without looking at them.
    x = Input()

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x.with_dtype(BOOL),)


class Isnan(Predicate):
    """Whether it is NaN, as `0 / 0` is."""

    name = "isnan"
    examples = ("x = input 3; x / x -> isnan",)


class Isinf(Predicate):
    """Whether it is infinite."""

    name = "isinf"
    examples = ("x = input 3; 1 / x -> isinf",)


class Isfinite(Predicate):
    """Whether it is neither NaN nor infinite."""

    name = "isfinite"
    examples = ("x = input 3; 1 / x -> isfinite",)


class Where(Operator):
    """`x` where the condition is true, else `other`, which may be a number; with `reverse`, the number is taken where it is true."""

    name = "where"
    condition = Input(BOOLS)
    x = Input()
    other = Input(or_number=True, either_side=True)
    examples = ("x = input 3; y = input 3; (x > 0, x, y) -> where", "x = input 3; (x > 0, x) -> where 0")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        dtype = self.operand_type(inputs)
        # `torch.where` refuses no number for half types: whatever float32 holds is converted, to infinity if need be.
        require_exact_scalar(self.name, inputs.x.with_dtype(compute_dtype(dtype)), self.other, "other")
        shape = broadcast_all([t.shape for t in inputs], inputs.facts, self.name, "choose between")
        return (TensorType(dtype, shape),)

    def operand_type(self, inputs: OpInputs) -> DType:
        """Return the element type to which both choices are converted."""
        return result_type(inputs.types[1:], self.scalars)

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, inputs.x.with_dtype(self.operand_type(inputs)), other=self.other)
