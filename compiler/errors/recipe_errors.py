"""Errors of the settings of a train section: unknown words, arguments that do not fit, patterns without a match.

In: the word of a setting and its argument, as in the text. Out: problems with their messages.

>>> UnknownSetting("epoch", ("epochs",), ("epochs", "batch")).format_message()
'a train section has no setting `epoch`'
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .problem import Problem, Replacement


class UnknownSetting(Problem):
    """An unknown setting. `remedy` says how to write what the author probably means."""

    code: ClassVar[str] = "unknown-setting"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]
    remedy: str = ""

    def format_message(self) -> str:
        return f"a train section has no setting `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return () if self.near or self.remedy else ("the settings are " + ", ".join(f"`{name}`" for name in self.known),)

    def format_help(self) -> tuple[str, ...]:
        if self.remedy:
            return (self.remedy,)
        return (f"did you mean `{self.near[0]}`?",) if self.near else ()

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.near[0]) if self.near and not self.remedy else None


class WrongSetting(Problem):
    """A setting with a wrong argument. `need` completes "`what` ..."."""

    code: ClassVar[str] = "wrong-setting"
    what: str
    need: str
    remedy: str = ""

    def format_message(self) -> str:
        return f"`{self.what}` {self.need}"

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy,) if self.remedy else ()


class ScheduleCut(Problem):
    """A run that ends within a stage of its schedule. `later`: the stage that follows, empty if there is none."""

    code: ClassVar[str] = "schedule-cut"
    severity: ClassVar[Severity] = "warning"
    stage: str
    length: int
    steps: int
    begin: int
    later: str

    def format_message(self) -> str:
        after = f" after the first {self.begin}" if self.begin else ""
        end = f"`{self.later}` never begins" if self.later else "the learning rate does not reach its full value"
        return f"`{self.stage}` takes {self.length} steps{after}, and the run has {self.steps}: {end}"

    def format_help(self) -> tuple[str, ...]:
        return ("give it fewer steps, or train longer",)


class SettingArithmetic(Problem):
    """A setting whose argument has an operator: `word 2 * 8` would be arithmetic on a tensor. `text` is the argument."""

    code: ClassVar[str] = "wrong-setting"
    word: str
    text: str

    def format_message(self) -> str:
        return f"an argument of `{self.word}` with an operator must be in parentheses"

    def format_help(self) -> tuple[str, ...]:
        return (f"write `({self.text})`",)

    def make_replacement(self) -> Replacement | None:
        return Replacement(f"({self.text})")


class NegativeSetting(Problem):
    """A setting with a negative number, `epochs -1`. Parentheses would not help, because the setting accepts no negative number."""

    code: ClassVar[str] = "wrong-setting"
    word: str

    def format_message(self) -> str:
        return f"an argument of `{self.word}` cannot be negative"


class SettingAssigned(Problem):
    """A setting that is written as a tensor, `word = value`. `remedy` says what to write if the word is no setting."""

    code: ClassVar[str] = "wrong-setting"
    word: str
    value: str
    remedy: str = ""

    def format_message(self) -> str:
        return f"`{self.word}` is not a tensor"

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy or f"a setting has no `=`: write `{self.word} {self.value}`",)

    def make_replacement(self) -> Replacement | None:
        return None if self.remedy else Replacement(f"{self.word} {self.value}", safe=True)


class UnknownChoice(Problem):
    """An optimizer, schedule or transform that PyTorch or torchvision does not have."""

    code: ClassVar[str] = "unknown-setting"
    what: str
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"there is no {self.what} `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return () if self.near else ("there are " + ", ".join(f"`{name}`" for name in self.known),)

    def format_help(self) -> tuple[str, ...]:
        return (f"did you mean `{self.near[0]}`?",) if self.near else ()

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.near[0]) if self.near else None


class UnknownOption(Problem):
    """An argument that an optimizer, schedule or transform does not have."""

    code: ClassVar[str] = "unknown-setting"
    owner: str
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"`{self.owner}` has no argument `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        if self.near:
            return ()
        return ("its arguments are " + ", ".join(f"`{name}`" for name in self.known) if self.known else "it has no arguments",)

    def format_help(self) -> tuple[str, ...]:
        return (f"did you mean `{self.near[0]}`?",) if self.near else ()

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.near[0]) if self.near else None


class NothingMatches(Problem):
    """A pattern that matches no parameter. `some` has the first parameters of the model. `is_stage`: the pattern is the name of a stage
    with parameters."""

    code: ClassVar[str] = "pattern-without-match"
    pattern: str
    near: tuple[str, ...]
    some: tuple[str, ...]
    is_stage: bool = False

    def format_message(self) -> str:
        return f"no parameter of the model is called `{self.pattern}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("the first ones are " + ", ".join(f"`{name}`" for name in self.some) if self.some else "it has no parameters",)

    def format_help(self) -> tuple[str, ...]:
        if self.is_stage:
            return (f'for all parameters of the stage, write `"{self.pattern}.*"`',)
        return (f"did you mean `{self.near[0]}`?",) if self.near else ()


class NoDecayMatchesNothing(NothingMatches):
    """A pattern of `no_decay` that matches no parameter. One list often serves models with and without normalization, so it is a
    warning."""

    code: ClassVar[str] = "no-decay-without-match"
    severity: ClassVar[Severity] = "warning"

    def format_message(self) -> str:
        return f"no parameter of the model is called `{self.pattern}`, so `no_decay` exempts none"


class SettingTwice(Problem):
    code: ClassVar[str] = "setting-twice"
    name: str

    def format_message(self) -> str:
        return f"`{self.name}` is set twice"
