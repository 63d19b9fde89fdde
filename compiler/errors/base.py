"""What an error is: a frozen record with a code, its facts, and the words for them. Where it happened is added by who reports it."""

from __future__ import annotations

from typing import ClassVar, Literal

from netc.dsl.diagnostics import Severity
from netc.dsl.record import Record


class Location(Record):
    """A place within one stage.

    `stage`: the operator's name; `argument`: the argument called `name` (the stage if it was not written); `input`: where the tensor
    number `index` was made.
    """

    kind: Literal["stage", "argument", "input"]
    name: str = ""
    index: int = 0


STAGE = Location("stage")


def argument(name: str) -> Location:
    return Location("argument", name=name)


def input_(index: int) -> Location:
    return Location("input", index=index)


class Problem(Record):
    """The base of all errors and warnings. Subclasses carry facts as fields and tell them in these methods.

    The message makes sense alone, lower case, no full stop, backticks for code. `label` stands under the carets. `marks` are secondary
    places within the stage, most often the inputs with their shapes. `help` suggests, and nothing else does.
    """

    code: ClassVar[str] = ""
    severity: ClassVar[Severity] = "error"

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
