"""Read the `vary` settings of a section: inputs that change with the step, such as the weight of a term of the loss.

In: a section and its settings, such as `vary weight warmup 1000 -> cosine`. Out: a `VaryRule` for each of these inputs, and problems.
Always: an input that varies has no axes, and belongs to the section, not to the model.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "t = input 1; w = input [] batch=false; loss = w * ((y, t) -> mse_loss); optimizer sgd; vary w warmup 9 -> linear to=0.5"
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 1; train {{ {section} }}"), Choice()).training
    >>> (rule,), _ = read_varied(training, set())
    >>> rule.input, [(stage.name, stage.steps, stage.to) for stage in rule.stages]
    ('w', [('warmup', 9, 0.0), ('linear', None, 0.5)])
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import UnknownChoice, WrongSetting
from netc.compiler.ir.training_program import SettingArgument, SettingStage, Training, Word
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

from .model_inputs import list_model_inputs
from .setting_values import describe_found, is_count, is_number

Problems = list[tuple[Problem, Span]]
VARY = "vary"
COUNTERS = ("step", "epoch", "progress")
"""The number of the step and of the epoch, from 0, and the share of the steps that are done, from 0 to below 1."""
SCHEDULES = ("warmup", "linear", "cosine", "constant")
EXAMPLE = "write `vary weight warmup 1000`"


class VaryStage(Record):
    """A part of the run in which an input follows a schedule, or counts. `steps` is None if it lasts to the end; `to` is the last value of
    `linear` and `cosine`."""

    name: str
    steps: int | None
    to: float


class VaryRule(Record):
    """An input that depends on the step alone."""

    input: str
    stages: tuple[VaryStage, ...]
    dtype: str
    span: Span


def read_varied(training: Training, computed: set[str]) -> tuple[tuple[VaryRule, ...], Problems]:
    """Read the settings. Return the rules and the problems. `computed` has the inputs that other settings compute."""
    reader = _VaryReader(training, computed)
    for setting in training.settings:
        if setting.word == VARY:
            reader.read_setting(setting.stages)
    return tuple(reader.rules.values()), reader.problems


class _VaryReader:
    def __init__(self, training: Training, computed: set[str]) -> None:
        self.inputs = {value.name: value.type for value in training.program.main.inputs}
        self.model_inputs, self.computed = list_model_inputs(training), computed
        self.rules: dict[str, VaryRule] = {}
        self.problems: Problems = []

    def read_setting(self, stages: Sequence[SettingStage]) -> None:
        first, *rest = stages
        words = first.positional
        if len(words) < 2 or not all(isinstance(argument.value, Word) for argument in words[:2]):
            self._report("takes an input, and how it changes", first.span, EXAMPLE)
            return
        name, kind = words[:2]
        parts = [self._read_stage(kind.value, kind.span, words[2:], first.named)]
        parts += [self._read_stage(stage.name, stage.name_span, stage.positional, stage.named) for stage in rest]
        read = tuple(part for part in parts if part is not None)
        if not self._is_free(name) or len(read) < len(parts) or not self._follow_each_other(read, stages):
            return
        if self.inputs[str(name.value)].dtype.is_integer and read[0].name not in ("step", "epoch"):
            need = f"computes floats, and `{name.value}` is {self.inputs[str(name.value)].dtype.name}"
            self._report(need, name.span, f"declare it: `{name.value} = input [] batch=false`")
            return
        self.rules[str(name.value)] = VaryRule(str(name.value), read, self.inputs[str(name.value)].dtype.name, first.span)

    def _report(self, need: str, span: Span, remedy: str = "") -> None:
        self.problems.append((WrongSetting(VARY, need, remedy), span))

    def _is_free(self, argument: SettingArgument) -> bool:
        """Whether an argument names an input of the section without axes that no other setting computes. Else it is reported."""
        name = str(argument.value)
        declaration = f"declare it in the section: `{name} = input [] batch=false`"
        if name not in self.inputs:
            self._report(f"sets an input of the section, and `{name}` is none", argument.span, declaration)
        elif name in self.model_inputs:
            self._report(f"sets an input of the section, and `{name}` is an input of the model", argument.span)
        elif self.inputs[name].shape:
            self._report(f"sets an input without axes, and `{name}` is {self.inputs[name]}", argument.span, declaration)
        elif self.inputs[name].dtype.kind == "bool":
            self._report(f"sets a number, and `{name}` is {self.inputs[name].dtype.name}", argument.span, declaration)
        elif name in self.computed or name in self.rules:
            self._report(f"sets `{name}`, which another line sets too", argument.span, "remove one of them")
        else:
            return True
        return False

    def _read_stage(
        self, name: str, span: Span, positional: Sequence[SettingArgument], named: Sequence[SettingArgument]
    ) -> VaryStage | None:
        known = (*COUNTERS, *SCHEDULES)
        if name not in known:
            self.problems.append((UnknownChoice("way to vary", name, tuple(find_similar_names(name, known)), known), span))
            return None
        before = len(self.problems)
        takes_end = name in ("linear", "cosine")
        for argument in named:
            if argument.name != "to" or not takes_end:
                self.problems.append((WrongSetting(name, f"has no argument `{argument.name}`"), argument.name_span))
            elif not is_number(argument.value):
                self.problems.append((WrongSetting("to", f"must be a number, {describe_found(argument.value)}"), argument.span))
        for argument in positional:
            if name in COUNTERS:
                self.problems.append((WrongSetting(name, "takes no argument"), argument.span))
            elif not is_count(argument.value):
                self.problems.append((WrongSetting(name, "takes a number of steps, an integer of at least 1"), argument.span))
        if len(positional) > 1 and name not in COUNTERS:
            self.problems.append((WrongSetting(name, "takes one number of steps"), positional[1].span))
        if len(self.problems) > before:
            return None
        steps = int(positional[0].value) if positional else None
        if name == "warmup" and steps is None:
            self.problems.append((WrongSetting(name, "needs its number of steps", "write `warmup 1000`"), span))
            return None
        return VaryStage(name, steps, float(next((argument.value for argument in named), 0.0)))

    def _follow_each_other(self, parts: Sequence[VaryStage], stages: Sequence[SettingStage]) -> bool:
        """Whether each stage but the last says how long it takes. Else it is reported."""
        if len(parts) > 1 and any(part.name in COUNTERS for part in parts):
            name = next(part.name for part in parts if part.name in COUNTERS)
            self._report(f"counts by `{name}`, which is not followed by `->`", stages[0].span)
            return False
        for (part, _), stage in zip(pairwise(parts), stages, strict=False):
            if part.steps is None:
                remedy = f"write `{part.name} 1000 -> ...`"
                self.problems.append((WrongSetting(part.name, "needs its number of steps, as another one follows", remedy), stage.span))
                return False
        return True
