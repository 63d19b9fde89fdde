"""Errors of specs that are too large, too deep or endless.

A short text can describe a network of any size. The elaborator counts what it builds, and stops with one of these errors before memory or
time run out.

>>> import netc
>>> netc.compile("input 3 -> repeat 1_000_000_000 { relu }")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[too-many-nodes]: this network has 1_000_000_000 iterations or more; the limit is 1_000_000
 --> <text>:1:19
  |
1 | input 3 -> repeat 1_000_000_000 { relu }
  |                   ^^^^^^^^^^^^^
...
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import format_dim
from ..types.tensor_types import Shape
from .problem import Problem


def format_integer(value: int) -> str:
    """Format an integer with `_` between thousands. A very large integer is shown by its number of digits."""
    # Python refuses to convert integers of thousands of digits to text (`sys.set_int_max_str_digits`).
    digits = len(str(abs(value))) if value.bit_length() < 4096 else 0
    if digits and digits <= 24:
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    return f"a number of {digits} digits" if digits else "a number of more than 1000 digits"


class TooManyNodes(Problem):
    """Too many parts in the network. `what` consists of these `parts`. Counting stops at the limit, so `found` is a lower bound."""

    code: ClassVar[str] = "too-many-nodes"
    found: int
    limit: int
    what: str = "network"
    parts: str = "operators"

    def format_message(self) -> str:
        return f"this {self.what} has {format_integer(self.found)} {self.parts} or more; the limit is {self.limit:_}"


class TooManyCalls(Problem):
    """Functions that call others twice, which call others twice, and so on: exponentially many calls."""

    code: ClassVar[str] = "too-many-nodes"
    limit: int

    def format_message(self) -> str:
        return f"this spec needs more than {self.limit:_} function calls"

    def format_help(self) -> tuple[str, ...]:
        return ("to use a result twice, pass it to a function: `fn double(y) = y + y` and `double(f(x))` call `f` once",)


class LargeNumber(Problem):
    """An integer that does not fit into 64 bits."""

    code: ClassVar[str] = "too-large"
    found: int
    limit: int

    def format_message(self) -> str:
        return f"this number is too large: {format_integer(self.found)}"

    def format_notes(self) -> tuple[str, ...]:
        return (f"the largest integer is {self.limit:_}, that is 2 ** 63 - 1",)


class LargeTensor(Problem):
    """A tensor with more elements than can be counted."""

    code: ClassVar[str] = "too-large"
    shape: Shape

    def format_message(self) -> str:
        axes = ", ".join(format_integer(d) if isinstance(d, int) else format_dim(d) for d in self.shape)
        return f"a tensor of shape [{axes}] is too large"

    def format_notes(self) -> tuple[str, ...]:
        return ("a tensor has fewer than 2 ** 60 elements",)


class ManyAxes(Problem):
    """A tensor with more axes than PyTorch can reduce."""

    code: ClassVar[str] = "too-large"
    axes: int
    limit: int

    def format_message(self) -> str:
        return f"a tensor with {self.axes} axes is too large"

    def format_notes(self) -> tuple[str, ...]:
        return (f"a tensor has at most {self.limit} axes",)


class LargeDimension(Problem):
    """A symbolic dimension whose formula is too large."""

    code: ClassVar[str] = "too-large"
    limit: int

    def format_message(self) -> str:
        return f"the formula of this dimension has more than {self.limit:_} terms"

    def format_help(self) -> tuple[str, ...]:
        return ("declare the dimensions of the input as numbers, or fix them with `--dim`",)


class LargeFormulas(Problem):
    """Formulas that are too expensive to compute and compare altogether, although each may be short."""

    code: ClassVar[str] = "too-large"
    limit: int

    def format_message(self) -> str:
        return f"the formulas of the dimensions up to here have more than {self.limit:_} terms together"

    def format_help(self) -> tuple[str, ...]:
        return ("declare the dimensions of the input as numbers, or fix them with `--dim`",)


class TooMuchNesting(Problem):
    code: ClassVar[str] = "too-much-nesting"
    limit: int
    what: str = "blocks"

    def format_message(self) -> str:
        return f"{self.what} are nested more than {self.limit} levels deep"

    def format_help(self) -> tuple[str, ...]:
        if self.what != "blocks":
            return ()
        return ("write consecutive stages in one pipeline, or use `repeat`",)


class Recursion(Problem):
    """A value, shared stage or model that is defined in terms of itself."""

    code: ClassVar[str] = "recursion"
    name: str
    kind: str

    def format_message(self) -> str:
        return f"the {self.kind} `{self.name}` is defined in terms of itself"


class EndlessRecursion(Problem):
    """A block within itself, or a function that calls itself, beyond the limit. `kind` is `block` or `function`."""

    code: ClassVar[str] = "recursion"
    name: str
    kind: str
    limit: int

    def format_message(self) -> str:
        if self.kind == "block":
            return f"the block `{self.name}` is inside itself, more than {self.limit} levels deep"
        return f"the function `{self.name}` calls itself, more than {self.limit} levels deep"

    def format_help(self) -> tuple[str, ...]:
        if self.kind == "block":
            return (
                "end the recursion with a condition on an argument that changes at each level: `if depth > 1 { ... }`",
                "use `repeat` for plain repetition",
            )
        return ("end the recursion with a condition on an argument that changes at each call: `... if n > 0 else 1`",)


class TooMuchRecursion(Problem):
    """A block that contains itself several times at each level, so that there are too many uses in total."""

    code: ClassVar[str] = "too-many-nodes"
    name: str
    limit: int

    def format_message(self) -> str:
        return f"the block `{self.name}` is inside itself more than {self.limit:_} times"
