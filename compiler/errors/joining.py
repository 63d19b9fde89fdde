"""Errors of `split`, `chunk` and other operators that divide or join tensors.

>>> import netc
>>> netc.compile("input 10 -> split [4, 4] axis=1 -> concat axis=1")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[split-sum]: the pieces [4, 4] add up to 8, not to the 10 of axis 1 of [N, 10]
 --> <text>:1:19
  |
1 | input 10 -> split [4, 4] axis=1 -> concat axis=1
  |                   ^^^^^^
...
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, format_dim
from ..types.tensor_types import TensorType, show_shape
from .problem import Problem


class SplitSum(Problem):
    """Sizes of pieces that do not add up to the size of the axis."""

    code: ClassVar[str] = "split-sum"
    axis: int
    sizes: tuple[Dim, ...]
    total: Dim
    found: TensorType

    def format_message(self) -> str:
        shape = f"the {format_dim(self.found.shape[self.axis])} of axis {self.axis} of {self.found}"
        return f"the pieces {show_shape(self.sizes)} add up to {format_dim(self.total)}, not to {shape}"


class UnknownCount(Problem):
    """A symbolic number of pieces."""

    code: ClassVar[str] = "unknown-count"
    operator: str
    axis: int
    size: Dim
    found: TensorType
    suggestion: str = ""

    def format_message(self) -> str:
        shape = f"axis {self.axis} of {self.found}"
        return f"the number of pieces that `{self.operator} {format_dim(self.size)}` makes of {shape} is known only at run time"

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class TooManyPieces(Problem):
    """More pieces than the limit."""

    code: ClassVar[str] = "too-many-pieces"
    operator: str
    count: int
    most: int

    def format_message(self) -> str:
        return f"`{self.operator}` would make {self.count} pieces; the limit is {self.most}"
