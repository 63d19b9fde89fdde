"""An error is a frozen record: a code, the facts as fields, and the methods that put them into words.

In: the facts, from the rule that found the error. Out: title, label, secondary labels, notes and help. Always: a record knows no source
position; the reporter adds the span.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from netc.dsl.diagnostics import Severity
from netc.dsl.record import Record


class Location(Record):
    """A location within one stage.

    `stage`: the operator's name; `argument`: the argument called `name` (the stage if it was not written); `input`: the definition of input
    tensor `index`; `source`: the stage that computed the numbers of input `index`, in `source_warnings` only.
    """

    kind: Literal["stage", "argument", "input", "source"]
    name: str = ""
    index: int = 0


STAGE = Location("stage")


def argument(name: str) -> Location:
    return Location("argument", name=name)


def input_(index: int) -> Location:
    return Location("input", index=index)


def source_(index: int) -> Location:
    return Location("source", index=index)


class Replacement(Record):
    """Text to write instead of what a problem is reported for, or `before` it. `safe`: it is what was meant, not only the nearest."""

    text: str
    safe: bool = False
    before: bool = False


class Advice(Record):
    """A sentence of help, and the text that carries it out, None if the sentence is no edit of one place. `removes`: it says to leave the
    argument out. `same_arguments`: a stage of another name has the same arguments. `use`: the file of the standard library that defines
    the name."""

    help: str = ""
    replacement: Replacement | None = None
    removes: bool = False
    same_arguments: bool = False
    use: str = ""


class Problem(Record):
    """The base of all errors and warnings. Subclasses have the facts as fields and format them in these methods.

    `message` is the title: it makes sense alone, is lower case, has no full stop, and puts code in backticks. `label` is printed next to
    the carets. `marks` are secondary labels within the stage, most often the inputs with their shapes. Only `help` suggests a change.
    """

    code: ClassVar[str] = ""
    severity: ClassVar[Severity] = "error"
    error_in_training: ClassVar[bool] = False
    """Whether a warning is an error in a train section, where nobody can mean it."""

    def message(self) -> str:
        raise NotImplementedError

    def label(self) -> str:
        return ""

    def marks(self) -> tuple[tuple[Location, str], ...]:
        return ()

    def notes(self) -> tuple[str, ...]:
        return ()

    def help(self) -> tuple[str, ...]:
        return ()

    def replacement(self) -> Replacement | None:
        """The text for the problem's own span that carries out the help, if the help is such an edit."""
        return None
