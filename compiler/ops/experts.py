"""Mixtures of experts: each row is multiplied by the matrix that was chosen for it, so that only chosen experts cost anything."""

from __future__ import annotations

from ..dims import Dim, advice, show
from ..errors.operators import ShapeMismatch, Unprovable
from ..ir.types import TensorType
from .base import Operator, OperatorError, OpInputs, numel
from .element_types import FLOATS, INDICES
from .operand import SOME_AXES, Input, axes


class GroupedLinear(Operator):
    """The product of each row with the matrix of its group: `y = W[index] x`, over the last axis.

    `x` has the rows `[..., features]`, `index` the group of each row `[...]`, `weight` a matrix for each group `[groups, units, features]`.
    The cost is that of one matrix for each row, however many groups there are. A row whose index is no group gives zeros.
    """

    name = "grouped_linear"
    x = Input(FLOATS, SOME_AXES)
    index = Input(INDICES)
    weight = Input(FLOATS, axes("groups units features", "[groups, units, features]"), like="x")
    examples = ("x = input [T, 8]; expert = input [T] int64; w = param [4, 16, 8] as up_proj; (x, expert, w) -> grouped_linear",)

    def rule(self, given: OpInputs) -> tuple[TensorType, ...]:
        x, index, weight = given.x, given.index, given.weight
        if index.rank != x.rank - 1:
            raise OperatorError(self._mismatch(x, index, "there must be an index for each row"), given.at("index"))
        for axis, (size, count) in enumerate(zip(x.shape[:-1], index.shape, strict=True)):
            self._require_equal(given, "index", size, count, f"axis {axis} of both must be the same")
        self._require_equal(given, "weight", x.shape[-1], weight.shape[-1], "the last axes of both must be the same")
        return (x.with_shape((*x.shape[:-1], weight.shape[1])),)

    def _require_equal(self, given: OpInputs, name: str, size: Dim, other: Dim, need: str) -> None:
        same = given.facts.equal(size, other)
        if same is False:
            raise OperatorError(self._mismatch(given.x, given[name], f"{need}, and {show(size)} is not {show(other)}"), given.at(name))
        if same is None:
            raise OperatorError(Unprovable(self.name, size, other, need, advice(size, other) or ""), given.at(name))

    @staticmethod
    def _mismatch(x: TensorType, other: TensorType, why: str) -> ShapeMismatch:
        return ShapeMismatch("multiply the rows of", x.shape, other.shape, why)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.multiply_adds(given, results)

    def multiply_adds(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * given.x.shape[-1]
