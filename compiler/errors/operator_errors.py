"""Errors that many operators share. The errors of one family are in a file named after it.

Type rules raise them inside an `OperatorError`, which adds the location within the stage.

>>> import netc
>>> netc.compile("input 5 -> glu")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[wrong-size]: `glu` needs an even size of axis -1, found [N, 5]
 --> <text>:1:12
  |
1 | input 5 -> glu
  | -------    ^^^
  | |
  | this is [N, 5]
...
"""

from __future__ import annotations

import re
from math import gcd
from typing import ClassVar

from ..dims import Dim, format_dim
from ..types.tensor_types import Shape, TensorType, show_shape
from .habit_errors import PERMUTED, channels_first, input_channels_hint
from .problem import Location, Problem, Replacement, input_location


def where_hint(advice: str, when: str) -> tuple[str, ...]:
    """Make the help that proposes a `where`. There is none about the batch, which can have any size."""
    if not advice or about_batch(advice):
        return ()
    return (f"{when}, state it where the dimension is declared: `where {advice}`",)


def about_batch(advice: str) -> tuple[str, ...]:
    """Make the note on a condition that would fix the size of the batch."""
    # Whole words only: `Nx` and `N1` are symbols of their own.
    return ("`N` is the batch size, which can be any integer",) if re.search(r"\bN\b", advice) else ()


class NeedsFloat(Problem):
    """`dense` on integers."""

    code: ClassVar[str] = "needs-float"
    operator: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` needs a floating-point tensor, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"this is {self.found.dtype}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert it with `-> cast float32`, or use `-> embedding num dim` if it contains indices",)


class NeedsInteger(Problem):
    """`embedding` on floats."""

    code: ClassVar[str] = "needs-integer"
    operator: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` needs an integer tensor, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"this is {self.found.dtype}"

    def format_help(self) -> tuple[str, ...]:
        return ("if these are indices, declare them as integers: `input [...] int64`",)


class NeedsBool(Problem):
    """`where` with a condition that is not bool."""

    code: ClassVar[str] = "needs-bool"
    operator: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` needs a bool tensor, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"this is {self.found.dtype}"

    def format_help(self) -> tuple[str, ...]:
        return ("compare it, as in `x > 0`, or convert it with `-> cast bool`",)


class DTypeMismatch(Problem):
    """Two tensors that must have one element type."""

    code: ClassVar[str] = "dtype-mismatch"
    operator: str
    left: TensorType
    right: TensorType
    at: tuple[int, int]

    def format_message(self) -> str:
        return f"`{self.operator}` needs tensors of the same type, found {self.left.dtype} and {self.right.dtype}"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return ((input_location(self.at[0]), f"this is {self.left.dtype}"), (input_location(self.at[1]), f"this is {self.right.dtype}"))

    def format_help(self) -> tuple[str, ...]:
        return (f"convert one with `-> cast {self.left.dtype}`",)


class ShapeMismatch(Problem):
    """Two tensors whose shapes are incompatible. `verb` completes "cannot ...": `add`, `concat`, `multiply`.

    `why` names the axes that differ; `suggestion` is the change that makes it valid, if one is known.
    """

    code: ClassVar[str] = "shape-mismatch"
    verb: str
    left: Shape
    right: Shape
    why: str = ""
    suggestion: str = ""
    at: tuple[int, int] = (0, 1)

    def format_message(self) -> str:
        return f"cannot {self.verb} {show_shape(self.left)} and {show_shape(self.right)}"

    def format_label(self) -> str:
        return self.why

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        first, second = self.at
        return ((input_location(first), f"this is {show_shape(self.left)}"), (input_location(second), f"this is {show_shape(self.right)}"))

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class DefinitionRefuses(Problem):
    """An operator without a type rule, whose definition does not compile for these inputs. `cause` is the error in the definition; `inputs`
    has the names and shapes of all inputs."""

    code: ClassVar[str] = "refused-by-definition"
    operator: str
    cause: str
    inputs: tuple[tuple[str, Shape], ...]

    def format_message(self) -> str:
        return f"the definition of `{self.operator}` does not compile for these inputs: {self.cause}"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return tuple(
            (input_location(index), f"this is the input `{name}`, {show_shape(shape)}") for index, (name, shape) in enumerate(self.inputs)
        )


class WrongRank(Problem):
    """A tensor with too few or too many axes. `needed` completes "needs ...": `[N, C, length], [N, C, height, width] or ...`."""

    code: ClassVar[str] = "wrong-rank"
    operator: str
    needed: str
    found: TensorType
    suggestion: str = ""

    def format_message(self) -> str:
        return f"`{self.operator}` needs {self.needed}, found {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"this has {self.found.rank} {'axis' if self.found.rank == 1 else 'axes'}"

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class WrongSize(Problem):
    """A tensor with an axis of the wrong size. `needed` completes "needs ..."."""

    code: ClassVar[str] = "wrong-size"
    operator: str
    needed: str
    found: TensorType
    suggestion: str = ""

    def format_message(self) -> str:
        return f"`{self.operator}` needs {self.needed}, found {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"this is {show_shape(self.found.shape)}"

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class BadArgument(Problem):
    """An argument whose value is invalid for the input. `needed` is a clause: `must have one entry for each of the 2 axes`. `meant` is the
    value that the suggestion proposes, if any."""

    code: ClassVar[str] = "bad-argument"
    operator: str
    argument: str
    found: str
    needed: str
    suggestion: str = ""
    meant: str = ""

    def format_message(self) -> str:
        return f"`{self.argument}` of `{self.operator}` {self.needed}, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.meant) if self.meant else None


class BadAxis(Problem):
    """An axis that the tensor does not have."""

    code: ClassVar[str] = "bad-axis"
    operator: str
    axis: int
    found: TensorType

    def format_message(self) -> str:
        return f"axis {self.axis} of `{self.operator}` is out of range for {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"this has {self.found.rank} {'axis' if self.found.rank == 1 else 'axes'}"

    def format_help(self) -> tuple[str, ...]:
        rank = self.found.rank
        return (f"use an axis from {-rank} to {rank - 1}; axis 0 is the batch",) if rank else ()


class KernelTooLarge(Problem):
    """A window that is larger than its padded input. `channels_last`: the input is an input of the model and looks like an image with
    channels last. `channels_first`: the number that was written as the kernel, after the channels of the input."""

    code: ClassVar[str] = "kernel-too-large"
    operator: str
    axis: int
    kernel: Dim
    size: Dim
    padded: Dim
    found: TensorType
    channels_last: bool = False
    channels_first: int = 0

    def format_message(self) -> str:
        spans = f"the kernel of `{self.operator}` covers {format_dim(self.kernel)} elements"
        return f"{spans}, but axis {self.axis} of {self.found} has only {format_dim(self.padded)}"

    def format_label(self) -> str:
        return f"covers {format_dim(self.kernel)} elements along axis {self.axis}"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return ((input_location(0), f"this is {self.found}"),)

    def format_notes(self) -> tuple[str, ...]:
        return (
            (f"with padding, the size of axis {self.axis} is {format_dim(self.padded)} instead of {format_dim(self.size)}",)
            if self.size != self.padded
            else ()
        )

    def format_help(self) -> tuple[str, ...]:
        # An image that is turned around explains the small axis, so no other kernel or padding is proposed.
        if self.channels_last:
            return channels_first(self.found)
        if self.channels_first:
            return (input_channels_hint(self.operator, self.channels_first),)
        return ("use a smaller kernel or dilation, or more `padding`",)

    def make_replacement(self) -> Replacement | None:
        return PERMUTED if self.channels_last else None


class EmptyResult(Problem):
    """A result with a size that can only be zero or negative. `needs_elements`: PyTorch refuses a size of zero too."""

    code: ClassVar[str] = "empty-result"
    operator: str
    result: Shape
    axis: int
    needs_elements: bool = False

    def format_message(self) -> str:
        return f"`{self.operator}` would make a tensor of shape {show_shape(self.result)}: axis {self.axis} would be empty"


_DIVISORS = 10_000
"""The largest divisor to look for."""


class NotDivisible(Problem):
    """A size that must be a multiple of another: heads and features, groups and channels. `what` and `by` are phrases such as `512
    features`.

    `at` is the input that has `what`; None: it comes from an argument. `divided` has all sizes that the argument `number` must divide, if
    such an argument is wrong.
    """

    code: ClassVar[str] = "not-divisible"
    operator: str
    by: str
    what: str
    at: int | None = 0
    divided: tuple[Dim, ...] = ()
    number: int = 0

    def format_message(self) -> str:
        return f"{self.what} {'is' if self._is_singular else 'are'} not divisible by {self.by}"

    @property
    def _is_singular(self) -> bool:
        return self.what.startswith("1 ")

    def format_label(self) -> str:
        return f"required by `{self.operator}`"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return () if self.at is None else ((input_location(self.at), f"{self.what} {'comes' if self._is_singular else 'come'} from here"),)

    def format_help(self) -> tuple[str, ...]:
        sizes = [size for size in self.divided if isinstance(size, int)]
        # A symbolic size has no divisors to name: with one among them, there is no help.
        common = gcd(*sizes) if len(sizes) == len(self.divided) else 0
        divisors = [n for n in range(1, min(common, _DIVISORS) + 1) if common % n == 0]
        # The nearest divisors on both sides: the author must decide between them.
        near = [*[n for n in divisors if n < self.number][-1:], *[n for n in divisors if n > self.number][:1]]
        numbers = " or ".join(f"`{n}`" for n in near)
        # Input and output channels are often the same number, which is named once. `by` ends with the noun: `3 groups`.
        sizes_are, noun = " and ".join(map(str, dict.fromkeys(sizes))), self.by.partition(" ")[2]
        return (f"write a number of {noun} that divides {sizes_are}, such as {numbers}",) if near else ()


class Unprovable(Problem):
    """Two sizes that must be equal and can be proved neither equal nor different. `need` is a clause: `axis 1 of both must agree`."""

    code: ClassVar[str] = "unprovable"
    operator: str
    left: Dim
    right: Dim
    need: str
    advice: str
    at: tuple[int, int] = (0, 1)
    suggestion: str = ""

    def format_message(self) -> str:
        return f"cannot prove that {format_dim(self.left)} equals {format_dim(self.right)}"

    def format_label(self) -> str:
        return f"required by `{self.operator}`: {self.need}"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return (
            (input_location(self.at[0]), f"{format_dim(self.left)} is from here"),
            (input_location(self.at[1]), f"{format_dim(self.right)} is from here"),
        )

    def format_help(self) -> tuple[str, ...]:
        return ((self.suggestion,) if self.suggestion else ()) + where_hint(self.advice, "if this is always true")

    def format_notes(self) -> tuple[str, ...]:
        return about_batch(self.advice)


class UnprovableMultiple(Problem):
    """A size that must be a multiple of another, which can be neither proved nor refuted."""

    code: ClassVar[str] = "unprovable"
    operator: str
    by: Dim
    what: Dim
    advice: str

    def format_message(self) -> str:
        return f"cannot prove that {format_dim(self.what)} is divisible by {format_dim(self.by)}"

    def format_label(self) -> str:
        return f"required by `{self.operator}`"

    def format_help(self) -> tuple[str, ...]:
        return where_hint(self.advice, "if this is always true")

    def format_notes(self) -> tuple[str, ...]:
        return about_batch(self.advice)
