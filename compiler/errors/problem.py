"""The base of errors and warnings: a frozen record with a code, the facts as fields, and methods that put the facts into words.

In: the facts, from the rule that found the error. Out: title, label, secondary labels, notes and help. Always: a record knows no position
in the source; the reporter adds the span.

    >>> from .recipe_errors import ScheduleCut
    >>> ScheduleCut("warmup", 200, 100, 0, "cosine").format_message()
    '`warmup` takes 200 steps, and the run has 100: `cosine` never begins'
"""

from __future__ import annotations

from typing import ClassVar, Literal

from netc.dsl.diagnostics import Severity
from netc.dsl.record import Record


class Location(Record):
    """A location within one stage.

    `stage` is the operator's name. `argument` is the argument called `name`, or the stage if that argument was not written. `input` is the
    definition of input tensor `index`. `source` is the stage that computed the values of input `index`; only `source_warnings` uses it.
    """

    kind: Literal["stage", "argument", "input", "source"]
    name: str = ""
    index: int = 0


STAGE = Location("stage")


def argument_location(name: str) -> Location:
    return Location("argument", name=name)


def input_location(index: int) -> Location:
    return Location("input", index=index)


def source_location(index: int) -> Location:
    return Location("source", index=index)


class Replacement(Record):
    """Text to write in place of the span of a problem, or `before` it. `safe`: the user certainly meant it; it is not only the nearest
    name."""

    text: str
    safe: bool = False
    before: bool = False


class Advice(Record):
    """A sentence of help, and the edit that carries it out. The edit is None if it would not be at one place.

    `removes`: the help says to leave the argument out. `same_arguments`: a stage of another name has the same arguments. `use`: the file of
    the standard library that defines the name.
    """

    help: str = ""
    replacement: Replacement | None = None
    removes: bool = False
    same_arguments: bool = False
    use: str = ""


class Problem(Record):
    """The base of all errors and warnings. Subclasses have the facts as fields and format them in these methods.

    `format_message` returns the title: it makes sense alone, is lower case, has no full stop, and puts code in backticks. `format_label`
    returns the words next to the carets. `list_marks` returns secondary labels within the stage, most often the inputs with their shapes.
    Only `format_help` suggests a change.
    """

    code: ClassVar[str] = ""
    severity: ClassVar[Severity] = "error"
    error_in_training: ClassVar[bool] = False
    """Whether a warning is an error in a train section."""

    def format_message(self) -> str:
        raise NotImplementedError

    def format_label(self) -> str:
        return ""

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return ()

    def format_notes(self) -> tuple[str, ...]:
        return ()

    def format_help(self) -> tuple[str, ...]:
        return ()

    def make_replacement(self) -> Replacement | None:
        """Return the text for the problem's span that carries out the help, if the help is an edit of this span."""
        return None
