"""Operators that change the shape: they join, divide, reorder, add and remove axes."""

from __future__ import annotations

from ..dims import Dim, SymDim, bounds, format_dim, suggest_divisibility, suggest_equality
from ..errors.operator_errors import BadArgument, BadAxis, EmptyResult, UnprovableMultiple
from ..errors.problem import Location, Problem, argument_location
from ..errors.shape import CannotExpand, ElementCount, NoPlaceForAxis, NotAPermutation, NothingToSqueeze, UnprovableCount, UnprovableSize
from ..types.tensor_types import Shape, TensorType, show_shape
from .axes import front_axes, normalize_axis
from .element_types import ANY
from .kinds import AXES, AXIS, DTYPE, SHAPE
from .operand import SOME_AXES, Input
from .operator import Arg, Operator, OperatorError, OpInputs, numel


class Layout(Operator):
    """An operator that only moves elements."""

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class Flatten(Layout):
    """Joins the axes from `start` to `end` into one."""

    name = "flatten"
    x = Input()
    start = Arg(AXIS, default=1, positional=True, alias="start_dim")
    end = Arg(AXIS, default=-1, positional=True, alias="end_dim")
    examples = ("input 8x4x4 -> flatten -> dense 10", "input 8xHxW -> flatten 2")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        first, last = self.joined_range(x)
        if first > last:
            needed = f"must not come after `end`, which is axis {last}"
            raise OperatorError(BadArgument(self.name, "start", str(self.start), needed), argument_location("start"))
        return (x.with_shape((*x.shape[:first], numel(x.shape[first : last + 1]), *x.shape[last + 1 :])),)

    def joined_range(self, x: TensorType) -> tuple[int, int]:
        """Return the first and the last axis that are joined, counted from the front."""
        return normalize_axis(self.name, self.start, x, "start"), normalize_axis(self.name, self.end, x, "end")


class Unflatten(Layout):
    """Divides an axis into several; one size may be -1."""

    name = "unflatten"
    x = Input(ANY, SOME_AXES)
    axis = Arg(AXIS, positional=True, alias="dim")
    sizes = Arg(SHAPE, positional=True)
    examples = ("input [T, 512] -> unflatten 2 [8, 64]", "input 12 -> unflatten 1 [3, -1]")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axis = normalize_axis(self.name, self.axis, x)
        if not self.sizes:
            raise OperatorError(BadArgument(self.name, "sizes", "[]", "must have at least one entry"), argument_location("sizes"))
        what = f"axis {axis} of {show_shape(x.shape)}"
        front, back = x.shape[:axis], x.shape[axis + 1 :]
        sizes = fit_sizes(self.name, what, (x.shape[axis],), self.sizes, inputs, argument_location("sizes"), (front, back))
        return (x.with_shape((*front, *sizes, *back)),)


class Reshape(Layout):
    """The same elements in another shape, the batch axis included; one size may be -1."""

    name = "reshape"
    x = Input()
    shape = Arg(SHAPE, positional=True)
    examples = ("input 768x14x14 -> reshape [N, 768, 196]", "input [T, 12] -> reshape [N, T, 3, -1]")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        return (x.with_shape(fit_sizes(self.name, show_shape(x.shape), x.shape, self.shape, inputs, argument_location("shape"))),)


def fit_sizes(
    operator: str, what: str, before: Shape, sizes: Shape, inputs: OpInputs, at: Location, around: tuple[Shape, Shape] = ((), ())
) -> Shape:
    """Return `sizes` with the size -1 computed. An error unless they have as many elements as the axes `before`. `around` has the axes in
    front of them and after them, which stay."""
    open_ = [i for i, size in enumerate(sizes) if size == -1]
    if len(open_) > 1:
        raise OperatorError(BadArgument(operator, at.name, show_shape(sizes), "may have one -1"), at)
    for axis, size in enumerate(sizes):
        highest = bounds(size)[1]
        if highest is not None and highest < 1 and axis not in open_:
            raise OperatorError(EmptyResult(operator, sizes, axis), at)
    # Common sizes cancel: `[N, T, 12]` to `[N, T, 3, -1]` asks whether 3 divides 12, not whether `3*N*T` divides
    # `12*N*T`.
    total, needed = _drop_common_sizes(before, tuple(size for size in sizes if size != -1))
    if not open_:
        same = inputs.facts.are_equal(total, needed)
        if same is not True:
            # The error states the shape that the author meant, so that the stages after it are not errors too.
            batch = before[:1] if _lacks_batch(before, sizes) else ()
            raise OperatorError(
                _make_count_problem(operator, what, before, sizes, same is None), at, (*around[0], *batch, *sizes, *around[1])
            )
        return sizes
    inferred = inputs.facts.exact_div(total, needed)
    if inferred is None:
        if inputs.facts.divides(needed, total) is False:
            raise OperatorError(ElementCount(operator, what, sizes, total, needed), at)
        raise OperatorError(UnprovableMultiple(operator, needed, total, suggest_divisibility(needed, total)), at)
    return tuple(inferred if size == -1 else size for size in sizes)


def _drop_common_sizes(before: Shape, after: Shape) -> tuple[Dim, Dim]:
    """Return the numbers of elements of both shapes without their common sizes."""
    remaining = list(after)
    rest: list[Dim] = []
    for size in before:
        if size in remaining:
            remaining.remove(size)
        else:
            rest.append(size)
    return numel(tuple(rest)), numel(tuple(remaining))


def _lacks_batch(before: Shape, sizes: Shape) -> bool:
    """Whether a new shape only lacks the first axis, which is symbolic."""
    return bool(before) and isinstance(before[0], SymDim) and before[0] not in sizes and numel(before) == before[0] * numel(sizes)


def _make_count_problem(operator: str, what: str, before: Shape, sizes: Shape, open_: bool) -> Problem:
    """Make the problem of a wrong number of elements, or of a number that the facts do not decide (`open_`)."""
    count, needed = numel(before), numel(sizes)
    if _lacks_batch(before, sizes):
        suggestion = f"the batch axis is part of the shape: `{show_shape((before[0], *sizes))}`"
        return ElementCount(operator, what, sizes, count, needed, suggestion)
    if open_:
        return UnprovableCount(operator, what, sizes, count, needed, suggest_equality(*_drop_common_sizes(before, sizes)) or "")
    return ElementCount(operator, what, sizes, count, needed)


class Permute(Layout):
    """Reorders the axes."""

    name = "permute"
    x = Input()
    axes = Arg(AXES, positional=True, alias="dims")
    examples = ("input 3x8x8 -> permute [0, 2, 3, 1]",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        for axis in self.axes:
            # Checked first, because `axis_order` counts modulo the rank and would hide such an axis.
            if not -x.rank <= axis < x.rank:
                raise OperatorError(BadAxis(self.name, axis, x), argument_location("axes"))
        if sorted(self.axis_order(x)) != list(range(x.rank)):
            raise OperatorError(NotAPermutation(self.name, self.axes, x), argument_location("axes"))
        return (x.with_shape(tuple(x.shape[axis] for axis in self.axis_order(x))),)

    def axis_order(self, x: TensorType) -> tuple[int, ...]:
        """Return the axes counted from the front."""
        return tuple(axis % x.rank for axis in self.axes)


class Transpose(Layout):
    """Swaps two axes."""

    name = "transpose"
    x = Input()
    a = Arg(AXIS, positional=True, alias="dim0")
    b = Arg(AXIS, positional=True, alias="dim1")
    examples = ("input [T, 64] -> transpose 1 2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        return (x.with_shape(tuple(x.shape[axis] for axis in self.axis_order(x))),)

    def axis_order(self, x: TensorType) -> tuple[int, ...]:
        """Return the order of all axes, with the two swapped."""
        a, b = normalize_axis(self.name, self.a, x, "a"), normalize_axis(self.name, self.b, x, "b")
        return tuple({a: b, b: a}.get(axis, axis) for axis in range(x.rank))


class Squeeze(Layout):
    """Removes axes of size 1: the given ones, or all that are known to be."""

    name = "squeeze"
    x = Input()
    axis = Arg(AXES, default=None, positional=True, alias="dim")
    examples = ("input [T, 1] -> squeeze axis=-1", "input 8x1x1 -> squeeze")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        dropped = self.dropped_axes(inputs)
        return (x.with_shape(tuple(size for axis, size in enumerate(x.shape) if axis not in dropped)),)

    def dropped_axes(self, inputs: OpInputs) -> tuple[int, ...]:
        """Return the axes that are removed, counted from the front."""
        x, facts = inputs.x, inputs.facts
        if self.axis is None:
            # A symbolic axis stays: it may be 1 at run time, but the rank of the result must not depend on it.
            return tuple(axis for axis, size in enumerate(x.shape) if facts.are_equal(size, 1))
        named = front_axes(self.name, self.axis, x)
        for axis in named[: x.rank]:
            size = x.shape[axis]
            if facts.are_equal(size, 1) is None:
                need = f"axis {axis} of {show_shape(x.shape)} is 1"
                raise OperatorError(
                    UnprovableSize(need, "only an axis of size 1 can be removed", suggest_equality(size, 1) or ""),
                    argument_location("axis"),
                )
        # A named axis that is known not to be 1 stays, as in PyTorch. `find_warnings` says so.
        return tuple(axis for axis in named[: x.rank] if facts.are_equal(x.shape[axis], 1))

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        x, dropped = inputs.x, self.dropped_axes(inputs)
        kept = [] if self.axis is None else [axis for axis in front_axes(self.name, self.axis, x)[: x.rank] if axis not in dropped]
        return tuple((NothingToSqueeze(axis, x), argument_location("axis")) for axis in kept)


class Unsqueeze(Layout):
    """Adds an axis of size 1."""

    name = "unsqueeze"
    x = Input()
    axis = Arg(AXIS, positional=True, alias="dim")
    examples = ("input [T] -> unsqueeze 1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if not -x.rank - 1 <= self.axis <= x.rank:
            raise OperatorError(NoPlaceForAxis(self.name, self.axis, x), argument_location("axis"))
        axis = self.new_axis(x)
        return (x.with_shape((*x.shape[:axis], 1, *x.shape[axis:])),)

    def new_axis(self, x: TensorType) -> int:
        """Return the new axis, counted from the front of the result."""
        return self.axis % (x.rank + 1)


class Expand(Layout):
    """Broadcasts axes of size 1 to other sizes; -1 keeps a size; more sizes than axes add axes in front."""

    name = "expand"
    x = Input()
    shape = Arg(SHAPE, positional=True)
    examples = ("x = input 3; token = param [1, 1, 8] as token; token -> expand [N, -1, -1]",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if len(self.shape) < x.rank:
            needed = f"must have at least one entry for each of the {x.rank} axes of {show_shape(x.shape)}"
            raise OperatorError(BadArgument(self.name, "shape", show_shape(self.shape), needed), argument_location("shape"))
        front = len(self.shape) - x.rank
        if -1 in self.shape[:front]:
            needed = f"can keep none but the {x.rank} sizes of {show_shape(x.shape)}, which are the last ones"
            raise OperatorError(BadArgument(self.name, "shape", show_shape(self.shape), needed), argument_location("shape"))
        sizes = (*self.shape[:front], *(self._expand_size(axis, front, inputs) for axis in range(x.rank)))
        for axis, size in enumerate(sizes):
            highest = bounds(size)[1]
            if highest is not None and highest < 1:
                raise OperatorError(EmptyResult(self.name, sizes, axis), argument_location("shape"))
        return (x.with_shape(sizes),)

    def _expand_size(self, axis: int, front: int, inputs: OpInputs) -> Dim:
        x, new = inputs.x, self.shape[front + axis]
        old = x.shape[axis]
        # A literal 1, rather than a size that is known to be 1: only then may the axis grow.
        if new == -1 or old == 1:
            return old if new == -1 else new
        same = inputs.facts.are_equal(old, new)
        if same is False:
            raise OperatorError(CannotExpand(axis, x, self.shape), argument_location("shape"))
        if same is None:
            why = f"axis {axis} of {show_shape(x.shape)} is not 1, so it must keep its size"
            raise OperatorError(
                UnprovableSize(f"{format_dim(old)} equals {format_dim(new)}", why, suggest_equality(old, new) or ""),
                argument_location("shape"),
            )
        return old

    def find_kept_axes(self, inputs: OpInputs) -> tuple[bool, ...]:
        """Return, for each axis of the result, whether it is an axis of the input that keeps its size."""
        x = inputs.x
        front = len(self.shape) - x.rank
        keeps = [new == -1 or old != 1 or new == 1 for old, new in zip(x.shape, self.shape[front:], strict=True)]
        return (False,) * front + tuple(keeps)


class Cast(Layout):
    """Converts the elements to another type."""

    name = "cast"
    pointwise = True
    x = Input()
    dtype = Arg(DTYPE, positional=True)
    examples = ("input 3 int64 -> cast float32",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x.with_dtype(self.dtype),)
