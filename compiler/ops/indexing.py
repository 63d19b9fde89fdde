"""Elements by their places: read, written, masked.

In: a tensor, and indices or a mask. Out: a tensor of the same element type. Always: indices are int64 or int32, as PyTorch takes them, and
count from 0; whether they lie within the axis is known only at run time.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import ClassVar

from ..dims import Dim, advice, show
from ..errors.arithmetic import NeedsNumber
from ..errors.base import STAGE, Location, Problem, argument, input_
from ..errors.dense import NarrowIndices
from ..errors.indexing import LongIndices, ScatterSource
from ..errors.operators import BadArgument, DTypeMismatch, NeedsBool, NeedsInteger, Unprovable, WrongRank, WrongSize
from ..errors.shape import UnprovableSize
from ..ir.types import INT64, DType, TensorType, show_shape
from .axes import normalize_axis
from .base import Arg, Operator, OperatorError, OpInputs, numel
from .broadcast import broadcast
from .kinds import AXIS, BOOL, DIM, DTYPE, SIZE, Kind, NumberKind, WordKind
from .pointwise import cast_scalar, scalar_warnings
from .shape import Layout

X, INDEX, SRC = range(3)
MASK = 1


class FillKind(Kind["int | float | bool"]):
    """What elements can become: a number, a truth value, `inf` or `-inf`."""

    words = ("inf", "-inf")

    def describe(self) -> str:
        return "a number, `inf` or `-inf`"

    def convert(self, value: object) -> int | float | bool:
        if isinstance(value, bool):
            return value
        infinite = {"inf": inf, "-inf": -inf}.get(value) if isinstance(value, str) else None
        return NumberKind().convert(value) if infinite is None else infinite


FILL = FillKind()


def filling(operator: str, value: int | float | bool, dtype: DType) -> int | float | bool:
    """The argument `value` as an element of that type; refused if the type does not hold it."""
    taken = cast_scalar(value, dtype)
    if taken is None:
        low, high = dtype.limits
        ends = [f"{end:.6g}" if dtype.is_float else str(end) for end in (low, high)]
        needed = f"must be {f'from {ends[0]} to {ends[1]}' if isfinite(value) else 'finite'} for {dtype}"
        raise OperatorError(BadArgument(operator, "value", str(value), needed), argument("value"))
    assert isinstance(taken, (int, float))
    return taken


def refuse_unless_indices(operator: str, given: OpInputs, index: int) -> None:
    """Refuses the input `index` unless PyTorch looks up by its element type."""
    found = given[index]
    if found.dtype.name not in ("int64", "int32"):
        refuse = NarrowIndices if found.dtype.is_integer else NeedsInteger
        raise OperatorError(refuse(operator, found), input_(index))


def refuse_unless_aligned(operator: str, given: OpInputs, index: int) -> None:
    """Refuses the input `index` unless it has as many axes as the first one; a single number counts as one axis."""
    axes = max(given[X].rank, 1)
    if max(given[index].rank, 1) != axes:
        what = "indices" if index == INDEX else "values to write"
        needed = f"{what} with as many axes as {show_shape(given[X].shape)}, {axes}"
        raise OperatorError(WrongRank(operator, needed, given[index]), input_(index))


def at_most_text(part: Dim, size: Dim) -> str:
    """The `where` that says so: `T <= 4`, `S >= T`."""
    return f"{show(part)} <= {size}" if isinstance(size, int) else f"{show(size)} >= {show(part)}"


def refuse_unless_within(operator: str, given: OpInputs, within: int, but: int | None = None) -> None:
    """Refuses indices that reach over the end of the input `within` along any axis except `but`."""
    index, whole = given[INDEX], given[within]
    for axis, (part, size) in enumerate(zip(index.shape or (1,), whole.shape or (1,), strict=True)):
        fits = True if axis == but else given.facts.at_least(size, part)
        if fits is False:
            needed = f"indices of at most {show(size)} along axis {axis}, as {show_shape(whole.shape)} has"
            raise OperatorError(WrongSize(operator, needed, index), input_(INDEX))
        if fits is None:
            need = f"axis {axis} of {show_shape(index.shape)} is at most {show(size)}"
            raise OperatorError(UnprovableSize(need, f"the indices of `{operator}` need it", at_most_text(part, size)), input_(INDEX))


class Gather(Layout):
    """Looks up along an axis: each index becomes the element of that number, at the same place along the other axes.

    An index below 0 is an error in PyTorch, and counts from the end in ONNX.
    """

    name = "gather"
    torch = "torch.gather"
    onnx = "GatherElements"
    inputs = ("x", "index")
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("x = input [T, 8]; index = input [T, 2] int64; (x, index) -> gather axis=2",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        refuse_unless_indices(self.name, given, INDEX)
        axis = normalize_axis(self.name, self.axis, given[X])
        refuse_unless_aligned(self.name, given, INDEX)
        refuse_unless_within(self.name, given, X, axis)
        return (given[X].with_shape(given[INDEX].shape),)


class _Writing(Operator):
    """Puts values at places along an axis."""

    inputs: ClassVar[tuple[str, ...]] = ("x", "index", "src")
    axis = Arg(AXIS, positional=True, alias="dim")

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = given[X]
        refuse_unless_indices(self.name, given, INDEX)
        axis = normalize_axis(self.name, self.axis, x)
        refuse_unless_aligned(self.name, given, INDEX)
        refuse_unless_within(self.name, given, X, axis)
        if len(given) > SRC:
            if given[SRC].dtype != x.dtype:
                raise OperatorError(DTypeMismatch(self.name, x, given[SRC], (X, SRC)), input_(SRC))
            refuse_unless_aligned(self.name, given, SRC)
            refuse_unless_within(self.name, given, SRC)
        return (x,)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One for each value that is combined with what is there."""
        return numel(given[INDEX].shape) if self.args["reduce"] else 0


class Scatter(_Writing):
    """Writes along an axis: each element of `src`, or `value`, goes to the place that its index tells.

    With `reduce` it is added to what is there, or multiplied with it. Of several values for one place, any may stay.
    """

    name = "scatter"
    torch = "torch.scatter, torch.scatter_add"
    onnx = "ScatterElements"
    inputs = ("x", "index", "src?")
    value = Arg(FILL, default=None)
    reduce = Arg(WordKind("add", "multiply"), default=None)
    examples = (
        "x = input [T, 8]; index = input [T, 1] int64; src = input [T, 1]; (x, index, src) -> scatter axis=2",
        "x = input [8]; index = input [1] int64; (x, index) -> scatter axis=1 value=1",
    )

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        if (len(given) > SRC) == (self.value is not None):
            raise OperatorError(ScatterSource(self.name, "neither" if self.value is None else "both"), STAGE)
        if self.value is not None:
            filling(self.name, self.value, given[X].dtype)
        return super().infer(given)

    def warnings(self, given: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, given[X], value=self.value)


class ScatterReduce(_Writing):
    """Combines along an axis: each element of `src` goes to the place that its index tells, where all that arrive are reduced.

    What was there before counts too, unless `include_self` is false. The mean of integers is rounded down.
    """

    name = "scatter_reduce"
    torch = "torch.scatter_reduce"
    onnx = "ScatterElements"
    reduce = Arg(WordKind("sum", "prod", "mean", "amax", "amin"), positional=True)
    include_self = Arg(BOOL, default=True)
    examples = ("x = input [4]; index = input [T] int64; src = input [T]; (x, index, src) -> scatter_reduce 1 amax",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        if self.reduce == "mean" and given[X].dtype.kind == "bool":
            raise OperatorError(NeedsNumber(f"{self.name} mean", given[X]), input_(X))
        return super().infer(given)


class IndexSelect(Layout):
    """Takes the parts of an axis that a list of indices tells.

    An index below 0 is an error in PyTorch, and counts from the end in ONNX.
    """

    name = "index_select"
    torch = "torch.index_select"
    onnx = "Gather"
    inputs = ("x", "index")
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("x = input [T, 8]; index = input [3] int64 batch=false; (x, index) -> index_select axis=2",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x, index = given
        refuse_unless_indices(self.name, given, INDEX)
        axis = normalize_axis(self.name, self.axis, x)
        if index.rank > 1:
            raise OperatorError(WrongRank(self.name, "a list of indices, with one axis", index), input_(INDEX))
        count = index.shape[0] if index.rank else 1
        if not x.rank:
            self._refuse_unless_one(count, given)
            return (x,)
        return (x.with_shape((*x.shape[:axis], count, *x.shape[axis + 1 :])),)

    def _refuse_unless_one(self, count: Dim, given: OpInputs) -> None:
        """A single number has one part."""
        one = given.facts.equal(count, 1)
        if one is False:
            raise OperatorError(WrongSize(self.name, "one index for a single number", given[INDEX]), input_(INDEX))
        if one is None:
            raise OperatorError(Unprovable(self.name, count, 1, "a single number has one part", advice(count, 1) or ""), input_(INDEX))


class OneHot(Layout):
    """A new last axis that is 1 at the index and 0 elsewhere."""

    name = "one_hot"
    torch = "torch.nn.functional.one_hot"
    onnx = "OneHot"
    inputs = ("indices",)
    classes = Arg(SIZE, positional=True, alias="num_classes")
    dtype = Arg(DTYPE, default=INT64)
    examples = ("input [T] int64 -> one_hot 10", "input [] int64 -> one_hot 10 dtype=float32 -> dense 4")

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        indices = given[0]
        if indices.dtype != INT64:
            refuse = LongIndices if indices.dtype.is_integer else NeedsInteger
            raise OperatorError(refuse(self.name, indices), input_(0))
        return (TensorType(self.dtype, (*indices.shape, self.classes)),)


class _Triangle(Layout):
    """Keeps one side of a diagonal of the last two axes; the other becomes 0."""

    onnx = "Trilu"
    diagonal = Arg(DIM, default=0, positional=True)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        if given[0].rank < 2:
            raise OperatorError(WrongRank(self.name, "at least two axes", given[0]), input_(0))
        return (given[0],)


class Tril(_Triangle):
    """The lower triangle of the last two axes, up to the diagonal; the rest is 0."""

    name = "tril"
    torch = "torch.tril"
    examples = ("input [T, T] -> tril", "input 4x4 -> tril diagonal=-1")


class Triu(_Triangle):
    """The upper triangle of the last two axes, from the diagonal; the rest is 0."""

    name = "triu"
    torch = "torch.triu"
    examples = ("input [T, T] -> triu 1",)


class MaskedFill(Layout):
    """A number wherever the mask is true."""

    name = "masked_fill"
    torch = "torch.Tensor.masked_fill"
    onnx = "Where"
    inputs = ("x", "mask")
    pointwise = True
    value = Arg(FILL, positional=True)
    examples = ("x = input [T, T]; mask = input [T, T] bool batch=false; (x, mask) -> masked_fill value=-inf -> softmax axis=-1",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x, mask = given
        if mask.dtype.kind != "bool":
            raise OperatorError(NeedsBool(self.name, mask), input_(MASK))
        filling(self.name, self.value, x.dtype)
        return (x.with_shape(broadcast(x.shape, mask.shape, given.facts, self.name, "match tensor and mask of shape")),)

    def warnings(self, given: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, given[X], value=self.value)
