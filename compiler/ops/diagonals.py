"""Extract the diagonals of matrices, and make matrices from diagonals.

In: one tensor; any two axes may be the axes of the matrices. Out: a tensor with one axis less, or one more. Always: a positive `offset`
counts diagonals above the main one, and a negative one below it.
"""

from __future__ import annotations

from ..dims import Dim, dim_min
from ..errors.operator_errors import BadArgument, EmptyResult
from ..errors.problem import argument_location
from ..types.tensor_types import TensorType
from .axes import normalize_axis
from .element_types import ANY
from .kinds import AXIS, IntKind
from .operand import SOME_AXES, Input, axes
from .operator import Arg, OperatorError, OpInputs
from .shape import Layout


def _two_axes(op: Diagonal | DiagEmbed, x: TensorType) -> tuple[int, int]:
    """Return the axes of rows and columns, counted from the front of `x`."""
    rows = normalize_axis(op.name, op.axis1, x, "axis1")
    columns = normalize_axis(op.name, op.axis2, x, "axis2")
    if rows == columns:
        raise OperatorError(BadArgument(op.name, "axis2", str(op.axis2), "must be another axis than `axis1`"), argument_location("axis2"))
    return rows, columns


class Diagonal(Layout):
    """The diagonal of the matrices of two axes, as a new last axis."""

    name = "diagonal"
    x = Input(ANY, axes("... n m", "at least two axes"))
    offset = Arg(IntKind(varies=True), default=0, positional=True)
    axis1 = Arg(AXIS, default=0, alias="dim1")
    axis2 = Arg(AXIS, default=1, alias="dim2")
    examples = ("input 4x4 -> diagonal axis1=1 axis2=2", "input [T, T] -> diagonal 1 axis1=-2 axis2=-1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        rows, columns = self.matrix_axes(x)
        rest = tuple(size for axis, size in enumerate(x.shape) if axis not in (rows, columns))
        length = self.diagonal_length(inputs)
        if inputs.facts.is_at_least(length, 1) is False:
            raise OperatorError(EmptyResult(self.name, (*rest, length), len(rest)), argument_location("offset"))
        return (x.with_shape((*rest, length)),)

    def matrix_axes(self, x: TensorType) -> tuple[int, int]:
        """Return the axes of the rows and the columns, counted from the front."""
        return _two_axes(self, x)

    def diagonal_length(self, inputs: OpInputs) -> Dim:
        """Return the number of elements on the diagonal."""
        rows, columns = (inputs.x.shape[axis] for axis in self.matrix_axes(inputs.x))
        high, wide = rows + min(self.offset, 0), columns - max(self.offset, 0)
        # One of the two if it is known which is less: `min(T, T + 1)` would be opaque to later proofs.
        if inputs.facts.is_at_least(wide, high):
            return high
        return wide if inputs.facts.is_at_least(high, wide) else dim_min(high, wide)


class DiagEmbed(Layout):
    """Matrices that are 0 but for a diagonal, which is the last axis of the input."""

    name = "diag_embed"
    x = Input(ANY, SOME_AXES)
    offset = Arg(IntKind(varies=True), default=0, positional=True)
    axis1 = Arg(AXIS, default=-2, alias="dim1")
    axis2 = Arg(AXIS, default=-1, alias="dim2")
    examples = ("input [T] -> diag_embed", "input 4 -> diag_embed offset=-1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        shape = list(x.shape[:-1])
        # The lower axis first: both count in the result, and each insertion moves the axes after it.
        for axis in sorted(self.matrix_axes(x)):
            shape.insert(axis, self.side_length(x))
        return (x.with_shape(tuple(shape)),)

    def matrix_axes(self, x: TensorType) -> tuple[int, int]:
        """Return the axes of the rows and the columns in the result, counted from the front."""
        # The result has one axis more than the input, so negative axes count from another end.
        return _two_axes(self, x.with_shape((*x.shape, 1)))

    def side_length(self, x: TensorType) -> Dim:
        """Return the number of rows, which is the number of columns."""
        return x.shape[-1] + abs(self.offset)
