"""Errors of weights: a file that cannot be read, or weights that do not match the model.

They have no position in the spec, so `WeightsError` has the entire message.

>>> print(WeightsError(WeightsUnreadable("`model.pt`", "there is no such file")))
cannot read weights from `model.pt`: there is no such file
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import ClassVar

from netc.dsl.record import Record

from .problem import Problem

SHOWN = 10
"""The largest number of listed names of each kind."""
FEW = 4
"""The largest number of names for which the help has one option each."""


class WeightsError(ValueError):
    """The exception for a problem with weights. Its text is the entire message."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("\n".join([problem.format_message(), *problem.format_notes(), *(f"help: {h}" for h in problem.format_help())]))
        self.problem = problem


class WeightsWarning(UserWarning):
    """A warning about weights that are almost certainly wrong: the parameters `names` have NaN or infinities."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"NaN or infinity in the weights: {_format_items([f'`{name}`' for name in names])}")


class WeightsNote(UserWarning):
    """A note on weights that users should see: a prefix was removed, or names were left out or newly drawn."""


class WeightsUnreadable(Problem):
    """A file that is missing, corrupt or of an unsupported format. `why` is a clause: `there is no such file`."""

    code: ClassVar[str] = "weights-unreadable"
    source: str
    why: str
    suggestion: str = ""

    def format_message(self) -> str:
        return f"cannot read weights from {self.source}: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class WeightsNotFinite(Problem):
    """A parameter with NaN or infinities, of which no range can be computed."""

    code: ClassVar[str] = "weights-not-finite"
    name: str

    def format_message(self) -> str:
        return f"`{self.name}` has NaN or infinite numbers"

    def format_help(self) -> tuple[str, ...]:
        return ("use other weights: a model that computes with these returns NaN or infinities",)


class PatternUnused(Problem):
    """A pattern or prefix of names that matches nothing. `nothing` is a phrase such as `no name in the weights`. `names` has a few existing
    names."""

    code: ClassVar[str] = "weights-pattern"
    pattern: str
    nothing: str
    names: tuple[str, ...]

    def format_message(self) -> str:
        return f"{self.nothing} fits `{self.pattern}`"

    def format_notes(self) -> tuple[str, ...]:
        return (f"there are {_format_items([f'`{name}`' for name in self.names])}",) if self.names else ()


class Misfit(Record):
    """An array with the wrong shape or type. `why` is a clause: `has the shape [3] instead of [4]`. `reshaped`: the shape is wrong."""

    name: str
    why: str
    reshaped: bool = False


class WeightsMismatch(Problem):
    """Weights whose names, shapes, types or numbers do not fit the model.

    `near` pairs a few unexpected names with similar missing names. All names in the weights (if `added`) or in the model start with
    `prefix`, and more names would match without it.
    """

    code: ClassVar[str] = "weights-mismatch"
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misfits: tuple[Misfit, ...]
    near: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    added: bool = True

    def format_message(self) -> str:
        counts = [(self.missing, "missing"), (self.unexpected, "unexpected"), (self.misfits, "mismatched")]
        return "the weights do not match the model: " + ", ".join(f"{len(some)} {what}" for some, what in counts if some)

    def format_notes(self) -> tuple[str, ...]:
        lists = (
            ("missing from the weights", [f"`{n}`" for n in self.missing]),
            ("unexpected in the weights", [f"`{n}`" for n in self.unexpected]),
            ("mismatched", [f"`{m.name}` {m.why}" for m in self.misfits]),
        )
        return tuple(f"{what}: {_format_items(some)}" for what, some in lists if some)

    def format_help(self) -> tuple[str, ...]:
        # A common prefix explains all other differences, so it is the only help.
        if self.prefix:
            if self.added:
                return (f"remove the prefix `{self.prefix}`, which every name in the weights has: `--strip-prefix {quote(self.prefix)}`",)
            return (f"add the prefix `{self.prefix}`, which every name in the model has",)
        pairs = [f"`{found}` to `{needed}`" for found, needed in self.near]
        return (f"rename {_format_items(pairs)}", *self._suggest_reset()) if pairs else (*self._suggest_reset(), *self._suggest_options())

    def _suggest_options(self) -> tuple[str, ...]:
        """Suggest options that ignore names that only one side has. None if both have some, because these may be other names of the
        same."""
        match bool(self.missing), bool(self.unexpected), bool(self.misfits):
            case True, False, False:
                what, option, names = "draw them", "--allow-missing", self.missing
            case False, True, False:
                what, option, names = "leave them out", "--ignore", self.unexpected
            # Both sides have names of their own: probably renamed parameters, which must not be dropped.
            case _:
                return ()
        options = " ".join(f"{option} {quote(name)}" for name in names)
        return (f"to {what}: `{options}`",) if len(names) <= FEW else ()

    def _suggest_reset(self) -> tuple[str, ...]:
        """Suggest how to reset parameters of another shape, such as the head for another number of classes."""
        stages = tuple(dict.fromkeys(misfit.name.rpartition(".")[0] for misfit in self.misfits if misfit.reshaped))
        # With other names in the way, drawing the misfits anew would hide the real mistake.
        if self.missing or self.unexpected or not stages or len(stages) > SHOWN or "" in stages:
            return ()
        patterns = [quote(f"{stage}.*") for stage in stages]
        options = [f"{option} {pattern}" for option in ("--ignore", "--allow-missing") for pattern in patterns]
        return (f"to draw them anew: `{' '.join(options)}`",)


def _format_items(items: list[str]) -> str:
    rest = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
