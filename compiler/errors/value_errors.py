"""Errors of compile-time expressions: operators, functions and attributes on unsupported values.

>>> import netc
>>> netc.compile("x = input 3; x.shape * x")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[bad-operand]: `*` does not support [N, 3] and a tensor
 --> <text>:1:22
  |
1 | x = input 3; x.shape * x
  |                      ^
...
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, format_dim
from .operator_errors import about_batch, where_hint
from .problem import Problem


class BadOperand(Problem):
    """An operator or function on unsupported values."""

    code: ClassVar[str] = "bad-operand"
    operation: str
    found: str
    hint: str = ""

    def format_message(self) -> str:
        return f"`{self.operation}` does not support {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class NotExact(Problem):
    """`/` on integers that leaves a remainder."""

    code: ClassVar[str] = "not-divisible"
    left: Dim
    right: Dim
    left_text: str = ""
    right_text: str = ""

    def format_message(self) -> str:
        left = f"{format_dim(self.left)} {self.left_text}".rstrip()
        right = f"{format_dim(self.right)} {self.right_text}".rstrip()
        return f"{left} {'are' if self.left_text else 'is'} not divisible by {right}"

    def format_label(self) -> str:
        return "`/` must divide exactly"

    def format_help(self) -> tuple[str, ...]:
        if self.left_text or not isinstance(self.left, int):
            return ("use `//` to round down, or change one of the operands",)
        fraction = f"for a fraction, write a number with a decimal point: `{self.left}.0 / ...`"
        return (fraction,) if self.is_fraction else ("use `//` to round down", fraction)

    @property
    def is_fraction(self) -> bool:
        """Whether the quotient is between -1 and 1, so that the author cannot mean to round it down."""
        return isinstance(self.left, int) and isinstance(self.right, int) and abs(self.left) < abs(self.right)


class UnprovableDivision(Problem):
    code: ClassVar[str] = "unprovable"
    left: Dim
    right: Dim
    advice: str

    def format_message(self) -> str:
        return f"cannot prove that {format_dim(self.left)} is divisible by {format_dim(self.right)}"

    def format_label(self) -> str:
        return "`/` must divide exactly"

    def format_help(self) -> tuple[str, ...]:
        return (*where_hint(self.advice, "if this is always true"), "use `//` to round down")

    def format_notes(self) -> tuple[str, ...]:
        return about_batch(self.advice)


class UndecidableCondition(Problem):
    code: ClassVar[str] = "undecidable"
    condition: str
    advice: str = ""
    symbol: str = ""

    def format_message(self) -> str:
        return f"cannot decide at compile time whether `{self.condition}`"

    def format_help(self) -> tuple[str, ...]:
        fix = f"fix the dimension with `--dim {self.symbol}=...`" if self.symbol else "fix the dimension with `--dim`"
        return (*where_hint(self.advice, "if this is always true"), fix)

    def format_notes(self) -> tuple[str, ...]:
        return about_batch(self.advice)


class BadListIndex(Problem):
    code: ClassVar[str] = "bad-index"
    index: int
    length: int
    what: str = "list"

    def format_message(self) -> str:
        items = "item" if self.length == 1 else "items"
        return f"index {self.index} is out of range for this {self.what} of {self.length} {items}"


class NoAttribute(Problem):
    code: ClassVar[str] = "unknown-attribute"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]
    hint: str = ""

    def format_message(self) -> str:
        return f"a tensor has no attribute `.{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("the attributes of a tensor are " + ", ".join(f"`.{n}`" for n in self.known),)

    def format_help(self) -> tuple[str, ...]:
        if self.hint:
            return (self.hint,)
        return ("did you mean " + " or ".join(f"`.{n}`" for n in self.near) + "?",) if self.near else ()


class NoSuchAxis(Problem):
    """`x.channels` of a tensor that has none."""

    code: ClassVar[str] = "bad-index"
    name: str
    which: str
    shape: str

    def format_message(self) -> str:
        return f"`.{self.name}` is {self.which}, and {self.shape} has no such axis"


class NotAFunction(Problem):
    """A call of something that is not a function."""

    code: ClassVar[str] = "wrong-value"
    name: str
    what: str

    def format_message(self) -> str:
        return f"`{self.name}` is a {self.what}, not a function"


class FunctionTakes(Problem):
    """A function on unsupported values."""

    code: ClassVar[str] = "wrong-value"
    name: str
    wanted: str
    found: str

    def format_message(self) -> str:
        return f"`{self.name}` takes {self.wanted}, found {self.found}"


class NotAConstant(Problem):
    """A block, function or shared stage where a compile-time value is needed. `what` is for example `block`."""

    code: ClassVar[str] = "wrong-value"
    name: str
    what: str

    def format_message(self) -> str:
        return f"expected a compile-time value, found the {self.what} `{self.name}`"


class PipelineAsValue(Problem):
    """A pipeline where a compile-time value is needed. `bound`: the name that a `let` gives the value; `hint`: the help of
    the stage that takes it."""

    code: ClassVar[str] = "wrong-value"
    text: str
    bound: str = ""
    hint: str = ""

    def format_message(self) -> str:
        return "expected a compile-time value, found a pipeline"

    def format_help(self) -> tuple[str, ...]:
        if self.bound:
            return (f"name a tensor without `let`: `{self.bound} = {self.text}`",)
        return (self.hint or f"name the tensor first, `h = {self.text}`, and use one of its attributes, such as `h.shape` and `h.rank`",)


class TensorAsValue(Problem):
    """A tensor where a compile-time value is needed. `bound`: the name that a `let` gives the value; `hint`: the help of the
    stage that takes it."""

    code: ClassVar[str] = "wrong-value"
    name: str
    bound: str = ""
    hint: str = ""

    def format_message(self) -> str:
        return f"expected a compile-time value, found the tensor `{self.name}`"

    def format_help(self) -> tuple[str, ...]:
        if self.hint:
            return (self.hint,)
        tensors = (f"name a tensor without `let`: `{self.bound} = ...`",) if self.bound else ()
        return (
            *tensors,
            f"use one of `{self.name}.shape`, `{self.name}.rank`, `{self.name}.channels`, `{self.name}.features` or `{self.name}.dtype`",
        )


class NotABool(Problem):
    code: ClassVar[str] = "not-a-condition"
    found: str

    def format_message(self) -> str:
        return f"a condition must be a boolean, found {self.found}"


class NotANumber(Problem):
    """A wrong kind of value for a construct. `wanted` completes "... must be"."""

    code: ClassVar[str] = "wrong-value"
    construct: str
    wanted: str
    found: str

    def format_message(self) -> str:
        return f"{self.construct} must be {self.wanted}, found {self.found}"


class NoValue(Problem):
    """Arithmetic that fails: a division by zero, a logarithm of zero, a number that is too large."""

    code: ClassVar[str] = "no-value"
    operation: str
    why: str

    def format_message(self) -> str:
        return f"`{self.operation}` cannot be evaluated: {self.why}"


class NonPositive(Problem):
    code: ClassVar[str] = "non-positive-dimension"
    found: Dim

    def format_message(self) -> str:
        return f"a dimension must be at least 1, found {format_dim(self.found)}"
