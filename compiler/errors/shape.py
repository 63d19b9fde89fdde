"""Errors of the operators that change a tensor's shape.

>>> import netc
>>> netc.compile("input 12 -> reshape [N, 5, -1]")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[element-count]: cannot reshape [N, 12] into [N, 5, -1]: 12 is not divisible by 5
 --> <text>:1:21
  |
1 | input 12 -> reshape [N, 5, -1]
  | --------            ^^^^^^^^^^
  | |
  | [N, 12] comes from here
...
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..dims import Dim, Facts, format_dim
from ..types.tensor_types import Shape, TensorType, show_shape
from .operator_errors import BadAxis, about_batch, where_hint
from .problem import Location, Problem, input_location


class ElementCount(Problem):
    """A new shape with a different number of elements. `what` is for example `[N, 4, 5]` or `axis 1 of [N, 12]`."""

    code: ClassVar[str] = "element-count"
    operator: str
    what: str
    sizes: Shape
    found: Dim
    needed: Dim
    suggestion: str = ""

    def format_message(self) -> str:
        shape, found, needed = show_shape(self.sizes), format_dim(self.found), format_dim(self.needed)
        # The size -1 is computed, so a wrong count is a division with a remainder.
        if any(size == -1 for size in self.sizes):
            return f"cannot {self.operator} {self.what} into {shape}: {found} is not divisible by {needed}"
        return f"cannot {self.operator} {self.what} into {shape}: it has {found} elements, not {needed}"

    def format_label(self) -> str:
        return f"this has {format_dim(self.needed)} elements" if all(size != -1 for size in self.sizes) else ""

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return ((input_location(0), f"{self.what} comes from here"),)

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else self._with_rest()

    def _with_rest(self) -> tuple[str, ...]:
        """Return the shape with `-1` for one of its sizes, if that makes it valid."""
        # The last size first: it is most often the one that follows from the others.
        for axis in range(len(self.sizes) - 1, -1, -1):
            others = [size for at, size in enumerate(self.sizes) if at != axis]
            # A shape may have one -1. Without facts, only a division that is exact for all sizes is proposed.
            if -1 not in self.sizes and Facts.empty().exact_div(self.found, prod(others, start=1)) is not None:
                shape = show_shape((*self.sizes[:axis], -1, *self.sizes[axis + 1 :]))
                return (f"use `-1` for the size to be inferred: `{shape}`",)
        return ()


class UnprovableCount(Problem):
    """A new shape whose number of elements can be proved neither equal nor different."""

    code: ClassVar[str] = "unprovable"
    operator: str
    what: str
    sizes: Shape
    found: Dim
    needed: Dim
    advice: str

    def format_message(self) -> str:
        found, needed = format_dim(self.found), format_dim(self.needed)
        return f"cannot prove that {self.what} has as many elements as {show_shape(self.sizes)}: {found} and {needed}"

    def format_label(self) -> str:
        return f"required by `{self.operator}`"

    def format_help(self) -> tuple[str, ...]:
        return where_hint(self.advice, "if this is always true")

    def format_notes(self) -> tuple[str, ...]:
        return about_batch(self.advice)


class UnprovableSize(Problem):
    """A condition on a size that must be proved. `need` completes "cannot prove that ...": `T is 1`. `why` is the label."""

    code: ClassVar[str] = "unprovable"
    need: str
    why: str
    advice: str

    def format_message(self) -> str:
        return f"cannot prove that {self.need}"

    def format_label(self) -> str:
        return self.why

    def format_help(self) -> tuple[str, ...]:
        return where_hint(self.advice, "if this is always true")

    def format_notes(self) -> tuple[str, ...]:
        return about_batch(self.advice)


class CannotExpand(Problem):
    """An axis whose size is neither 1 nor the new size."""

    code: ClassVar[str] = "cannot-expand"
    axis: int
    found: TensorType
    sizes: Shape

    def format_message(self) -> str:
        return f"cannot expand {show_shape(self.found.shape)} to {show_shape(self.sizes)}: only an axis of size 1 can be expanded"

    def format_label(self) -> str:
        return f"axis {self.axis} is {format_dim(self.found.shape[self.axis])}"

    def format_help(self) -> tuple[str, ...]:
        return ("use -1 to keep the size of an axis",)


class NoPlaceForAxis(BadAxis):
    """The position of a new axis, out of range."""

    def format_help(self) -> tuple[str, ...]:
        rank = self.found.rank
        return (f"insert the new axis at a position from {-rank - 1} to {rank}",)


class NotAPermutation(Problem):
    """An order of axes that leaves one out."""

    code: ClassVar[str] = "not-a-permutation"
    operator: str
    order: tuple[int, ...]
    found: TensorType

    def format_message(self) -> str:
        shape = show_shape(self.found.shape)
        return f"`{self.operator}` must list each of the {self.found.rank} axes of {shape} once, found {list(self.order)}"

    def format_label(self) -> str:
        rank = self.found.rank
        missing = [axis for axis in range(rank) if axis not in {a % rank for a in self.order}]
        return f"missing: {', '.join(f'axis {axis}' for axis in missing)}" if missing else ""


class BadIndex(Problem):
    """An index beyond the end of an axis."""

    code: ClassVar[str] = "bad-index"
    operator: str
    index: Dim
    axis: int
    found: TensorType

    def format_message(self) -> str:
        index, size = format_dim(self.index), format_dim(self.found.shape[self.axis])
        return f"index {index} of `{self.operator}` is out of range for axis {self.axis} of {self.found}, whose size is {size}"


class PadTooLarge(Problem):
    """A reflection or a wrap-around of more elements than the axis has. `stage` is the text before the mode: `pad mode`."""

    code: ClassVar[str] = "pad-too-large"
    mode: str
    axis: int
    amount: Dim
    found: TensorType
    stage: str = "pad mode"

    def format_message(self) -> str:
        bound = "less than" if self.mode == "reflect" else "at most"
        needs = f"the padding of `{self.stage}={self.mode}` must be {bound} the size of the axis"
        return f"{needs}, found {format_dim(self.amount)} for axis {self.axis} of {self.found}"

    def format_label(self) -> str:
        return f"axis {self.axis} is {format_dim(self.found.shape[self.axis])}"


class NothingToSqueeze(Problem):
    """An axis whose size is not 1: PyTorch leaves it unchanged."""

    code: ClassVar[str] = "nothing-to-squeeze"
    severity: ClassVar[Severity] = "warning"
    axis: int
    found: TensorType

    def format_message(self) -> str:
        return f"`squeeze` has no effect on axis {self.axis} of {self.found}: its size is {format_dim(self.found.shape[self.axis])}, not 1"

    def format_help(self) -> tuple[str, ...]:
        ones = [axis for axis, size in enumerate(self.found.shape) if size == 1]
        return (f"use `squeeze {ones[0]}` to remove axis {ones[0]}, whose size is 1",) if ones else ()
