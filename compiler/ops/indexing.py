"""Read, write and mask elements by their indices.

In: a tensor, and indices or a mask. Out: a tensor of the same element type. Always: indices are int64 or int32, as PyTorch takes them, and
count from 0; whether they lie within the axis is known only at run time.
"""

from __future__ import annotations

from math import isfinite

from ..dims import Dim, format_dim, suggest_equality
from ..errors.arithmetic import NeedsNumber
from ..errors.indexing import ScatterSource
from ..errors.operator_errors import BadArgument, Unprovable, WrongRank, WrongSize
from ..errors.problem import STAGE, Location, Problem, argument_location
from ..errors.shape import UnprovableSize
from ..types.tensor_types import INT64, DType, TensorType, show_shape
from .axes import normalize_axis
from .broadcast import broadcast
from .element_types import ANY, BOOLS, INDICES, LONGS
from .kinds import AXIS, DIM, DTYPE, FLAG, NOT_FINITE, NUMBER, SIZE, ExtendedKind, WordKind
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import at_most_text
from .scalars import cast_scalar, require_exact_scalar, scalar_warnings
from .shape import Layout


class FillKind(ExtendedKind):
    """A value to fill elements with: also a boolean, or NaN."""

    words: tuple[str, ...] = tuple(NOT_FINITE)

    def convert_value(self, value: object) -> int | float | bool:
        return value if isinstance(value, bool) else super().convert_value(value)


FILL = FillKind()


def convert_fill_value(operator: str, value: int | float | bool, dtype: DType) -> int | float | bool:
    """Convert the argument `value` to an element type. An error if the type does not hold it."""
    converted = cast_scalar(value, dtype)
    if converted is None:
        low, high = dtype.limits
        ends = [f"{end:.6g}" if dtype.is_float else str(end) for end in (low, high)]
        needed = f"must be {f'from {ends[0]} to {ends[1]}' if isfinite(value) else 'finite'} for {dtype}"
        raise OperatorError(BadArgument(operator, "value", str(value), needed), argument_location("value"))
    assert isinstance(converted, (int, float))
    return converted


def require_same_rank(operator: str, inputs: OpInputs, name: str, what: str) -> None:
    """Refuse the input `name` unless it has as many axes as `x`; a tensor without axes counts as one with one."""
    count = max(inputs.x.rank, 1)
    if max(inputs[name].rank, 1) != count:
        needed = f"{what} with as many axes as {show_shape(inputs.x.shape)}, {count}"
        raise OperatorError(WrongRank(operator, needed, inputs[name]), inputs.at(name))


def require_within(operator: str, inputs: OpInputs, name: str, but: int | None = None) -> None:
    """Refuse indices with a greater size than the input `name`, along any axis except `but`."""
    index, tensor = inputs.index, inputs[name]
    # Like PyTorch, treat a tensor without axes as one with a single element.
    for axis, (part, size) in enumerate(zip(index.shape or (1,), tensor.shape or (1,), strict=True)):
        fits = True if axis == but else inputs.facts.is_at_least(size, part)
        if fits is False:
            needed = f"indices of at most {format_dim(size)} along axis {axis}, as {show_shape(tensor.shape)} has"
            raise OperatorError(WrongSize(operator, needed, index), inputs.at("index"))
        if fits is None:
            need = f"axis {axis} of {show_shape(index.shape)} is at most {format_dim(size)}"
            problem = UnprovableSize(need, f"the indices of `{operator}` need it", at_most_text(part, size))
            raise OperatorError(problem, inputs.at("index"))


class Gather(Layout):
    """Looks up along an axis: each index is replaced by the element of that number, at the same position along the other axes.

    An index below 0 is an error in PyTorch, and counts from the end in ONNX.
    """

    name = "gather"
    x = Input()
    index = Input(INDICES)
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("x = input [T, 8]; index = input [T, 2] int64; (x, index) -> gather axis=2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        axis = normalize_axis(self.name, self.axis, inputs.x)
        require_same_rank(self.name, inputs, "index", "indices")
        require_within(self.name, inputs, "x", axis)
        return (inputs.x.with_shape(inputs.index.shape),)


class _Writing(Operator):
    """Writes values to positions along an axis."""

    x = Input()
    index = Input(INDICES)
    src = Input(like="x")
    axis = Arg(AXIS, positional=True, alias="dim")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axis = normalize_axis(self.name, self.axis, x)
        require_same_rank(self.name, inputs, "index", "indices")
        require_within(self.name, inputs, "x", axis)
        if "src" in inputs:
            require_same_rank(self.name, inputs, "src", "values to write")
            # PyTorch reads `src` at the positions of the index alone, so it may be larger than the index.
            require_within(self.name, inputs, "src")
        return (x,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One operation for each value that is combined with the value at its position."""
        return numel(inputs.index.shape) if self.args["reduce"] else 0


class Scatter(_Writing):
    """Writes along an axis: each element of `src`, or `value`, is written to the position given by its index.

    With `reduce` it is added to the element there, or multiplied with it. Of several values for one position, any one may remain.
    """

    name = "scatter"
    src = Input(like="x", optional=True)
    value = Arg(FILL, default=None)
    reduce = Arg(WordKind("add", "multiply"), default=None)
    examples = (
        "x = input [T, 8]; index = input [T, 1] int64; src = input [T, 1]; (x, index, src) -> scatter axis=2",
        "x = input [8]; index = input [1] int64; (x, index) -> scatter axis=1 value=1",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # Exactly one of the two.
        if ("src" in inputs) == (self.value is not None):
            raise OperatorError(ScatterSource(self.name, "neither" if self.value is None else "both"), STAGE)
        if self.value is not None:
            convert_fill_value(self.name, self.value, inputs.x.dtype)
        return super().infer_types(inputs)

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, inputs.x, value=self.value)


class ScatterReduce(_Writing):
    """Reduces along an axis: each element of `src` is combined with the element at the position given by its index.

    The elements of `x` take part, unless `include_self` is false. The mean of integers is rounded down.
    """

    name = "scatter_reduce"
    reduce = Arg(WordKind("sum", "prod", "mean", "amax", "amin"), positional=True)
    include_self = Arg(FLAG, default=True)
    examples = ("x = input [4]; index = input [T] int64; src = input [T]; (x, index, src) -> scatter_reduce 1 amax",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        if self.reduce == "mean" and inputs.x.dtype.kind == "bool":
            raise OperatorError(NeedsNumber(f"{self.name} mean", inputs.x), inputs.at("x"))
        return super().infer_types(inputs)


class IndexSelect(Layout):
    """Selects the parts of an axis given by a list of indices.

    An index below 0 is an error in PyTorch, and counts from the end in ONNX.
    """

    name = "index_select"
    x = Input()
    index = Input(INDICES, axes("n", "a list of indices, with one axis", least=0))
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("x = input [T, 8]; index = input [3] int64 batch=false; (x, index) -> index_select axis=2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, index = inputs.x, inputs.index
        axis = normalize_axis(self.name, self.axis, x)
        count = index.shape[0] if index.rank else 1
        if not x.rank:
            self._refuse_unless_one(count, inputs)
            return (x,)
        return (x.with_shape((*x.shape[:axis], count, *x.shape[axis + 1 :])),)

    def _refuse_unless_one(self, count: Dim, inputs: OpInputs) -> None:
        """Refuse several indices into a tensor without axes, which has one element."""
        is_one = inputs.facts.are_equal(count, 1)
        if is_one is False:
            raise OperatorError(WrongSize(self.name, "one index for a single number", inputs.index), inputs.at("index"))
        if is_one is None:
            raise OperatorError(
                Unprovable(self.name, count, 1, "a single number has one part", suggest_equality(count, 1) or ""), inputs.at("index")
            )


class IndexAdd(Operator):
    """Adds to the parts of an axis: each part of `source`, times `alpha`, to the part of `x` that its index gives."""

    name = "index_add"
    x = Input()
    index = Input(INDICES, axes("n", "a list of indices, with one axis", least=0))
    source = Input(like="x")
    axis = Arg(AXIS, positional=True, alias="dim")
    alpha = Arg(NUMBER, default=1)
    examples = ("x = input [4]; index = input [T] int64 batch=false; source = input [T]; (x, index, source) -> index_add 1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, index, source = inputs.x, inputs.index, inputs.source
        axis = normalize_axis(self.name, self.axis, x)
        if source.rank != x.rank:
            needed = f"values to add with as many axes as {show_shape(x.shape)}, {x.rank}"
            raise OperatorError(WrongRank(self.name, needed, source), inputs.at("source"))
        require_exact_scalar(self.name, x, self.alpha, "alpha")
        # An index without axes is one index.
        wanted = (*x.shape[:axis], index.shape[0] if index.rank else 1, *x.shape[axis + 1 :])
        for place, (actual, size) in enumerate(zip(source.shape or (1,), wanted, strict=True)):
            same = inputs.facts.are_equal(actual, size)
            if same is False:
                shape = f"values of shape {show_shape(wanted)}, a part of axis {axis} for each index"
                raise OperatorError(WrongSize(self.name, shape, source), inputs.at("source"))
            if same is None:
                positions = (inputs.position("source"), inputs.position("index" if place == axis else "x"))
                need = f"axis {place} of the values must be " + ("the number of indices" if place == axis else "the size of the tensor")
                raise OperatorError(Unprovable(self.name, actual, size, need, suggest_equality(actual, size) or "", positions), STAGE)
        return (x,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One operation for each value that is added."""
        return numel(inputs.source.shape)

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, inputs.x, alpha=self.alpha)


class OneHot(Layout):
    """A new last axis that is 1 at the index and 0 elsewhere."""

    name = "one_hot"
    # `F.one_hot` is the one look-up that refuses int32.
    indices = Input(LONGS)
    classes = Arg(SIZE, positional=True, alias="num_classes")
    dtype = Arg(DTYPE, default=INT64)
    examples = ("input [T] int64 -> one_hot 10", "input [] int64 -> one_hot 10 dtype=float32 -> dense 4")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (TensorType(self.dtype, (*inputs.indices.shape, self.classes)),)


class _Triangle(Layout):
    """Keeps one side of a diagonal of the last two axes; the other is set to 0."""

    x = Input(ANY, axes("... n m", "at least two axes"))
    diagonal = Arg(DIM, default=0, positional=True)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x,)


class Tril(_Triangle):
    """The lower triangle of the last two axes, up to the diagonal; the rest is 0."""

    name = "tril"
    examples = ("input [T, T] -> tril", "input 4x4 -> tril diagonal=-1")


class Triu(_Triangle):
    """The upper triangle of the last two axes, from the diagonal; the rest is 0."""

    name = "triu"
    examples = ("input [T, T] -> triu 1",)


class MaskedFill(Layout):
    """Replaces elements by a number where the mask is true."""

    name = "masked_fill"
    pointwise = True
    x = Input()
    mask = Input(BOOLS)
    value = Arg(FILL, positional=True)
    examples = ("x = input [T, T]; mask = input [T, T] bool batch=false; (x, mask) -> masked_fill value=-inf -> softmax axis=-1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x, mask = inputs.x, inputs.mask
        convert_fill_value(self.name, self.value, x.dtype)
        return (x.with_shape(broadcast(x.shape, mask.shape, inputs.facts, self.name, "match tensor and mask of shape")),)

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, inputs.x, value=self.value)
