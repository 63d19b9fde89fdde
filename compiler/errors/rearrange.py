"""Errors of `rearrange`: patterns that are malformed, or that do not match the tensor.

>>> import netc
>>> netc.compile('input 3x8 -> rearrange "n c c -> n c"')  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[axis-twice]: `c` appears twice on the left of "n c c -> n c"
 --> <text>:1:24
  |
1 | input 3x8 -> rearrange "n c c -> n c"
  |                        ^^^^^^^^^^^^^^
...
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, format_dim
from ..types.tensor_types import TensorType, show_shape
from .problem import Problem


class BadPattern(Problem):
    """A malformed pattern. `what` is a clause."""

    code: ClassVar[str] = "bad-pattern"
    pattern: str
    what: str

    def format_message(self) -> str:
        return f'invalid pattern "{self.pattern}": {self.what}'

    def format_help(self) -> tuple[str, ...]:
        return ('name each axis on both sides of one arrow, as in "n c (h p) w -> n h w (c p)"',)


class PatternAxisTwice(Problem):
    """One name for two axes."""

    code: ClassVar[str] = "axis-twice"
    pattern: str
    axis: str
    side: str

    def format_message(self) -> str:
        return f'`{self.axis}` appears twice on the {self.side} of "{self.pattern}"'


class PatternAxisLost(Problem):
    """A name on one side only."""

    code: ClassVar[str] = "axis-lost"
    pattern: str
    axis: str
    side: str

    def format_message(self) -> str:
        return f'`{self.axis}` appears only on the {self.side} of "{self.pattern}"'

    def format_help(self) -> tuple[str, ...]:
        if self.side == "right":
            return ("`rearrange` adds no axes except `1`: use `-> expand` or `-> tile` to repeat along one",)
        return ("`rearrange` removes no axes except `1`: reduce first, for example with `-> mean axis=1`",)


class PatternAxisUnknown(Problem):
    """A size for an axis that the pattern does not have."""

    code: ClassVar[str] = "unknown-axis"
    pattern: str
    axis: str
    names: tuple[str, ...]

    def format_message(self) -> str:
        return f'unknown axis `{self.axis}` in the pattern "{self.pattern}"'

    def format_notes(self) -> tuple[str, ...]:
        return (f"the axes are {', '.join(f'`{name}`' for name in self.names)}",) if self.names else ()


class PatternRank(Problem):
    """A pattern for a different number of axes."""

    code: ClassVar[str] = "wrong-rank"
    pattern: str
    count: int
    open_: bool
    found: TensorType

    def format_message(self) -> str:
        least = "at least " if self.open_ else ""
        axes = "1 axis" if self.count == 1 else f"{self.count} axes"
        return f'pattern "{self.pattern}" needs {least}{axes}, found {show_shape(self.found.shape)}'

    def format_help(self) -> tuple[str, ...]:
        # One axis too few is most often the batch, which a spec leaves out of shapes elsewhere.
        return ("include the batch axis in the pattern",) if self.count == self.found.rank - 1 and not self.open_ else ()


class PatternSize(Problem):
    """An axis whose size differs from the pattern. `part` is for example `(h p)`, and `needed` its size in the pattern."""

    code: ClassVar[str] = "wrong-size"
    part: str
    needed: Dim
    axis: int
    found: TensorType

    def format_message(self) -> str:
        size = format_dim(self.found.shape[self.axis])
        return f"`{self.part}` is {format_dim(self.needed)}, but axis {self.axis} of {show_shape(self.found.shape)} is {size}"


class PatternIndivisible(Problem):
    """An axis whose size is not a multiple of the sizes in the pattern."""

    code: ClassVar[str] = "not-divisible"
    part: str
    by: Dim
    axis: int
    found: TensorType

    def format_message(self) -> str:
        size = format_dim(self.found.shape[self.axis])
        return f"`{self.part}` is axis {self.axis} of {show_shape(self.found.shape)}, and {size} is not divisible by {format_dim(self.by)}"


class PatternSizeOpen(Problem):
    """An axis with two unknown sizes."""

    code: ClassVar[str] = "ambiguous-size"
    part: str
    axes: tuple[str, ...]

    def format_message(self) -> str:
        names = " and ".join(f"`{name}`" for name in self.axes)
        return f"the sizes of {names} in `{self.part}` are ambiguous: only their product is known"

    def format_help(self) -> tuple[str, ...]:
        return (f"give all but one of them, for example `{self.axes[-1]}=2`",)
