"""Join several tensors into one, and split one tensor into several."""

from __future__ import annotations

from functools import reduce

from ..dims import Dim, bounds, format_dim, suggest_divisibility, suggest_equality
from ..errors.joining import SplitSum, TooManyPieces, UnknownCount
from ..errors.operator_errors import EmptyResult, ShapeMismatch, Unprovable, UnprovableMultiple
from ..errors.problem import STAGE, argument_location
from ..errors.shape import NoPlaceForAxis, UnprovableSize
from ..types.tensor_types import DType, Shape, TensorType, promote_types, show_shape
from .axes import normalize_axis
from .element_types import ANY
from .kinds import AXIS, SIZE, IntKind, Kind, ListKind
from .operand import SOME_AXES, Input, Inputs, axes
from .operator import Arg, OperatorError, OpInputs
from .shape import Layout

MOST_PIECES = 10_000


def joined_type(inputs: OpInputs) -> DType:
    """Return the element type to which all inputs are converted."""
    return reduce(promote_types, (x.dtype for x in inputs))


def _must_agree(operator: str, inputs: OpInputs, but: int | None = None) -> None:
    """Refuse inputs whose shapes differ, except along the axis `but`."""
    first = inputs.types[0]
    for i in range(1, len(inputs)):
        x, positions = inputs.types[i], (0, i)
        if x.rank != first.rank:
            why = f"one has {first.rank} axes, the other {x.rank}"
            raise OperatorError(ShapeMismatch(operator, first.shape, x.shape, why, at=positions), STAGE)
        for axis, (a, b) in enumerate(zip(first.shape, x.shape, strict=True)):
            same = True if axis == but else inputs.facts.are_equal(a, b)
            if same is False:
                rest = "" if but is None else f"; only axis {but} may"
                why = f"axis {axis} differs: {format_dim(a)} and {format_dim(b)}{rest}"
                raise OperatorError(ShapeMismatch(operator, first.shape, x.shape, why, at=positions), STAGE)
            if same is None:
                raise OperatorError(
                    Unprovable(operator, a, b, f"axis {axis} of all inputs must agree", suggest_equality(a, b) or "", positions), STAGE
                )


class Concat(Layout):
    """Concatenates tensors along an axis."""

    name = "concat"
    xs = Inputs(ANY, axes("... n", "at least one axis", hints={0: "join single numbers with `-> stack axis=0`"}))
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("a = input 3x8x8; b = input 5x8x8; (a, b) -> concat axis=1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        first = inputs.types[0]
        axis = normalize_axis(self.name, self.axis, first)
        _must_agree(self.name, inputs, axis)
        total: Dim = 0
        for x in inputs:
            total = total + x.shape[axis]
        return (TensorType(joined_type(inputs), (*first.shape[:axis], total, *first.shape[axis + 1 :])),)


class Stack(Layout):
    """Stacks tensors of one shape along a new axis."""

    name = "stack"
    xs = Inputs()
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("a = input [T, 3]; b = input [T, 3]; (a, b) -> stack axis=1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        first = inputs.types[0]
        if not -first.rank - 1 <= self.axis <= first.rank:
            raise OperatorError(NoPlaceForAxis(self.name, self.axis, first), argument_location("axis"))
        _must_agree(self.name, inputs)
        axis = self.new_axis(first)
        return (TensorType(joined_type(inputs), (*first.shape[:axis], len(inputs), *first.shape[axis:])),)

    def new_axis(self, x: TensorType) -> int:
        """Return the new axis, counted from the front of the result."""
        return self.axis % (x.rank + 1)


class Division(Layout):
    """The base of operators that divide their `axis` into pieces, which are their results."""

    x = Input(ANY, SOME_AXES)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axis = normalize_axis(self.name, self.args["axis"], x)
        return tuple(x.with_shape((*x.shape[:axis], size, *x.shape[axis + 1 :])) for size in self.piece_sizes(axis, inputs))

    def piece_sizes(self, axis: int, inputs: OpInputs) -> Shape:
        """Return the sizes of the pieces along the axis."""
        raise NotImplementedError

    def _divide_evenly(self, size: int, step: int, place: str) -> Shape:
        """Return pieces of size `step`; the last piece is the remainder."""
        count = int(-(-size // max(step, 1)))  # `chunk` of an axis of size 0, as a real input may have, has steps of 0
        if count > MOST_PIECES:
            raise OperatorError(TooManyPieces(self.name, count, MOST_PIECES), argument_location(place))
        return (step,) * (count - 1) + (size - step * (count - 1),)


class PiecesKind(Kind["Dim | Shape"]):
    """One size, or a list of them."""

    varies = True
    one = SIZE
    many = ListKind(SIZE, least=1)

    def describe_values(self) -> str:
        return f"{self.one.describe_values()}, or a list of sizes"

    def convert_value(self, value: object) -> Dim | Shape:
        return self.many.convert_value(value) if isinstance(value, tuple) else self.one.convert_value(value)


class Split(Division):
    """Divides an axis into pieces of a size, or of the sizes of a list."""

    name = "split"
    sizes = Arg(PiecesKind(), positional=True)
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("(a, b) = input [T, 8] -> split [3, 5] axis=-1; out a, b", "input [T, 8] -> split 4 axis=2 -> concat axis=1")

    def piece_sizes(self, axis: int, inputs: OpInputs) -> Shape:
        sizes = self.sizes
        return self._check_listed_sizes(axis, sizes, inputs) if isinstance(sizes, tuple) else self._equal_pieces(axis, sizes, inputs)

    def _check_listed_sizes(self, axis: int, sizes: Shape, inputs: OpInputs) -> Shape:
        x = inputs.x
        total: Dim = 0
        for size in sizes:
            total = total + size
        same = inputs.facts.are_equal(total, x.shape[axis])
        if same is False:
            raise OperatorError(SplitSum(axis, sizes, total, x), argument_location("sizes"))
        if same is None:
            need = f"{show_shape(sizes)} are together {format_dim(x.shape[axis])}"
            where = suggest_equality(total, x.shape[axis]) or ""
            raise OperatorError(UnprovableSize(need, f"`split` needs it, the size of axis {axis}", where), argument_location("sizes"))
        return sizes

    def _equal_pieces(self, axis: int, step: Dim, inputs: OpInputs) -> Shape:
        x = inputs.x
        size = x.shape[axis]
        if isinstance(size, int) and isinstance(step, int):
            pieces = -(-size // step)
            inputs.facts.are_equal(pieces, int(pieces))  # of sizes that may vary, their number may not
            return self._divide_evenly(size, step, "sizes")
        count = inputs.facts.exact_div(size, step)
        # Each piece is a result of its own, so their number must be known before run time.
        if not isinstance(count, int):
            suggestion = "give a list of sizes, or a number of pieces with `chunk`"
            raise OperatorError(UnknownCount(self.name, axis, step, x, suggestion), argument_location("sizes"))
        return (step,) * count


class Chunk(Division):
    """Divides an axis into `n` equal pieces; if it does not divide, the last one is smaller, and there may be fewer."""

    name = "chunk"
    n = Arg(IntKind(1), positional=True, alias="chunks")
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("(a, b) = input [T, 8] -> chunk 2 axis=-1; out a, b",)

    def piece_sizes(self, axis: int, inputs: OpInputs) -> Shape:
        x, facts = inputs.x, inputs.facts
        size = x.shape[axis]
        if isinstance(size, int):
            halves = self.n == 2 and size > 1  # the same, but as people write it
            return (-(-size // 2), size // 2) if halves else self._divide_evenly(size, -(-size // self.n), "n")
        if self.n > MOST_PIECES:
            raise OperatorError(TooManyPieces(self.name, self.n, MOST_PIECES), argument_location("n"))
        equal = facts.exact_div(size, self.n)
        if equal is not None:
            self._require_elements(equal, axis, x)
            return (equal,) * self.n
        # PyTorch rounds the step up. With a symbolic size, the pieces can be fewer than `n` for some sizes, unless
        # the last one is never empty.
        step = (size + self.n - 1) // self.n
        last = size - (self.n - 1) * step
        if facts.is_at_least(last, 1):
            return (step,) * (self.n - 1) + (last,)
        raise OperatorError(UnprovableMultiple(self.name, self.n, size, suggest_divisibility(self.n, size)), argument_location("n"))

    def _require_elements(self, size: Dim, axis: int, x: TensorType) -> None:
        highest = bounds(size)[1]
        if highest is not None and highest < 1:
            raise OperatorError(EmptyResult(self.name, (*x.shape[:axis], size, *x.shape[axis + 1 :]), axis), argument_location("n"))
