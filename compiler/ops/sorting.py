"""Sort the elements along an axis, find the greatest of them, and search in sorted numbers.

In: one tensor. Out: its elements in order, and (when unpacked) their indices. Always: NaN counts as the greatest. Which of equal
elements comes first is undefined, unless `stable` is set: then their order is kept.
"""

from __future__ import annotations

from ..dims import Dim, format_dim
from ..errors.arithmetic import NeedsNumber
from ..errors.operator_errors import BadArgument
from ..errors.problem import argument_location
from ..errors.shape import UnprovableSize
from ..types.tensor_types import BOOL, INT64, TensorType, show_shape
from .axes import normalize_axis
from .element_types import ANY, NUMBERS
from .kinds import AXIS, FLAG, SIZE
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .promotion import result_type
from .requirements import at_most_text


class _Order(Operator):
    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One operation for each element of the input."""
        return numel(inputs.x.shape)


class Topk(_Order):
    """The `k` greatest elements of an axis (the least, if `largest` is false), and their indices: `(values, indices) = x -> topk 3`."""

    name = "topk"
    extras = True
    # `torch.topk` has no kernel for booleans, although `torch.sort` has.
    x = Input(NUMBERS)
    k = Arg(SIZE, positional=True)
    axis = Arg(AXIS, default=-1, positional=True, alias="dim")
    largest = Arg(FLAG, default=True)
    sorted = Arg(FLAG, default=True)
    examples = ("input [T, 8] -> topk 3", "x = input 8; (values, indices) = x -> topk 2 largest=false; out values, indices")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axis = normalize_axis(self.name, self.axis, x)
        # `torch.topk` takes a tensor without axes for one element.
        size = x.shape[axis] if x.rank else 1
        enough = inputs.facts.is_at_least(size, self.k)
        if enough is False:
            needed = f"must be at most {format_dim(size)}, the size of axis {axis} of {show_shape(x.shape)}"
            raise OperatorError(BadArgument(self.name, "k", format_dim(self.k), needed), argument_location("k"))
        if enough is None:
            need = f"axis {axis} of {show_shape(x.shape)} has {format_dim(self.k)} elements"
            raise OperatorError(UnprovableSize(need, "`topk` needs this many", at_most_text(self.k, size)), argument_location("k"))
        values = x if not x.rank else x.with_shape((*x.shape[:axis], self.k, *x.shape[axis + 1 :]))
        return values, values.with_dtype(INT64)


class Sort(_Order):
    """The elements in order along an axis, and their indices: `(values, indices) = x -> sort axis=1`."""

    name = "sort"
    extras = True
    x = Input()
    axis = Arg(AXIS, default=-1, positional=True, alias="dim")
    descending = Arg(FLAG, default=False)
    stable = Arg(FLAG, default=False)
    examples = ("input [T, 8] -> sort", "x = input 8; (values, indices) = x -> sort descending=true; out values, indices")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        normalize_axis(self.name, self.axis, x)
        return x, x.with_dtype(INT64)


class Argsort(_Order):
    """The indices of the elements of an axis, in the order of the elements."""

    name = "argsort"
    x = Input()
    axis = Arg(AXIS, default=-1, positional=True, alias="dim")
    descending = Arg(FLAG, default=False)
    stable = Arg(FLAG, default=False)
    examples = ("input [T, 8] -> argsort axis=1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        normalize_axis(self.name, self.axis, x)
        return (x.with_dtype(INT64),)


class Bucketize(Operator):
    """The number of the boundaries below each element; with `right`, of those below or equal.

    The boundaries are in ascending order and none is NaN, which is not checked.
    """

    name = "bucketize"
    x = Input()
    boundaries = Input(ANY, axes("n", "a list of boundaries, with one axis"))
    right = Arg(FLAG, default=False)
    examples = ("x = input [T]; boundaries = param [9] init=zeros trainable=false as boundaries; (x, boundaries) -> bucketize",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # `torch.bucketize` has no kernel for booleans alone.
        if result_type(inputs) == BOOL:
            raise OperatorError(NeedsNumber(self.name, inputs.x), inputs.at("x"))
        return (inputs.x.with_dtype(INT64),)
