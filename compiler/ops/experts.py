"""Mixtures of experts: each row is multiplied by the matrix that was chosen for it. Experts that no row chose cost nothing."""

from __future__ import annotations

from ..dims import Dim
from ..errors.operator_errors import ShapeMismatch
from ..types.tensor_types import TensorType
from .element_types import FLOATS, INDICES
from .operand import SOME_AXES, Input, axes
from .operator import Operator, OperatorError, OpInputs, numel
from .requirements import require_same_size


class GroupedLinear(Operator):
    """The product of each row with the matrix of its group: `y = W[index] x`, over the last axis.

    `x` has the rows `[..., features]`, `index` the group of each row `[...]`, `weight` a matrix for each group `[groups, units, features]`.
    A row costs one product with a matrix, however many groups there are. A row whose index is not a group gives zeros.
    """

    name = "grouped_linear"
    x = Input(FLOATS, SOME_AXES)
    index = Input(INDICES)
    weight = Input(FLOATS, axes("groups units features", "[groups, units, features]"), like="x")
    examples = ("x = input [T, 8]; expert = input [T] int64; w = param [4, 16, 8] as up_proj; (x, expert, w) -> grouped_linear",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, index, weight = inputs.x, inputs.index, inputs.weight
        if index.rank != x.rank - 1:
            why = "there must be an index for each row"
            raise OperatorError(ShapeMismatch("multiply the rows of", x.shape, index.shape, why), inputs.at("index"))
        for axis in range(index.rank):
            require_same_size(self.name, inputs, ("x", "index"), axis, "multiply the rows of", f"their axes {axis}")
        require_same_size(self.name, inputs, ("x", "weight"), -1, "multiply the rows of", "their last axes")
        return (x.with_shape((*x.shape[:-1], weight.shape[1])),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.count_multiply_adds(inputs, results)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * inputs.x.shape[-1]
