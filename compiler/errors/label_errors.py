"""Errors of labels, which become the names of parameters in the state dict.

A label must be unique within its body, and must not hide a method of `torch.nn.Module`.

>>> import netc
>>> netc.compile("input 3 -> dense 4 as a..b")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[bad-label]: invalid label `a..b`: a dot needs a name on both sides
 --> <text>:1:23
  |
1 | input 3 -> dense 4 as a..b
  |                       ^^^^
...
"""

from __future__ import annotations

import re
from typing import ClassVar

from .problem import Problem

TAKEN_LABELS = ("training",)
"""Attributes of `torch.nn.Module`: a submodule of that name would be overwritten by `train()`."""


NO_LEVEL = "_"
"""The label that removes a level: the names inside of the loop or block get no prefix."""


class LabelWithin(Problem):
    """A label with dots, a prefix of which is the label of another stage."""

    code: ClassVar[str] = "label-within"
    outer: str
    inner: str

    def format_message(self) -> str:
        return f"label `{self.inner}` is inside of `{self.outer}`, which labels another stage"

    def format_help(self) -> tuple[str, ...]:
        return ("rename one of the two labels, or write the inner stage in the body of the outer one",)


class LabelTwice(Problem):
    """Two stages with one label. `written`: the label as the text has it, if one statement gives it twice."""

    code: ClassVar[str] = "label-twice"
    name: str
    written: str = ""
    given: bool = False

    def format_message(self) -> str:
        return f"two stages of one body have the {'name' if self.given else 'label'} `{self.name}`"

    def format_label(self) -> str:
        return "repeated in another iteration or use" if self.written else ""

    def format_help(self) -> tuple[str, ...]:
        braces = re.findall(r"\{([^{}]*)\}", self.written)
        if braces and all(example.strip().isidentifier() for example in braces):
            again = f"if an outer loop repeats it, add the variable of that loop: `as {self.written}.{{j}}`"
            return (again, "if several uses of a block `as _` repeat it, give each use a label of its own")
        if self.written:
            begin = self.name.rstrip("0123456789")
            return (f"make the label different in each iteration of `repeat i in ...`: `as {begin}{{i}}`",)
        if self.given:
            return ("label the other one too, so that it gets no number",)
        return ("use `shared` if both should have the same parameters, otherwise a different label",)


class BadLabel(Problem):
    """An invalid label. `level` is the invalid part, between dots. `operator`: the label is on an operator."""

    code: ClassVar[str] = "bad-label"
    found: str
    level: str
    operator: bool = False

    def format_message(self) -> str:
        if self.operator:
            return "`_` can only label an operator that is the only stage of its block"
        if self.level in TAKEN_LABELS:
            return f"`{self.level}` cannot be a label: every PyTorch module has an attribute of that name"
        if self.found == NO_LEVEL:
            return "`_` can only label a block, `repeat`, `each`, choice or operator that is not `shared`"
        if not self.level:
            return f"invalid label `{self.found}`: a dot needs a name on both sides"
        return f"invalid label `{self.found}`: a label has letters, digits, `_` and, not at the start, `-`"

    def format_help(self) -> tuple[str, ...]:
        if self.operator:
            numbered = "`repeat i in 3 { dense 8 relu as fc.{i} }`"
            return (f"remove it; to number the operators of a loop, write its variable into a label: {numbered}",)
        return ("remove it",) if self.found == NO_LEVEL else ()
