"""Errors of assertions that fail: `is`, `expect`, `where`, and the shape patterns of blocks.

The author stated something about shapes or costs, and the compiler found or proved another fact.

>>> import netc
>>> netc.compile("input 3 -> is [8, 3]")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[is-mismatch]: expected shape [8, 3], found [N, 3]
 --> <text>:1:16
  |
1 | input 3 -> is [8, 3]
  | -------        ^ axis 0 is N
  | |
  | this is [N, 3]
...
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import format_dim
from ..types.tensor_types import TensorType, show_shape
from .problem import Problem


class IsMismatch(Problem):
    code: ClassVar[str] = "is-mismatch"
    stated: str
    found: TensorType
    axis: int | None = None

    def format_message(self) -> str:
        return f"expected shape {self.stated}, found {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        if self.axis is not None:
            return f"axis {self.axis} is {format_dim(self.found.shape[self.axis])}"
        return f"this has {self.found.rank} {'axis' if self.found.rank == 1 else 'axes'}"


class ExpectFailed(Problem):
    code: ClassVar[str] = "expect-failed"
    stated: str
    found: str

    def format_message(self) -> str:
        return f"`expect {self.stated}` failed"

    def format_label(self) -> str:
        return self.found


class UnknownOutput(Problem):
    code: ClassVar[str] = "unknown-output"
    name: str
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"the model has no output `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("the outputs are " + ", ".join(f"`{n}`" for n in self.known),)


class BadWhere(Problem):
    """`why` is the label."""

    code: ClassVar[str] = "bad-where"
    why: str

    def format_message(self) -> str:
        return "`where` needs comparisons of dimensions, such as `H % 32 == 0` or `T <= 1024`"

    def format_label(self) -> str:
        return self.why


class Contradiction(Problem):
    code: ClassVar[str] = "contradiction"
    condition: str
    why: str = ""

    def format_message(self) -> str:
        return f"`where {self.condition}` can never be true" + (f": {self.why}" if self.why else "")


class PatternMismatch(Problem):
    """A tensor that does not match the shape pattern of a block's parameter."""

    code: ClassVar[str] = "pattern-mismatch"
    block: str
    parameter: str
    pattern: str
    found: TensorType
    why: str

    def format_message(self) -> str:
        return f"`{self.parameter}` of `{self.block}` must be {self.pattern}, found {self.found}"

    def format_label(self) -> str:
        return self.why


class UnknownClaim(Problem):
    """`expect output igores mask`."""

    code: ClassVar[str] = "unknown-claim"
    word: str
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"`{self.word}` is no claim about an output"

    def format_help(self) -> tuple[str, ...]:
        return ("write " + ", ".join(f"`{word}`" for word in self.known[:-1]) + f" or `{self.known[-1]}`",)
