"""Errors about names: unknown, defined twice, unused, of the wrong kind; and about arguments and labels."""

from __future__ import annotations

import re
from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .base import Advice, Problem, Replacement


def either(near: tuple[str, ...]) -> tuple[str, ...]:
    """The help that proposes near names."""
    return ("did you mean " + " or ".join(f"`{n}`" for n in near) + "?",) if near else ()


def only(near: tuple[str, ...], name: str) -> Replacement | None:
    """The near name if there is one; it is what was meant if only the style differs: `Conv2D` for `conv`."""
    if len(near) != 1:
        return None
    return Replacement(near[0], safe=re.sub(r"_|[123]d$", "", name.lower()) == near[0].replace("_", ""))


class UnknownName(Problem):
    """An undefined name in an expression. `later`: a statement below defines it."""

    code: ClassVar[str] = "unknown-name"
    name: str
    near: tuple[str, ...] = ()
    hint: str = ""
    later: bool = False

    def message(self) -> str:
        return f"`{self.name}` is not defined here" + (", only below" if self.later else "")

    def help(self) -> tuple[str, ...]:
        if self.later:
            return ("move this statement below the definition",)
        return either(self.near) + ((self.hint,) if self.hint else ())

    def replacement(self) -> Replacement | None:
        return only(self.near, self.name)


class UnknownStage(Problem):
    """A stage that is neither an operator nor a block."""

    code: ClassVar[str] = "unknown-operator"
    name: str
    near: tuple[str, ...] = ()
    elsewhere: Advice = Advice()

    def message(self) -> str:
        return f"unknown operator or block `{self.name}`"

    def help(self) -> tuple[str, ...]:
        return (self.elsewhere.help,) if self.elsewhere.help else either(self.near)

    def replacement(self) -> Replacement | None:
        return self.elsewhere.replacement if self.elsewhere.help else only(self.near, self.name)


class NotAStage(Problem):
    """A tensor or a number where a stage is needed."""

    code: ClassVar[str] = "not-a-stage"
    name: str
    what: str
    hint: str = ""

    def message(self) -> str:
        return f"`{self.name}` is {self.what}, not a stage"

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class NotATensor(Problem):
    """A compile-time value where a tensor is needed."""

    code: ClassVar[str] = "not-a-tensor"
    what: str
    hint: str = ""

    def message(self) -> str:
        return f"expected a tensor, found {self.what}"

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class TensorNotGiven(Problem):
    """An optional tensor of a block, read in a use that does not give it. `needed`: the tensor that it is passed as."""

    code: ClassVar[str] = "not-given"
    name: str
    needed: str = ""

    def message(self) -> str:
        return f"`{self.name}` is not given here" + (f", and `{self.needed}` is not optional" if self.needed else "")

    def help(self) -> tuple[str, ...]:
        test = f"test it first: `if given({self.name}) {{ ... }}`"
        return (test,) if self.needed else (test, f"to pass it on as an optional tensor, give it by name: `mask={self.name}`")


class NotOptional(Problem):
    """`given(x)` of what is no optional tensor. `name`: the name that it is, if it is one."""

    code: ClassVar[str] = "not-optional"
    text: str
    name: str

    def message(self) -> str:
        return f"`{self.text}` is no optional tensor of this block"

    def help(self) -> tuple[str, ...]:
        return (f"declare it as one: `block f({self.name}?: [...])`",) if self.name else ()


class BoundTwice(Problem):
    code: ClassVar[str] = "bound-twice"
    name: str

    def message(self) -> str:
        return f"`{self.name}` is defined twice"

    def label(self) -> str:
        return "defined again here"

    def notes(self) -> tuple[str, ...]:
        return ("a name cannot be reassigned",)

    def help(self) -> tuple[str, ...]:
        return ("use a different name for the second one",)


class ReservedName(Problem):
    code: ClassVar[str] = "reserved-name"
    name: str
    why: str

    def message(self) -> str:
        return f"`{self.name}` cannot be used as a name: {self.why}"

    def help(self) -> tuple[str, ...]:
        return ("use another name; names in capitals are for dimensions",)


class UnusedName(Problem):
    code: ClassVar[str] = "unused-name"
    severity: ClassVar[Severity] = "warning"
    name: str
    what: str = "name"

    def message(self) -> str:
        return f"the {self.what} `{self.name}` is never used"

    def help(self) -> tuple[str, ...]:
        return (f"remove it, or rename it to `_{self.name}` if it is unused on purpose",)


class UnusedResult(Problem):
    """A pipeline that is neither named nor the last of its body."""

    code: ClassVar[str] = "unused-result"
    severity: ClassVar[Severity] = "warning"

    def message(self) -> str:
        return "the result of this pipeline is never used"

    def help(self) -> tuple[str, ...]:
        return ("name it with `name = ...`, or continue it with `->` on the next line",)


class UnusedFlow(Problem):
    """A group or repeated body that does not use its input."""

    code: ClassVar[str] = "unused-input"
    severity: ClassVar[Severity] = "warning"

    def message(self) -> str:
        return "the input of this body is never used"

    def help(self) -> tuple[str, ...]:
        return ("begin the body with a stage or with `in`, or remove what precedes the `->`",)


class NoIn(Problem):
    """`in`, or a pipeline that begins with a stage, where there is no input. `expression`: an attribute of `in` is read."""

    code: ClassVar[str] = "no-input-here"
    stage: str = ""
    expression: bool = False

    def message(self) -> str:
        if self.stage:
            return f"`{self.stage}` has no input here"
        return "`in` is the input of a block, and there is no block here"

    def help(self) -> tuple[str, ...]:
        if self.stage:
            return (f"begin the pipeline with a tensor, such as `x -> {self.stage} ...`, or continue the line above with `->`",)
        if self.expression:
            return ("name the tensor and use its name: `x = input 3`, then `x.features`",)
        return ("begin with the name of a tensor or with `input`",)


class UnknownArgument(Problem):
    code: ClassVar[str] = "unknown-argument"
    owner: str
    name: str
    near: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    hint: str = ""
    elsewhere: Advice = Advice()

    def message(self) -> str:
        return f"`{self.owner}` has no argument `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        if not self.known:
            return () if self.hint else (f"`{self.owner}` takes no arguments",)
        return (f"`{self.owner}` takes " + ", ".join(f"`{n}`" for n in self.known),)

    def help(self) -> tuple[str, ...]:
        hint = self.hint or self.elsewhere.help
        return (hint,) if hint else either(self.near)

    def replacement(self) -> Replacement | None:
        if self.hint or self.elsewhere.help:
            return None if self.hint else self.elsewhere.replacement
        return only(self.near, self.name)


class MissingArgument(Problem):
    code: ClassVar[str] = "missing-argument"
    owner: str
    name: str
    wanted: str
    example: str = ""
    hint: str = ""

    def message(self) -> str:
        return f"`{self.owner}` is missing its argument `{self.name}`" + (f", {self.wanted}" if self.wanted else "")

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else (f"for example, `{self.example}`",) if self.example else ()


class UnknownType(Problem):
    """An unknown element type."""

    code: ClassVar[str] = "unknown-type"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def message(self) -> str:
        return f"unknown element type `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return () if self.near else ("the element types are " + ", ".join(f"`{n}`" for n in self.known),)

    def help(self) -> tuple[str, ...]:
        return either(self.near)

    def replacement(self) -> Replacement | None:
        return only(self.near, self.name)


class FewArguments(Problem):
    """A function that is called with too few arguments."""

    code: ClassVar[str] = "missing-argument"
    owner: str
    least: int
    found: int

    def message(self) -> str:
        wanted = "an argument" if self.least == 1 else f"{self.least} arguments"
        return f"`{self.owner}` needs {wanted}, found {self.found or 'none'}"


class NotForTensors(Problem):
    """A tensor in a compile-time construct. `what` is a clause: `a list cannot contain tensors`."""

    code: ClassVar[str] = "not-for-tensors"
    what: str
    hint: str

    def message(self) -> str:
        return self.what

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class WrongArgument(Problem):
    """An argument of the wrong type or out of its range."""

    code: ClassVar[str] = "wrong-argument"
    owner: str
    name: str
    wanted: str
    found: str
    hint: str = ""

    def message(self) -> str:
        return f"`{self.name}` of `{self.owner}` must be {self.wanted}, found {self.found}"

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class TooManyArguments(Problem):
    """One argument too many. `kind` is empty for functions, whose arguments are all positional."""

    code: ClassVar[str] = "too-many-arguments"
    owner: str
    most: int
    hint: str = ""
    kind: str = "positional "
    accepts: tuple[str, ...] = ()

    def message(self) -> str:
        count = {0: f"no {self.kind}arguments", 1: f"one {self.kind}argument"}.get(self.most, f"{self.most} {self.kind}arguments")
        return f"too many arguments: `{self.owner}` takes {count}"

    def notes(self) -> tuple[str, ...]:
        positional, named = self.accepts[: self.most], self.accepts[self.most :]
        parts = [", ".join(f"`{n}`" for n in positional)] if positional else []
        parts += ["by name " + ", ".join(f"`{n}`" for n in named)] if named else []
        return (f"`{self.owner}` takes {' and '.join(parts)}",) if parts and not self.hint else ()

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class ArgumentTwice(Problem):
    code: ClassVar[str] = "argument-twice"
    owner: str
    name: str

    def message(self) -> str:
        return f"argument `{self.name}` of `{self.owner}` is given twice"


class WrongTensors(Problem):
    """A stage with the wrong number of inputs."""

    code: ClassVar[str] = "wrong-number-of-tensors"
    owner: str
    wanted: str
    found: int
    hint: str = ""

    def message(self) -> str:
        return f"`{self.owner}` takes {self.wanted}, found {self.found}"

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class MissingTensor(Problem):
    """A stage of which a later tensor is given by name, but not this one."""

    code: ClassVar[str] = "wrong-number-of-tensors"
    owner: str
    name: str

    def message(self) -> str:
        return f"`{self.owner}` lacks the tensor `{self.name}`"


class WrongUnpacking(Problem):
    code: ClassVar[str] = "wrong-unpacking"
    names: int
    found: int
    rest: bool = False

    def message(self) -> str:
        least = "at least " if self.rest else ""
        names = "name" if self.names == 1 else "names"
        return f"cannot unpack {self.found} {'tensor' if self.found == 1 else 'tensors'} into {least}{self.names} {names}"


class TwoRests(Problem):
    """Two names of one unpacking that both take the remaining tensors."""

    code: ClassVar[str] = "two-rests"
    first: str
    second: str

    def message(self) -> str:
        return f"only one name can take the remaining tensors, found `{self.first}...` and `{self.second}...`"

    def help(self) -> tuple[str, ...]:
        return ("remove one of the two `...`",)


class LabelWithin(Problem):
    """A label with dots, a prefix of which is the label of another stage."""

    code: ClassVar[str] = "label-within"
    outer: str
    inner: str

    def message(self) -> str:
        return f"label `{self.inner}` is inside of `{self.outer}`, which labels another stage"

    def help(self) -> tuple[str, ...]:
        return ("rename one of the two labels, or write the inner stage in the body of the outer one",)


class LabelTwice(Problem):
    code: ClassVar[str] = "label-twice"
    name: str
    repeated: bool = False
    given: bool = False

    def message(self) -> str:
        return f"two stages of one body have the {'name' if self.given else 'label'} `{self.name}`"

    def label(self) -> str:
        return "repeated in another iteration or use" if self.repeated else ""

    def help(self) -> tuple[str, ...]:
        if self.repeated:
            return ("make the label different in each iteration: `as layer{i}`",)
        if self.given:
            return ("label the other one too, so that it gets no number",)
        return ("use `shared` if both should have the same parameters, otherwise a different label",)


TAKEN_LABELS = ("training",)
"""Attributes of `torch.nn.Module`: a submodule of that name would be overwritten by `train()`."""


NO_LEVEL = "_"
"""The label that removes a level: the names inside of the loop or block get no prefix."""


class BadLabel(Problem):
    """`level` is the invalid part of the label, between dots. `operator`: it is that of an operator."""

    code: ClassVar[str] = "bad-label"
    found: str
    level: str
    operator: bool = False

    def message(self) -> str:
        if self.operator:
            return "`_` can only label an operator that is the only stage of its block"
        if self.level in TAKEN_LABELS:
            return f"`{self.level}` cannot be a label: every PyTorch module has an attribute of that name"
        if self.found == NO_LEVEL:
            return "`_` can only label a block, `repeat`, `each`, choice or operator that is not `shared`"
        if not self.level:
            return f"invalid label `{self.found}`: a dot needs a name on both sides"
        return f"invalid label `{self.found}`: a label has letters, digits, `_` and, not at the start, `-`"

    def help(self) -> tuple[str, ...]:
        return ("remove it",) if self.found == NO_LEVEL else ()
