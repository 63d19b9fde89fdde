"""What is wrong with a file of weights, or with weights that do not fit the model. These have no place in the spec."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.record import Record

from .base import Problem

SHOWN = 10
"""How many names of each kind are listed."""


class WeightsError(ValueError):
    """Carries the problem to whoever asked for the weights; its text is the whole message."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("\n".join([problem.message(), *problem.notes(), *(f"help: {h}" for h in problem.help())]))
        self.problem = problem


class WeightsUnreadable(Problem):
    """A file that is absent, broken or of another format. `why` is a clause: `there is no such file`."""

    code: ClassVar[str] = "weights-unreadable"
    source: str
    why: str
    suggestion: str = ""

    def message(self) -> str:
        return f"cannot read weights from {self.source}: {self.why}"

    def help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class Misfit(Record):
    """An array that is there but cannot be used. `why` is a clause: `has the shape [3], needed is [4]`."""

    name: str
    why: str


class WeightsMismatch(Problem):
    """Weights whose names, shapes or types are not those of the model.

    `near` pairs a few unexpected names with missing ones that look like them. `prefix` stands before all names in the weights (`added`
    is true) or before all names in the model, and more names would agree without it.
    """

    code: ClassVar[str] = "weights-mismatch"
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misfits: tuple[Misfit, ...]
    near: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    added: bool = True

    def message(self) -> str:
        counts = [(self.missing, "missing"), (self.unexpected, "unexpected"), (self.misfits, "of another shape or type")]
        return "the weights do not fit the model: " + ", ".join(f"{len(some)} {what}" for some, what in counts if some)

    def notes(self) -> tuple[str, ...]:
        told = [f"`{m.name}` {m.why}" for m in self.misfits]
        lists = (
            ("the model has, the weights lack", [f"`{n}`" for n in self.missing]),
            ("the weights have, the model lacks", [f"`{n}`" for n in self.unexpected]),
            ("of another shape or type", told),
        )
        return tuple(f"{what}: {_listed(some)}" for what, some in lists if some)

    def help(self) -> tuple[str, ...]:
        if self.prefix:
            what = "take it off" if self.added else "put it in front"
            where = "every name in the weights starts with" if self.added else "every name in the model starts with"
            return (f"{where} `{self.prefix}`: {what}",)
        pairs = [f"`{found}` to `{needed}`" for found, needed in self.near]
        return (f"rename {_listed(pairs)}",) if pairs else ()


def _listed(items: list[str]) -> str:
    rest = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
