"""Operators that slice, pad, repeat and reorder the elements along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, trunc

from ..dims import Dim, Facts, SymDim, bounds, dim_max, dim_min, format_dim
from ..errors.operator_errors import BadArgument, EmptyResult, WrongRank
from ..errors.problem import argument_location
from ..errors.shape import BadIndex, PadTooLarge, UnprovableSize
from ..types.tensor_types import DType, Shape, TensorType, show_shape
from .argument import UnusedArgument
from .axes import front_axes, normalize_axis
from .element_types import ANY
from .kinds import AMOUNT, ANY_SCALAR, AXES, AXIS, COUNT, DIM, SIZE, IntKind, ListKind, WordKind
from .operand import SOME_AXES, Input
from .operator import Arg, OperatorError, OpInputs, numel
from .requirements import at_least_text, require_elements
from .shape import Layout


def _not_empty(operator: str, shape: Shape, place: str) -> Shape:
    for axis, size in enumerate(shape):
        highest = bounds(size)[1]
        if highest is not None and highest < 1:
            raise OperatorError(EmptyResult(operator, shape, axis), argument_location(place))
    return shape


class Slice(Layout):
    """Every `step`-th element of an axis, from `start` to before `stop`; negative ones count from the end."""

    name = "slice"
    x = Input(ANY, SOME_AXES)
    axis = Arg(AXIS, positional=True, alias="dim")
    start = Arg(DIM, default=0, positional=True)
    stop = Arg(DIM, default=None, positional=True)
    step = Arg(COUNT, default=1, positional=True)
    examples = ("input [T, 8] -> slice axis=1 stop=-1", "input [10] -> slice 1 2 8 2")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axis = normalize_axis(self.name, self.axis, x)
        facts, size = inputs.facts, x.shape[axis]
        start = self.find_offset(self.start, size, inputs, "start")
        stop = size if self.stop is None else self.find_offset(self.stop, size, inputs, "stop")
        length = stop - start
        more = facts.is_at_least(length, 0)
        # As in Python, a slice that ends before it starts is empty.
        length = 0 if more is False else length if more else dim_max(length, 0)
        length = (length + self.step - 1) // self.step
        place = "stop" if self.stop is not None else "start"
        return (x.with_shape(_not_empty(self.name, (*x.shape[:axis], length, *x.shape[axis + 1 :]), place)),)

    def find_offset(self, end: Dim, size: Dim, inputs: OpInputs, place: str) -> Dim:
        """Return the distance of `end` from the front, limited to the axis, by Python's rule for slices."""
        facts = inputs.facts
        positive = facts.is_at_least(end, 0)
        if positive is None:
            why = "whether it counts from the front or from the end must be known"
            raise OperatorError(UnprovableSize(f"{format_dim(end)} is not negative", why, at_least_text(end, 0)), argument_location(place))
        # `dim_max` and `dim_min` only where the facts do not decide: a plain `size - 1` is better for later proofs.
        offset = end if positive else size + end
        if not positive and not facts.is_at_least(offset, 0):
            offset = dim_max(offset, 0)
        return offset if facts.is_at_least(size, offset) else dim_min(offset, size)


class Select(Layout):
    """One element of an axis, which is removed."""

    name = "select"
    x = Input(ANY, SOME_AXES)
    axis = Arg(AXIS, positional=True, alias="dim")
    index = Arg(DIM, positional=True)
    examples = ("input [T, 8] -> select 1 0", "input [T, 8] -> select axis=1 index=-1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        axis = normalize_axis(self.name, self.axis, x)
        self._must_exist(axis, inputs)
        return (x.with_shape((*x.shape[:axis], *x.shape[axis + 1 :])),)

    def _must_exist(self, axis: int, inputs: OpInputs) -> None:
        x, facts = inputs.x, inputs.facts
        size, index = x.shape[axis], self.index
        positive = facts.is_at_least(index, 0)
        if positive is None:
            why = "whether it counts from the front or from the end must be known"
            raise OperatorError(
                UnprovableSize(f"{format_dim(index)} is not negative", why, at_least_text(index, 0)), argument_location("index")
            )
        needed = index + 1 if positive else -index
        there = facts.is_at_least(size, needed)
        if there is False:
            raise OperatorError(BadIndex(self.name, index, axis, x), argument_location("index"))
        if there is None:
            need = f"axis {axis} of {show_shape(x.shape)} has an index {format_dim(index)}"
            raise OperatorError(
                UnprovableSize(need, f"this needs at least {format_dim(needed)}", at_least_text(size, needed)), argument_location("index")
            )


class Pad(Layout):
    """Adds elements around axes: `[left, right, top, bottom]`, the last axis first; negative amounts remove elements. Amounts may be
    known at run time only, such as `(-W) % 7`, but not whether they are negative."""

    name = "pad"
    x = Input()
    padding = Arg(ListKind(AMOUNT), positional=True, alias="pad")
    mode = Arg(WordKind("constant", "reflect", "replicate", "circular"), default="constant")
    value = Arg(ANY_SCALAR, default=0)
    examples = (
        "input 3x8x8 -> pad [1, 1, 2, 2]",
        "input 3x8x8 -> pad [1, 1, 1, 1] mode=reflect",
        "input [T] -> pad [1, 0] value=-1",
        "input 3xHxW -> pad [0, (-W) % 7, 0, (-H) % 7]",
    )

    def find_unused_arguments(self) -> dict[str, UnusedArgument]:
        return super().find_unused_arguments() | (
            {} if self.mode == "constant" else {"value": UnusedArgument(f"`mode={self.mode}` pads with the input", ("mode",))}
        )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        amounts = self._check_amounts(x)
        # Only this mode uses `value`. The other modes have limits on ranks in PyTorch.
        if self.mode == "constant":
            self.convert_fill_value(x.dtype)
        else:
            self._check_mode(x)
        sizes = list(x.shape)
        for axis, ends in amounts.items():
            sizes[axis] = x.shape[axis] + ends[0] + ends[1]
            added, removed = zip(*(self.split_amount(end, inputs.facts) for end in ends), strict=True)
            self._check_source(axis, added, removed, inputs)
            self._check_cut(axis, -removed[0] - removed[1], dim_max(*added), inputs)
        return (x.with_shape(_not_empty(self.name, tuple(sizes), "padding")),)

    def split_amount(self, amount: Dim, facts: Facts) -> tuple[Dim, Dim]:
        """Return the numbers of elements added and removed at one end. One of them is 0."""
        positive = facts.is_at_least(amount, 0)
        if positive is None and facts.is_at_least(-amount, 0):
            positive = False
        if positive is None:
            why = "whether elements are added or removed must be known"
            raise OperatorError(
                UnprovableSize(f"{format_dim(amount)} is not negative", why, at_least_text(amount, 0)), argument_location("padding")
            )
        return (amount, 0) if positive else (0, -amount)

    def axis_amounts(self, rank: int) -> dict[int, tuple[Dim, Dim]]:
        """Return the amounts before and after each axis that the argument names."""
        # PyTorch's order: the last axis first.
        return {rank - 1 - i // 2: (self.padding[i], self.padding[i + 1]) for i in range(0, len(self.padding), 2)}

    def _check_amounts(self, x: TensorType) -> dict[int, tuple[Dim, Dim]]:
        if len(self.padding) % 2:
            needed = "must have two entries for each axis, before and after it, the last axis first"
            raise OperatorError(BadArgument(self.name, "padding", show_shape(self.padding), needed), argument_location("padding"))
        if len(self.padding) > 2 * x.rank:
            needed = f"must have two entries for each axis, and {show_shape(x.shape)} has {x.rank}"
            raise OperatorError(BadArgument(self.name, "padding", f"{len(self.padding)} entries", needed), argument_location("padding"))
        return self.axis_amounts(x.rank)

    def _check_mode(self, x: TensorType) -> None:
        axes = len(self.padding) // 2
        if axes not in (1, 2, 3):
            needed = f"with `mode={self.mode}` must be for the last one, two or three axes"
            raise OperatorError(BadArgument(self.name, "padding", show_shape(self.padding), needed), argument_location("padding"))
        # `F.pad` takes a sample with its channels, or a batch of them, in every mode but "constant".
        if x.rank not in (axes + 1, axes + 2):
            last = "one" if axes == 1 else str(axes)
            needed = f"{axes + 1} or {axes + 2} axes to pad the last {last} with `mode={self.mode}`"
            missing = x.rank - 2 - axes
            full = show_shape((*self.padding, *[0] * (2 * missing)))
            all_ = f"name the other axes too: `pad {full}`" if missing > 0 and x.rank <= 5 else ""
            raise OperatorError(WrongRank(self.name, needed, x, all_), argument_location("padding"))
        # PyTorch pads circularly by copying slices, which any type allows; its kernels of the other modes have no booleans.
        if x.dtype.kind == "bool" and self.mode != "circular":
            raise OperatorError(
                BadArgument(self.name, "mode", f"`{self.mode}`", "must be `constant` or `circular` for bool"), argument_location("mode")
            )

    def _check_source(self, axis: int, added: Sequence[Dim], removed: Sequence[Dim], inputs: OpInputs) -> None:
        """Check that the axis has the elements to pad with. Reflection needs more than it adds; wrapping needs as many, after removals."""
        amount = dim_max(*added)
        if amount != 0 and self.mode == "replicate":
            require_elements(self.name, inputs, "x", (axis,))
        if amount == 0 or self.mode not in ("reflect", "circular"):
            return
        x = inputs.x
        size = x.shape[axis]
        needed = amount + 1 if self.mode == "reflect" else amount + dim_max(*removed)
        enough = inputs.facts.is_at_least(size, needed)
        if enough is False:
            raise OperatorError(PadTooLarge(self.mode, axis, amount, x), argument_location("padding"))
        if enough is None:
            need = f"axis {axis} of {show_shape(x.shape)} is at least {format_dim(needed)}"
            raise OperatorError(
                UnprovableSize(need, f"`mode={self.mode}` needs it", at_least_text(size, needed)), argument_location("padding")
            )

    def _check_cut(self, axis: int, cut: Dim, added: Dim, inputs: OpInputs) -> None:
        """Refuse to remove more elements than the axis has, even if others are added. (If none are added, the size of the result is
        checked.)"""
        x = inputs.x
        if cut == 0 or self.mode not in ("constant", "circular"):
            return
        enough = inputs.facts.is_at_least(x.shape[axis] + cut, 0)
        if enough is False:
            shape = (*x.shape[:axis], x.shape[axis] + cut, *x.shape[axis + 1 :])
            raise OperatorError(EmptyResult(self.name, shape, axis), argument_location("padding"))
        if enough is None and added != 0:
            need = f"axis {axis} of {show_shape(x.shape)} is at least {format_dim(-cut)}"
            raise OperatorError(
                UnprovableSize(need, "so much is cut off", at_least_text(x.shape[axis], -cut)), argument_location("padding")
            )

    def convert_fill_value(self, dtype: DType) -> int | float | bool:
        """Convert the value of new elements to the tensor's type."""
        value = self.value
        if isinstance(value, SymDim):
            raise OperatorError(
                BadArgument(self.name, "value", format_dim(value), "must be a number that is known"), argument_location("value")
            )
        if dtype.kind == "bool":
            return bool(value)
        low, high = dtype.limits
        if value != value or not low <= value <= high:
            # Infinities and NaN may be meant, as before a maximum. A finite number outside of the type is a mistake.
            if dtype.is_float and not isfinite(value):
                return float(value)
            raise OperatorError(
                BadArgument(self.name, "value", str(value), f"must be from {low} to {high} for {dtype}"), argument_location("value")
            )
        return float(value) if dtype.is_float else trunc(value)


class Flip(Layout):
    """Reverses the order along axes."""

    name = "flip"
    x = Input()
    axis = Arg(AXES, positional=True, alias="dims")
    examples = ("input [T, 8] -> flip 1", "input 3x8x8 -> flip [2, 3]")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        front_axes(self.name, self.axis, inputs.x)
        return (inputs.x,)


class Roll(Layout):
    """Shifts elements along axes, from one end back to the other; without `axis`, along all elements in order."""

    name = "roll"
    x = Input()
    shifts = Arg(ListKind(IntKind(varies=True), scalar=True, least=1), positional=True)
    axis = Arg(AXES, default=None, positional=True, alias="dims")
    examples = ("input 8x8x3 -> roll [-3, -3] axis=[1, 2]", "input [T] -> roll 1 axis=1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if x.rank == 0 and self.axis is not None:
            raise OperatorError(WrongRank(self.name, "at least one axis", x), inputs.at("x"))
        for axis in self.axis or ():
            normalize_axis(self.name, axis, x)
        # Without an axis, `torch.roll` rolls the flattened tensor, by one number.
        axes = 1 if self.axis is None else len(self.axis)
        if len(self.shifts) != axes:
            needed = "must be one number without `axis`" if self.axis is None else f"must have one entry for each of the {axes} axes"
            raise OperatorError(BadArgument(self.name, "shifts", str(list(self.shifts)), needed), argument_location("shifts"))
        return (x,)


class Tile(Layout):
    """Repeats the tensor along axes; more repeats than axes add axes in front."""

    name = "tile"
    x = Input()
    repeats = Arg(ListKind(SIZE, scalar=True), positional=True, alias="dims")
    examples = ("input [T, 8] -> tile [1, 1, 2]",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        sizes, repeats = self.align_repeats(x)
        return (x.with_shape(tuple(size * count for size, count in zip(sizes, repeats, strict=True))),)

    def align_repeats(self, x: TensorType) -> tuple[Shape, Shape]:
        """Return the shape and the repeats, with ones in front so that both have the same length."""
        rank = max(x.rank, len(self.repeats))
        return (1,) * (rank - x.rank) + x.shape, (1,) * (rank - len(self.repeats)) + self.repeats


class RepeatInterleave(Layout):
    """Repeats each element of an axis; without `axis`, of all elements in order, as one axis."""

    name = "repeat_interleave"
    x = Input()
    repeats = Arg(SIZE, positional=True)
    axis = Arg(AXIS, default=None, positional=True, alias="dim")
    examples = ("input [2, T, 64] -> repeat_interleave 4 axis=1",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if x.rank == 0 and self.axis is not None:
            raise OperatorError(WrongRank(self.name, "at least one axis", x), inputs.at("x"))
        shape, axis = self.find_repeated_axis(x)
        return (x.with_shape((*shape[:axis], shape[axis] * self.repeats, *shape[axis + 1 :])),)

    def find_repeated_axis(self, x: TensorType) -> tuple[Shape, int]:
        """Return the shape whose elements are repeated, and the axis counted from the front."""
        if self.axis is None:
            return (numel(x.shape),), 0
        return x.shape, normalize_axis(self.name, self.axis, x)
