"""Errors of arguments, and of the tensors that a stage gets.

They arise while a stage, a block or a function is called: an argument is missing, unknown, given twice, of the wrong type or without
effect, or there are too many or too few tensors.

>>> import netc
>>> netc.compile("input 3 batch=no")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[wrong-argument]: `batch` of `input` must be `true` or `false`, found `no`
 --> <text>:1:15
  |
1 | input 3 batch=no
  |               ^^
...
"""

from __future__ import annotations

from typing import ClassVar

from .binding_errors import replace_with_near_name, suggest_names
from .problem import Advice, Problem, Replacement


class UnknownArgument(Problem):
    code: ClassVar[str] = "unknown-argument"
    owner: str
    name: str
    near: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    hint: str = ""
    elsewhere: Advice = Advice()
    tensors: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"`{self.owner}` has no argument `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        if not self.known:
            return () if self.hint else (f"`{self.owner}` takes no arguments",)
        arguments, tensors = (", ".join(f"`{n}`" for n in names) for names in (self.known, self.tensors))
        return (f"`{self.owner}` takes {arguments}" + (f"; tensors by name: {tensors}" if tensors else ""),)

    def format_help(self) -> tuple[str, ...]:
        hint = self.hint or self.elsewhere.help
        return (hint,) if hint else suggest_names(self.near)

    def make_replacement(self) -> Replacement | None:
        if self.hint or self.elsewhere.help:
            return None if self.hint else self.elsewhere.replacement
        return replace_with_near_name(self.near, self.name)


class MissingArgument(Problem):
    code: ClassVar[str] = "missing-argument"
    owner: str
    name: str
    wanted: str
    example: str = ""
    hint: str = ""

    def format_message(self) -> str:
        return f"`{self.owner}` is missing its argument `{self.name}`" + (f", {self.wanted}" if self.wanted else "")

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else (f"for example, `{self.example}`",) if self.example else ()


class UnknownType(Problem):
    """An unknown element type."""

    code: ClassVar[str] = "unknown-type"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"unknown element type `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return () if self.near else ("the element types are " + ", ".join(f"`{n}`" for n in self.known),)

    def format_help(self) -> tuple[str, ...]:
        return suggest_names(self.near)

    def make_replacement(self) -> Replacement | None:
        return replace_with_near_name(self.near, self.name)


class FewArguments(Problem):
    """A function that is called with too few arguments."""

    code: ClassVar[str] = "missing-argument"
    owner: str
    least: int
    found: int

    def format_message(self) -> str:
        wanted = "an argument" if self.least == 1 else f"{self.least} arguments"
        return f"`{self.owner}` needs {wanted}, found {self.found or 'none'}"


class NotForTensors(Problem):
    """A tensor in a compile-time construct. `what` is a clause: `a list cannot contain tensors`."""

    code: ClassVar[str] = "not-for-tensors"
    what: str
    hint: str

    def format_message(self) -> str:
        return self.what

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class WrongArgument(Problem):
    """An argument of the wrong type or out of its range."""

    code: ClassVar[str] = "wrong-argument"
    owner: str
    name: str
    wanted: str
    found: str
    hint: str = ""

    def format_message(self) -> str:
        return f"`{self.name}` of `{self.owner}` must be {self.wanted}, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class TooManyArguments(Problem):
    """One argument too many. `kind` is empty for functions, whose arguments are all positional."""

    code: ClassVar[str] = "too-many-arguments"
    owner: str
    most: int
    hint: str = ""
    kind: str = "positional "
    accepts: tuple[str, ...] = ()

    def format_message(self) -> str:
        count = {0: f"no {self.kind}arguments", 1: f"one {self.kind}argument"}.get(self.most, f"{self.most} {self.kind}arguments")
        return f"too many arguments: `{self.owner}` takes {count}"

    def format_notes(self) -> tuple[str, ...]:
        positional, named = self.accepts[: self.most], self.accepts[self.most :]
        parts = [", ".join(f"`{n}`" for n in positional)] if positional else []
        parts += ["by name " + ", ".join(f"`{n}`" for n in named)] if named else []
        return (f"`{self.owner}` takes {' and '.join(parts)}",) if parts and not self.hint else ()

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class ArgumentTwice(Problem):
    code: ClassVar[str] = "argument-twice"
    owner: str
    name: str
    hint: str = ""

    def format_message(self) -> str:
        return f"argument `{self.name}` of `{self.owner}` is given twice"

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class WithoutEffect(Problem):
    """An argument that changes nothing in this use."""

    code: ClassVar[str] = "without-effect"
    argument: str
    why: str
    written: str

    def format_message(self) -> str:
        return f"`{self.argument}` has no effect: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (f"remove `{self.written}`",)


class WrongTensors(Problem):
    """A stage with the wrong number of inputs."""

    code: ClassVar[str] = "wrong-number-of-tensors"
    owner: str
    wanted: str
    found: int
    hint: str = ""

    def format_message(self) -> str:
        return f"`{self.owner}` takes {self.wanted}, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (self.hint,) if self.hint else ()


class MissingTensor(Problem):
    """A stage that gets a later tensor by name, but not this one."""

    code: ClassVar[str] = "wrong-number-of-tensors"
    owner: str
    name: str

    def format_message(self) -> str:
        return f"`{self.owner}` lacks the tensor `{self.name}`"
