"""What `rearrange` refuses."""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, show
from ..ir.types import TensorType, show_shape
from .base import Problem


class BadPattern(Problem):
    """A pattern that cannot be read. `what` is a whole clause."""

    code: ClassVar[str] = "bad-pattern"
    pattern: str
    what: str

    def message(self) -> str:
        return f'cannot read the pattern "{self.pattern}": {self.what}'

    def help(self) -> tuple[str, ...]:
        return ('name each axis on both sides of one arrow, as in "n c (h p) w -> n h w (c p)"',)


class PatternAxisTwice(Problem):
    """A name for two axes."""

    code: ClassVar[str] = "axis-twice"
    pattern: str
    axis: str
    side: str

    def message(self) -> str:
        return f'`{self.axis}` is twice on the {self.side} of "{self.pattern}"'


class PatternAxisLost(Problem):
    """A name on one side only."""

    code: ClassVar[str] = "axis-lost"
    pattern: str
    axis: str
    side: str

    def message(self) -> str:
        return f'`{self.axis}` is only on the {self.side} of "{self.pattern}"'

    def help(self) -> tuple[str, ...]:
        if self.side == "right":
            return ("`rearrange` makes no new axes but `1`: `-> expand` or `-> tile` repeat along one",)
        return ("`rearrange` drops no axes but `1`: reduce first, as with `-> mean axis=1`",)


class PatternAxisUnknown(Problem):
    """A size for an axis that the pattern does not have."""

    code: ClassVar[str] = "unknown-axis"
    pattern: str
    axis: str
    names: tuple[str, ...]

    def message(self) -> str:
        return f'there is no axis `{self.axis}` in "{self.pattern}"'

    def notes(self) -> tuple[str, ...]:
        return (f"its axes are {', '.join(f'`{name}`' for name in self.names)}",) if self.names else ()


class PatternRank(Problem):
    """A pattern for another number of axes."""

    code: ClassVar[str] = "wrong-rank"
    pattern: str
    count: int
    open_: bool
    found: TensorType

    def message(self) -> str:
        least = "at least " if self.open_ else ""
        axes = "1 axis" if self.count == 1 else f"{self.count} axes"
        return f'"{self.pattern}" is for {least}{axes}, found {show_shape(self.found.shape)}'

    def help(self) -> tuple[str, ...]:
        return ("the batch axis is one of them",) if self.count == self.found.rank - 1 and not self.open_ else ()


class PatternSize(Problem):
    """An axis whose size is not what the pattern says. `part` is such as `(h p)`, `needed` its size by the pattern."""

    code: ClassVar[str] = "wrong-size"
    part: str
    needed: Dim
    axis: int
    found: TensorType

    def message(self) -> str:
        size = show(self.found.shape[self.axis])
        return f"`{self.part}` is {show(self.needed)}, but axis {self.axis} of {show_shape(self.found.shape)} is {size}"


class PatternIndivisible(Problem):
    """An axis that cannot be divided as the pattern says."""

    code: ClassVar[str] = "not-divisible"
    part: str
    by: Dim
    axis: int
    found: TensorType

    def message(self) -> str:
        size = show(self.found.shape[self.axis])
        return f"`{self.part}` is axis {self.axis} of {show_shape(self.found.shape)}, and {size} is not a multiple of {show(self.by)}"


class PatternSizeOpen(Problem):
    """Two sizes in one axis that are not told."""

    code: ClassVar[str] = "open-size"
    part: str
    axes: tuple[str, ...]

    def message(self) -> str:
        names = " and ".join(f"`{name}`" for name in self.axes)
        return f"the sizes of {names} in `{self.part}` cannot be told from their product"

    def help(self) -> tuple[str, ...]:
        return (f"give all but one of them: `{self.axes[-1]}=2`",)
