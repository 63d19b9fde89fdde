"""Errors of names: unknown, defined twice, unused, or of the wrong kind.

They arise where a name is bound or looked up. Similar names are suggested, also the names that other libraries use for an operator.

>>> import netc
>>> netc.compile("input 3 -> dens 3")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[unknown-operator]: unknown operator or block `dens`
 --> <text>:1:12
  |
1 | input 3 -> dens 3
  |            ^^^^
  |
  = help: did you mean `dense`?
...
"""

from __future__ import annotations

import re
from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .problem import Advice, Problem, Replacement


def suggest_names(near: tuple[str, ...]) -> tuple[str, ...]:
    """Make the help that proposes similar names."""
    return ("did you mean " + " or ".join(f"`{n}`" for n in near) + "?",) if near else ()


def replace_with_near_name(near: tuple[str, ...], name: str) -> Replacement | None:
    """Make the replacement by a similar name. It is safe if only the style differs: `Conv2D` for `conv`."""
    # Between several names, only the author can decide.
    if len(near) != 1:
        return None
    # `nn.Conv2d`, `conv2d` and `Conv` are all `conv`: PyTorch's and Keras's styles of writing the same name.
    return Replacement(near[0], safe=re.sub(r"^.*\.|_|[123]d$", "", name.lower()) == near[0].replace("_", ""))


class UnknownName(Problem):
    """An undefined name in an expression. `later`: a statement below defines it."""

    code: ClassVar[str] = "unknown-name"
    name: str
    near: tuple[str, ...] = ()
    hint: str = ""
    later: bool = False

    def format_message(self) -> str:
        return f"`{self.name}` is not defined here" + (", only below" if self.later else "")

    def format_help(self) -> tuple[str, ...]:
        if self.later:
            # A similar name would be wrong advice: the name itself exists.
            return ("move this statement below the definition",)
        return suggest_names(self.near) + ((self.hint,) if self.hint else ())

    def make_replacement(self) -> Replacement | None:
        return replace_with_near_name(self.near, self.name)


class UnknownStage(Problem):
    """A stage that is neither an operator nor a block. `written`: the corrected text of the stage."""

    code: ClassVar[str] = "unknown-operator"
    name: str
    near: tuple[str, ...] = ()
    elsewhere: Advice = Advice()
    written: str = ""

    def format_message(self) -> str:
        return f"unknown operator or block `{self.name}`"

    def format_help(self) -> tuple[str, ...]:
        helps = (self.elsewhere.help,) if self.elsewhere.help else suggest_names(self.near)
        return (*helps, f"write `{self.written}`") if self.written else helps

    def make_replacement(self) -> Replacement | None:
        return self.elsewhere.replacement if self.elsewhere.help else replace_with_near_name(self.near, self.name)


class NotAStage(Problem):
    """A tensor or a number where a stage is needed."""

    code: ClassVar[str] = "not-a-stage"
    name: str
    what: str
    hint: str = ""

    def format_message(self) -> str:
        return f"`{self.name}` is {self.what}, not a stage"

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class NotATensor(Problem):
    """A compile-time value where a tensor is needed."""

    code: ClassVar[str] = "not-a-tensor"
    what: str
    hint: str = ""

    def format_message(self) -> str:
        return f"expected a tensor, found {self.what}"

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class TensorNotGiven(Problem):
    """An optional tensor of a block that is read in a use without it. `needed`: the parameter to which it is passed."""

    code: ClassVar[str] = "not-given"
    name: str
    needed: str = ""

    def format_message(self) -> str:
        return f"`{self.name}` is not given here" + (f", and `{self.needed}` is not optional" if self.needed else "")

    def format_help(self) -> tuple[str, ...]:
        test = f"test it first: `if given({self.name}) {{ ... }}`"
        return (test,) if self.needed else (test, f"to pass it on as an optional tensor, give it by name: `mask={self.name}`")


class NotOptional(Problem):
    """`given(x)` where x is not an optional tensor. `name`: the name in the parentheses, if there is one."""

    code: ClassVar[str] = "not-optional"
    text: str
    name: str

    def format_message(self) -> str:
        return f"`{self.text}` is no optional tensor of this block"

    def format_help(self) -> tuple[str, ...]:
        return (f"declare it as one: `block f({self.name}?: [...])`",) if self.name else ()


class BoundTwice(Problem):
    code: ClassVar[str] = "bound-twice"
    name: str

    def format_message(self) -> str:
        return f"`{self.name}` is defined twice"

    def format_label(self) -> str:
        return "defined again here"

    def format_notes(self) -> tuple[str, ...]:
        return ("a name cannot be reassigned",)

    def format_help(self) -> tuple[str, ...]:
        return ("use a different name for the second one",)


class ReservedName(Problem):
    code: ClassVar[str] = "reserved-name"
    name: str
    why: str

    def format_message(self) -> str:
        return f"`{self.name}` cannot be used as a name: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return ("use another name; names in capitals are for dimensions",)


class UnusedName(Problem):
    code: ClassVar[str] = "unused-name"
    severity: ClassVar[Severity] = "warning"
    name: str
    what: str = "name"

    def format_message(self) -> str:
        return f"the {self.what} `{self.name}` is never used"

    def format_help(self) -> tuple[str, ...]:
        return (f"remove it, or rename it to `_{self.name}` if it is unused on purpose",)

    def make_replacement(self) -> Replacement | None:
        return Replacement(f"_{self.name}")


class UnusedResult(Problem):
    """A pipeline that is neither named nor the last of its body."""

    code: ClassVar[str] = "unused-result"
    severity: ClassVar[Severity] = "warning"

    def format_message(self) -> str:
        return "the result of this pipeline is never used"

    def format_help(self) -> tuple[str, ...]:
        return ("name it with `name = ...`, or continue it with `->` on the next line",)


class UnusedFlow(Problem):
    """A group or repeated body that does not use its input."""

    code: ClassVar[str] = "unused-input"
    severity: ClassVar[Severity] = "warning"

    def format_message(self) -> str:
        return "the input of this body is never used"

    def format_help(self) -> tuple[str, ...]:
        return ("begin the body with a stage or with `in`, or remove what precedes the `->`",)


class NoIn(Problem):
    """`in`, or a pipeline that begins with a stage, where there is no input. `expression`: an attribute of `in` is read.
    `block`: the stage is a block, which may need no tensor. `inside`: it is in a block that takes none."""

    code: ClassVar[str] = "no-input-here"
    stage: str = ""
    expression: bool = False
    block: bool = False
    inside: str = ""

    def format_message(self) -> str:
        if self.inside:
            return f"the block `{self.inside}` takes no tensors, so there is no `in`"
        if self.stage:
            return f"`{self.stage}` has no input here"
        return "`in` is the input of a block, and there is no block here"

    def format_help(self) -> tuple[str, ...]:
        if self.inside:
            return ("remove `in: none` if it takes one",)
        if self.stage:
            begin = f"begin the pipeline with a tensor, such as `x -> {self.stage} ...`, or continue the line above with `->`"
            none = f"if it needs no tensor, declare so: `block {self.stage}(in: none, ...)`"
            return (begin, none) if self.block else (begin,)
        if self.expression:
            return ("name the tensor and use its name: `x = input 3`, then `x.features`",)
        return ("begin with the name of a tensor or with `input`",)


class WrongUnpacking(Problem):
    code: ClassVar[str] = "wrong-unpacking"
    names: int
    found: int
    rest: bool = False
    hint: str = ""

    def format_message(self) -> str:
        least = "at least " if self.rest else ""
        names = "name" if self.names == 1 else "names"
        return f"cannot unpack {self.found} {'tensor' if self.found == 1 else 'tensors'} into {least}{self.names} {names}"

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class TwoRests(Problem):
    """Two names of one unpacking that both take the remaining tensors."""

    code: ClassVar[str] = "two-rests"
    first: str
    second: str

    def format_message(self) -> str:
        return f"only one name can take the remaining tensors, found `{self.first}...` and `{self.second}...`"

    def format_help(self) -> tuple[str, ...]:
        return ("remove one of the two `...`",)
