"""Linear algebra: products of vectors, matrices and batches of them; distances."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from netc.dsl.record import replace

from ..dims import Dim, Facts, format_dim, suggest_equality
from ..errors.arithmetic import NeedsNumber
from ..errors.linear_algebra import NarrowNumbers
from ..errors.operator_errors import BadArgument, NeedsFloat, ShapeMismatch, Unprovable, WrongRank, WrongSize
from ..errors.problem import STAGE, argument_location, input_location
from ..errors.shape import UnprovableSize
from ..types.tensor_types import BOOL, INT64, DType, Shape, TensorType, promote_types, show_shape
from .axes import normalize_axis
from .broadcast import broadcast
from .element_types import ANY, FLOATS, NUMBERS
from .equation import Equation, read_equation
from .kinds import AXIS, EXTENDED, STRING, NumberKind
from .operand import Input, Inputs, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .promotion import result_type
from .requirements import require_same_dtype, require_same_size

VECTOR = axes("n", "one axis", hints={2: 'for a product within each sample, write `-> einsum "ni,nj->nij"`'})


class Matmul(Operator):
    """The matrix product of the last two axes; the axes before them broadcast. A tensor of one axis is a vector."""

    name = "matmul"
    symbol = "@"
    # PyTorch multiplies no matrices of booleans, and none of two types.
    x = Input(NUMBERS, axes("... n k", "at least one axis", least=1))
    other = Input(NUMBERS, axes("... k m", "at least one axis", least=1), like="x")
    examples = ("x = input [T, 8]; w = param [8, 4] as w; x @ w", "a = input 3x4; b = input 4x5; (a, b) -> matmul")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, other = inputs.x, inputs.other
        self._refuse_unless_they_meet(x.shape, other.shape, inputs.facts)
        rows = x.shape[-2:-1]
        columns = other.shape[-1:] if other.rank > 1 else ()
        return (x.with_shape((*self._batch_shape(x.shape, other.shape, inputs.facts), *rows, *columns)),)

    def _refuse_unless_they_meet(self, x: Shape, other: Shape, facts: Facts) -> None:
        inner = other[-2] if len(other) > 1 else other[-1]
        same = facts.are_equal(x[-1], inner)
        which = "axis -2" if len(other) > 1 else "the axis"
        if same is False:
            why = f"axis -1 of the first is {format_dim(x[-1])}, {which} of the second is {format_dim(inner)}"
            raise OperatorError(ShapeMismatch("multiply", x, other, why, _suggest_transpose(x, other, facts)), STAGE)
        if same is None:
            need = f"axis -1 of the first and {which} of the second must agree"
            better = _suggest_transpose(x, other, facts)
            raise OperatorError(Unprovable(self.name, x[-1], inner, need, suggest_equality(x[-1], inner) or "", suggestion=better), STAGE)

    def _batch_shape(self, x: Shape, other: Shape, facts: Facts) -> Shape:
        """Return the axes before the matrices. The shapes are broadcast with equal matrices at their ends, so that messages count all
        axes."""
        if len(x) < 3 or len(other) < 3:
            return x[:-2] + other[:-2]
        try:
            return broadcast(x, (*other[:-2], *x[-2:]), facts, self.name, "multiply")[:-2]
        except OperatorError as refusal:
            # The message shows the tensors of the text, not the shapes that were made up for the broadcast.
            if isinstance(refusal.problem, ShapeMismatch):
                raise OperatorError(replace(refusal.problem, left=x, right=other, suggestion=""), refusal.at) from None
            raise

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.count_multiply_adds(inputs, results)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One multiply-add for each element of the result and each element of the axis that is summed over."""
        return inputs.x.shape[-1] * numel(results[0].shape)


def _suggest_transpose(x: Shape, other: Shape, facts: Facts) -> str:
    """Suggest which of two matrices to transpose so that their sizes match."""
    inner = other[-2] if len(other) > 1 else other[-1]
    if len(other) > 1 and facts.are_equal(x[-1], other[-1]):
        return f"transpose the second one: `({{1}} -> transpose {len(other) - 2} {len(other) - 1})`"
    if len(x) > 1 and facts.are_equal(x[-2], inner):
        return f"transpose the first one: `({{0}} -> transpose {len(x) - 2} {len(x) - 1})`"
    return ""


class Einsum(Operator):
    """Sums of products by an equation that names the axes: `einsum "bij,bjk->bik"`."""

    name = "einsum"
    xs = Inputs()
    equation = Arg(STRING, positional=True)
    examples = ('a = input 3x4; b = input 4x5; (a, b) -> einsum "bij,bjk->bik"', 'input 3x4 -> einsum "...ij->...ji"')

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        equation = self.read_equation(inputs)
        return (TensorType(self._result_dtype(equation, inputs), equation.shape()),)

    def _result_dtype(self, equation: Equation, inputs: OpInputs) -> DType:
        """The element type. PyTorch sums over axes that only one tensor has, which makes int64 of integers; then it multiplies element by
        element, which promotes, or, where axes are summed over, matrices, which must be of one type. Axes of 1 do not count."""
        holders = equation.find_holders([t.shape for t in inputs], inputs.facts)
        summed = {label: indices for label, indices in holders.items() if label not in equation.result}
        alone = {indices[0] for indices in summed.values() if len(indices) == 1}
        if len(inputs) == 1:
            alone = {0} if len(equation.sizes) > len(equation.result) else set()
        dtypes = [INT64 if index in alone and not t.dtype.is_float else t.dtype for index, t in enumerate(inputs)]
        for label, indices in summed.items():
            holder = inputs.types[indices[0]]
            # Whether PyTorch sums (and so promotes to int64) depends on whether a symbolic axis is 1: no type is
            # right for both.
            unsure = len(indices) == 1 < len(inputs) and inputs.facts.are_equal(equation.sizes[label], 1) is None
            if unsure and not holder.dtype.is_float and holder.dtype != INT64:
                raise OperatorError(NarrowNumbers(self.name, holder), input_location(indices[0]))
        if all(len(indices) == 1 for indices in summed.values()):
            return reduce(promote_types, dtypes)
        # A label that several operands share is summed by a matrix product, which does not promote types in PyTorch.
        require_same_dtype(self.name, inputs)
        if inputs.types[0].dtype == BOOL:
            raise OperatorError(NeedsNumber(self.name, inputs.types[0]), input_location(0))
        if len(set(dtypes)) > 1:
            narrow = min(alone)
            raise OperatorError(NarrowNumbers(self.name, inputs.types[narrow]), input_location(narrow))
        return dtypes[0]

    def read_equation(self, inputs: OpInputs) -> Equation:
        """Read the equation for the shapes of the inputs."""
        return read_equation(self.equation, [t.shape for t in inputs], inputs.facts)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        equation = self.read_equation(inputs)
        if len(inputs) == 1:
            return numel(inputs.types[0].shape) if len(equation.sizes) > len(equation.result) else 0
        return sum((2 if summed else 1) * count for count, summed in self._count_products(equation))

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return sum(count for count, summed in self._count_products(self.read_equation(inputs)) if summed)

    @staticmethod
    def _count_products(equation: Equation) -> Iterator[tuple[Dim, bool]]:
        """Iterate over the operands after the first: the number of products with each, and whether the products are summed.

        The operands are multiplied from left to right; a label is summed over as soon as nothing else needs it.
        """
        labels = set(equation.operands[0])
        for index, operand in enumerate(equation.operands[1:], 1):
            together = labels | set(operand)
            needed = set(equation.result).union(*equation.operands[index + 1 :])
            labels = together & needed
            yield numel(tuple(equation.sizes[label] for label in sorted(together))), labels != together


class Outer(Operator):
    """The product of each element of one vector with each of another."""

    name = "outer"
    definition = "(x -> unsqueeze 1) * (other -> unsqueeze 0)"
    x = Input(ANY, VECTOR)
    other = Input(ANY, VECTOR)
    examples = ("a = input [3] batch=false; b = input [4] batch=false; (a, b) -> outer",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (TensorType(result_type(inputs), inputs.x.shape + inputs.other.shape),)


class CosineSimilarity(Operator):
    """The cosine of the angle between vectors along an axis; lengths are taken to be at least `eps`."""

    name = "cosine_similarity"
    definition = """
        common = x * other
        a = x -> cast common.dtype -> expand common.shape -> normalize axis=axis eps=eps
        b = other -> cast common.dtype -> expand common.shape -> normalize axis=axis eps=eps
        a * b -> sum axis=axis
    """
    x = Input()
    other = Input()
    axis = Arg(AXIS, default=1, positional=True, alias="dim")
    eps = Arg(NumberKind(0), default=1e-8)
    examples = ("a = input 8; b = input 8; (a, b) -> cosine_similarity",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        common = self.common_type(inputs)
        if not common.dtype.is_float:
            raise OperatorError(NeedsFloat(self.name, inputs.x), inputs.at("x"))
        axis = normalize_axis(self.name, self.axis, common)
        return (common.with_shape(common.shape[:axis] + common.shape[axis + 1 :]),)

    def common_type(self, inputs: OpInputs) -> TensorType:
        """Return the type to which both are converted and broadcast before they are compared."""
        shape = broadcast(inputs.x.shape, inputs.other.shape, inputs.facts, self.name, "compare")
        return TensorType(promote_types(inputs.x.dtype, inputs.other.dtype), shape)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Two lengths and a product of vectors, each with a multiply-add for each element."""
        return 6 * numel(self.common_type(inputs).shape)


class Cross(Operator):
    """The cross product of vectors of three numbers along an axis."""

    name = "cross"
    x = Input(NUMBERS)
    other = Input(NUMBERS, like="x")
    axis = Arg(AXIS, default=-1, positional=True, alias="dim")
    examples = ("a = input [T, 3]; b = input [T, 3]; (a, b) -> cross",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, other = inputs.x, inputs.other
        if x.rank != other.rank or not x.rank:
            name = "other" if x.rank else "x"
            needed = f"a tensor with as many axes as {show_shape(x.shape)}" if x.rank else "at least one axis"
            raise OperatorError(WrongRank(self.name, needed, inputs[name]), inputs.at(name))
        axis = normalize_axis(self.name, self.axis, x)
        for name in inputs.names:
            three = inputs.facts.are_equal(inputs[name].shape[axis], 3)
            if three is False:
                raise OperatorError(WrongSize(self.name, f"an axis {axis} of size 3", inputs[name]), inputs.at(name))
            if three is None:
                need = f"axis {axis} of {show_shape(inputs[name].shape)} is 3"
                problem = UnprovableSize(need, "`cross` needs it", suggest_equality(inputs[name].shape[axis], 3) or "")
                raise OperatorError(problem, inputs.at(name))
        return (x.with_shape(broadcast(x.shape, other.shape, inputs.facts, self.name, "multiply")),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Two products and a difference for each element."""
        return 3 * numel(results[0].shape)


class Cdist(Operator):
    """The distance of each row of one matrix from each row of another, by a p-norm; the axes before the matrices broadcast.

    PyTorch has no half types here on the CPU.
    """

    name = "cdist"
    x = Input(FLOATS, axes("... n k", "at least two axes"))
    other = Input(FLOATS, axes("... m k", "at least two axes"), like="x")
    p = Arg(EXTENDED, default=2, positional=True)
    examples = ("a = input 5x3; b = input 4x3; (a, b) -> cdist", "a = input [T, 3]; b = param [8, 3] as b; (a, b) -> cdist 1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        if self.p < 0:
            raise OperatorError(BadArgument(self.name, "p", f"{self.p:g}", "must not be negative"), argument_location("p"))
        x, other = inputs.x, inputs.other
        require_same_size(self.name, inputs, ("x", "other"), -1, "compare", "their last axes")
        batch = broadcast(x.shape[:-2], other.shape[:-2], inputs.facts, self.name, "compare batches of shape")
        return (x.with_shape((*batch, x.shape[-2], other.shape[-2])),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """A difference, its power and a sum for each number of each pair."""
        return 3 * numel(results[0].shape) * inputs.x.shape[-1]
