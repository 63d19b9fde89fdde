"""Read the `minimize` settings of a section with several losses: which loss trains which parameters, and in how many steps of a turn.

In: the settings, such as `minimize judging "judge.*" steps=5 lr=4e-4`. Out: a `MinimizeRule` for each loss, in turn, and problems. Always:
a section without such a setting has no rules, and every step minimizes its `loss`.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = 't = input 1; error = (y, t) -> mse_loss; minimize error "dense1.*" steps=2; optimizer sgd lr=0.1'
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 1; train {{ {section} }}"), Choice()).training
    >>> (rule,), _ = read_minimized(training.settings)
    >>> rule.loss, [pattern.text for pattern in rule.patterns], rule.steps
    ('error', ['dense1.*'], 2)
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import MINIMIZE, Setting, SettingArgument, SettingStage, Word
from netc.dsl.record import Record
from netc.dsl.source import Span

from .parameter_patterns import EVERY_PARAMETER, Pattern, read_patterns
from .setting_values import convert_none_options, describe_found, is_count

Problems = list[tuple[Problem, Span]]
MOST_STEPS = 10_000
"""The most steps of one loss in a turn: the training file has a list of all of them."""
EXAMPLE = 'write `minimize judging "judge.*"`'


class MinimizeRule(Record):
    """A loss, the parameters that its steps train, the number of its steps in each turn, and options of the optimizer for these
    parameters."""

    loss: str
    patterns: tuple[Pattern, ...]
    steps: int
    options: tuple[SettingArgument, ...]
    span: Span


def read_minimized(settings: Iterable[Setting]) -> tuple[tuple[MinimizeRule, ...], Problems]:
    """Read the settings. Return a rule for each loss, and the problems."""
    rules: dict[str, MinimizeRule] = {}
    problems: Problems = []
    for setting in settings:
        if setting.word != MINIMIZE:
            continue
        rule = _read_rule(setting.stages[0], problems)
        if rule is None:
            continue
        if rule.loss in rules:
            need = f"names the loss `{rule.loss}` twice"
            problems.append((WrongSetting(MINIMIZE, need, "name all its parameters in one line, and its steps by `steps=2`"), rule.span))
        else:
            rules[rule.loss] = rule
    return tuple(rules.values()), problems


def _read_rule(stage: SettingStage, problems: Problems) -> MinimizeRule | None:
    if not stage.positional or not isinstance(stage.positional[0].value, Word):
        problems.append((WrongSetting(MINIMIZE, "takes a loss, and patterns of the parameters that it trains", EXAMPLE), stage.span))
        return None
    loss, *places = stage.positional
    patterns = tuple(pattern for place in places for pattern in read_patterns(MINIMIZE, place, problems))
    steps = next((a for a in stage.named if a.name == "steps"), None)
    if steps is not None and not (is_count(steps.value) and steps.value <= MOST_STEPS):
        need = f"must be an integer from 1 to {MOST_STEPS:,}, {describe_found(steps.value)}"
        problems.append((WrongSetting("steps", need), steps.span))
        steps = None
    options = convert_none_options(tuple(a for a in stage.named if a.name != "steps"))
    every = (Pattern(EVERY_PARAMETER, loss.span),)
    return MinimizeRule(str(loss.value), patterns or every, 1 if steps is None else steps.value, options, stage.span)
