"""Read the `stop` setting of a section: when a run ends early.

In: the setting and the rule of `keep`. Out: a `StopRule`, or None without the setting; problems are added to a list. Always: `stop` follows
the metric of `keep`.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "t = input 1; loss = (y, t) -> mse_loss; optimizer sgd; validate 0.1; stop patience=3"
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 1; train {{ {section} }}"), Choice()).training
    >>> (stage,) = [setting.stages[0] for setting in training.settings if setting.word == "stop"]
    >>> rule = read_stop(stage, KeepRule("loss", higher=False), [])
    >>> rule.patience, rule.min_delta
    (3, 0.0)
"""

from __future__ import annotations

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import SettingStage
from netc.dsl.record import Record
from netc.dsl.source import Span

from .keep_rule import CHOOSE, FOLLOWS_NOTHING, KeepRule
from .setting_values import describe_found, is_count, is_distance

STOP = "stop"
CHECKS = {"patience": (is_count, "must be an integer of at least 1"), "min_delta": (is_distance, "must be a number of at least 0")}


class StopRule(Record):
    """When to stop early: after `patience` validations in a row that do not improve the metric of `keep` by more than `min_delta`."""

    patience: int
    min_delta: float
    span: Span


def read_stop(stage: SettingStage | None, keep: KeepRule, problems: list[tuple[Problem, Span]]) -> StopRule | None:
    """Read the setting. Add its problems to `problems`."""
    if stage is None:
        return None
    if not keep.is_chosen:
        problems.append((WrongSetting(STOP, FOLLOWS_NOTHING, CHOOSE), stage.span))
    options = {"patience": 1, "min_delta": 0.0}
    for argument in stage.named:
        name, value = argument.name, argument.value
        if name not in CHECKS:
            problems.append((WrongSetting(STOP, f"has no argument `{name}`", "it has `patience` and `min_delta`"), argument.name_span))
        elif not CHECKS[name][0](value):
            problems.append((WrongSetting(name, f"{CHECKS[name][1]}, {describe_found(value)}"), argument.span))
        else:
            options[name] = value
    if stage.positional or all(argument.name != "patience" for argument in stage.named):
        need = "takes the number of validations without an improvement, and watches the metric of `keep`"
        count = next((argument.value for argument in stage.positional if is_count(argument.value)), 5)
        problems.append((WrongSetting(STOP, need, f"write `stop patience={count}`"), stage.span))
        return None
    return StopRule(int(options["patience"]), float(options["min_delta"]), stage.span)
