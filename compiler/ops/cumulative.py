"""Operators that combine each element of an axis with the elements before it, such as the running maximum and differences.

In: one tensor. Out: one tensor of the same rank. `cumsum` and `cumprod` belong to the reductions.
"""

from __future__ import annotations

from ..dims import Dim
from ..errors.operator_errors import EmptyResult, WrongRank
from ..errors.problem import argument_location
from ..types.tensor_types import INT64, TensorType
from .axes import normalize_axis
from .element_types import FLOATS
from .kinds import AXIS, IntKind
from .operand import Input
from .operator import Arg, Operator, OperatorError, OpInputs, numel


class Logcumsumexp(Operator):
    """The logarithm of the cumulative sum of exponentials, without overflow in between."""

    name = "logcumsumexp"
    x = Input(FLOATS)
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("input [T] -> logcumsumexp axis=1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        normalize_axis(self.name, self.axis, inputs.x)
        return (inputs.x,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """An exponential and a sum for each element."""
        return 2 * numel(inputs.x.shape)


class CumulativeExtreme(Operator):
    """The values and, when unpacked, their indices. Among equal elements, the last one's index. From the first NaN on, the values are
    NaN."""

    extras = True
    x = Input()
    axis = Arg(AXIS, positional=True, alias="dim")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        normalize_axis(self.name, self.axis, inputs.x)
        return inputs.x, inputs.x.with_dtype(INT64)


class Cummax(CumulativeExtreme):
    """The greatest of the elements of an axis up to each, and their indices: `(values, indices) = x -> cummax axis=1`.

    Among equal elements, the index is the last one's. From the first NaN on, the values are NaN.
    """

    name = "cummax"
    examples = ("input [T] -> cummax axis=1", "x = input 4; (values, indices) = x -> cummax axis=1; out values, indices")


class Cummin(CumulativeExtreme):
    """The least of the elements of an axis up to each, and their indices: `(values, indices) = x -> cummin axis=1`.

    Among equal elements, the index is the last one's. From the first NaN on, the values are NaN.
    """

    name = "cummin"
    examples = ("input [T] -> cummin axis=1",)


class Diff(Operator):
    """The difference of each element of an axis from the one before it, `n` times: the axis gets shorter by `n`.

    Of booleans, whether the two differ.
    """

    name = "diff"
    x = Input()
    n = Arg(IntKind(0), default=1, positional=True)
    axis = Arg(AXIS, default=-1, alias="dim")
    examples = ("input [8] -> diff", "input [T, 3] where T >= 3 -> diff 2 axis=1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if not x.rank:
            raise OperatorError(WrongRank(self.name, "at least one axis", x), inputs.at("x"))
        axis = normalize_axis(self.name, self.axis, x)
        shape = (*x.shape[:axis], x.shape[axis] - self.n, *x.shape[axis + 1 :])
        # PyTorch returns an empty tensor here. For why netc refuses it, see docs/decisions/060-empty-sizes.md.
        if inputs.facts.is_at_least(shape[axis], 1) is False:
            raise OperatorError(EmptyResult(self.name, shape, axis), argument_location("n"))
        return (x.with_shape(shape),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return self.n * numel(results[0].shape)
