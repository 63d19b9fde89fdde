"""Assignments: pairs of rows and columns of a table of costs. A loss of sets needs them, because its predictions have no order.

In: costs. Out: the number of a column for each row. Always: there is no gradient, and the operator is computed on the CPU. ONNX has no such
operator.
"""

from __future__ import annotations

from ..dims import Dim, free_symbols
from ..errors.operator_errors import WrongSize
from ..types.tensor_types import BATCH, INT64, TensorType
from .operand import Input, axes
from .operator import Operator, OperatorError, OpInputs, numel


class Match(Operator):
    """The column of each row in the assignment of the least total cost, or -1 for a row without a column.

    `cost` is `[..., rows, columns]`, and each of its matrices has an assignment of its own. A row has one column at most, and a column one
    row. An infinite cost forbids a pair. As many rows as possible have a column. A cost that is NaN or -inf is an error at run time.

    Use it for a loss of sets, which DETR and permutation-invariant training have: `gather` takes the target of each prediction, or the cost
    of each pair. SciPy computes the assignments, on the CPU. There is no gradient. PyTorch only.
    """

    name = "match"
    cost = Input(axes=axes("... rows columns", "[..., rows, columns]", least=2))
    examples = (
        "cost = input [T, T]; order = cost -> match; (cost, order -> unsqueeze 2) -> gather 2 -> mean",
        "boxes = input [100, 4]; targets = input [M, 4]; (boxes, targets) -> cdist 1 -> match",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        cost = inputs.cost
        if any(BATCH in free_symbols(size) for size in cost.shape[-2:]):
            raise OperatorError(WrongSize(self.name, "a matrix of costs for each sample, [N, rows, columns]", cost), inputs.at("cost"))
        return (TensorType(INT64, cost.shape[:-1]),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """At most one pass over the costs for each row."""
        return inputs.cost.shape[-2] * numel(inputs.cost.shape)
