"""Names that are unknown, bound twice, unused, or used where they mean nothing."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .base import Problem


def either(near: tuple[str, ...]) -> tuple[str, ...]:
    """The help that proposes near names."""
    return ("did you mean " + " or ".join(f"`{n}`" for n in near) + "?",) if near else ()


class UnknownName(Problem):
    """A name in an expression that nothing is bound to."""

    code: ClassVar[str] = "unknown-name"
    name: str
    near: tuple[str, ...] = ()
    hint: str = ""

    def message(self) -> str:
        return f"nothing is called `{self.name}` here"

    def help(self) -> tuple[str, ...]:
        return either(self.near) + ((self.hint,) if self.hint else ())


class UnknownStage(Problem):
    """A stage that is neither an operator nor a block. `torch`: the operator that PyTorch calls so."""

    code: ClassVar[str] = "unknown-operator"
    name: str
    near: tuple[str, ...] = ()
    torch: str = ""
    hint: str = ""

    def message(self) -> str:
        return f"there is no operator or block called `{self.name}`"

    def help(self) -> tuple[str, ...]:
        if self.hint:
            return (self.hint,)
        return (f"what PyTorch calls so is `{self.torch}` here",) if self.torch else either(self.near)


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
        return f"a tensor is needed here, found {self.what}"

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class BoundTwice(Problem):
    code: ClassVar[str] = "bound-twice"
    name: str

    def message(self) -> str:
        return f"`{self.name}` is bound twice"

    def label(self) -> str:
        return "bound again here"

    def notes(self) -> tuple[str, ...]:
        return ("a name is bound once and stands for the same thing from then on",)

    def help(self) -> tuple[str, ...]:
        return ("give the second one a name of its own",)


class ReservedName(Problem):
    code: ClassVar[str] = "reserved-name"
    name: str
    why: str

    def message(self) -> str:
        return f"`{self.name}` cannot be bound: {self.why}"

    def help(self) -> tuple[str, ...]:
        return ("give it another name; names in capitals are for dimensions",)


class UnusedName(Problem):
    code: ClassVar[str] = "unused-name"
    severity: ClassVar[Severity] = "warning"
    name: str
    what: str = "name"

    def message(self) -> str:
        return f"the {self.what} `{self.name}` is never used"

    def help(self) -> tuple[str, ...]:
        return (f"leave it out, or call it `_{self.name}` if it is meant to be unused",)


class UnusedResult(Problem):
    """A pipeline that is neither named nor the last of its body."""

    code: ClassVar[str] = "unused-result"
    severity: ClassVar[Severity] = "warning"

    def message(self) -> str:
        return "the result of this pipeline is never used"

    def help(self) -> tuple[str, ...]:
        return ("name it with `name = ...`, or go on from it with `->` on the next line",)


class UnusedFlow(Problem):
    """A group or repeated body that does not look at what flows into it."""

    code: ClassVar[str] = "unused-flow"
    severity: ClassVar[Severity] = "warning"

    def message(self) -> str:
        return "what flows in here is never used"

    def help(self) -> tuple[str, ...]:
        return ("begin with a stage, or with `in`; or leave out what stands before the `->`",)


class NoIn(Problem):
    """`in`, or a pipeline that begins with a stage, where nothing flows in. `expression`: something is asked of `in`."""

    code: ClassVar[str] = "no-input-here"
    stage: str = ""
    expression: bool = False

    def message(self) -> str:
        if self.stage:
            return f"`{self.stage}` has nothing to work on: no tensor flows in here"
        return "`in` means what flows into a block, and this is not in one"

    def help(self) -> tuple[str, ...]:
        if self.stage:
            return (f"begin the pipeline with a tensor, such as `x -> {self.stage} ...`, or continue the line above with `->`",)
        if self.expression:
            return ("name the tensor and ask that: `x = input 3`, then `x.features`",)
        return ("begin with the name of a tensor or with `input`",)


class UnknownArgument(Problem):
    code: ClassVar[str] = "unknown-argument"
    owner: str
    name: str
    near: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    hint: str = ""

    def message(self) -> str:
        return f"`{self.owner}` has no argument `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        if not self.known:
            return () if self.hint else (f"`{self.owner}` takes no arguments",)
        return (f"`{self.owner}` takes " + ", ".join(f"`{n}`" for n in self.known),)

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else either(self.near)


class MissingArgument(Problem):
    code: ClassVar[str] = "missing-argument"
    owner: str
    name: str
    wanted: str
    example: str = ""
    hint: str = ""

    def message(self) -> str:
        return f"`{self.owner}` lacks its argument `{self.name}`" + (f", {self.wanted}" if self.wanted else "")

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else (f"such as `{self.example}`",) if self.example else ()


class UnknownType(Problem):
    """An element type that there is not."""

    code: ClassVar[str] = "unknown-type"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def message(self) -> str:
        return f"there is no element type `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return () if self.near else ("the types are " + ", ".join(f"`{n}`" for n in self.known),)

    def help(self) -> tuple[str, ...]:
        return either(self.near)


class FewArguments(Problem):
    """A function that is called with too few."""

    code: ClassVar[str] = "missing-argument"
    owner: str
    least: int
    found: int

    def message(self) -> str:
        wanted = "an argument" if self.least == 1 else f"{self.least} arguments"
        return f"`{self.owner}` needs {wanted}, found {self.found or 'none'}"


class NotForTensors(Problem):
    """A compile-time construct that holds a tensor. `what` is a clause: `a list cannot hold tensors`."""

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
    """One argument more than there is room for. `kind` is empty for functions, which know no other kind of arguments."""

    code: ClassVar[str] = "too-many-arguments"
    owner: str
    most: int
    hint: str = ""
    kind: str = "positional "
    accepts: tuple[str, ...] = ()

    def message(self) -> str:
        count = {0: f"no {self.kind}arguments", 1: f"one {self.kind}argument"}.get(self.most, f"{self.most} {self.kind}arguments")
        return f"`{self.owner}` takes {count}, and this is one more"

    def notes(self) -> tuple[str, ...]:
        places, named = self.accepts[: self.most], self.accepts[self.most :]
        told = [", ".join(f"`{n}`" for n in places)] if places else []
        told += ["by name " + ", ".join(f"`{n}`" for n in named)] if named else []
        return (f"`{self.owner}` takes {' and '.join(told)}",) if told and not self.hint else ()

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class ArgumentTwice(Problem):
    code: ClassVar[str] = "argument-twice"
    owner: str
    name: str

    def message(self) -> str:
        return f"`{self.owner}` is given `{self.name}` twice"


class WrongTensors(Problem):
    """A stage that is fed the wrong number of tensors."""

    code: ClassVar[str] = "wrong-number-of-tensors"
    owner: str
    wanted: str
    found: int
    hint: str = ""

    def message(self) -> str:
        return f"`{self.owner}` takes {self.wanted}, but {self.found} {'flows' if self.found == 1 else 'flow'} in"

    def help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


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
    """Two names of one unpacking that both take what is left."""

    code: ClassVar[str] = "two-rests"
    first: str
    second: str

    def message(self) -> str:
        return f"`{self.first}...` and `{self.second}...` would both take what is left"

    def help(self) -> tuple[str, ...]:
        return ("of the names that a tuple is unpacked into, one may be followed by `...`",)


class LabelWithin(Problem):
    """A stage's label that is also a level in the label of another one."""

    code: ClassVar[str] = "label-within"
    outer: str
    inner: str

    def message(self) -> str:
        return f"`{self.outer}` is a stage, and `{self.inner}` would be in it"

    def help(self) -> tuple[str, ...]:
        return ("a stage in another one is written in its body; give one of the two another label",)


class LabelTwice(Problem):
    code: ClassVar[str] = "label-twice"
    name: str
    repeated: bool = False
    given: bool = False

    def message(self) -> str:
        return f"two stages of one body are {'called' if self.given else 'labelled'} `{self.name}`"

    def label(self) -> str:
        return "the same again in another iteration or use" if self.repeated else ""

    def help(self) -> tuple[str, ...]:
        if self.repeated:
            return ("put what differs each time into the label: `as layer{i}`",)
        if self.given:
            return ("label the other one too, so that it takes no number",)
        return ("use `shared` if both are to have the same parameters, another label if not",)


TAKEN_LABELS = ("training",)
"""What `torch.nn.Module` assigns to itself: a part of that name would be overwritten by `train()`."""


NO_LEVEL = "_"
"""What stands in the place of a label where a loop or a block is to be no level of names."""


class BadLabel(Problem):
    """`level` is the part of the label between dots that will not do."""

    code: ClassVar[str] = "bad-label"
    found: str
    level: str

    def message(self) -> str:
        if self.level in TAKEN_LABELS:
            return f"no stage can be labelled `{self.level}`: every PyTorch module has a flag of that name"
        if self.found == NO_LEVEL:
            return "`_` is no label, except of a block, `repeat` or `each`, not `shared`, that is to be no level of names"
        if not self.level:
            return f"the label `{self.found}` has an empty level: something must stand on both sides of a dot"
        return f"a label is made of letters, digits, `_` and, within, `-`; found `{self.found}`"

    def help(self) -> tuple[str, ...]:
        return ("leave it out",) if self.found == NO_LEVEL else ()
