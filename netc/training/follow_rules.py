"""Read the `follow` settings of a section: parameters that are not trained, but follow other parameters.

In: the settings, such as `follow "target.*" "online.*" 0.995`. Out: a `FollowRule` for each, and problems. Always: a rule has a decay below
1, or a number of steps after which the parameters are copied.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> model = "x = input 3; y = x -> dense 1 as online; z = x -> dense 1 as target"
    >>> section = 'loss = (y, z -> detach) -> mse_loss; follow "target.*" "online.*" every=200; optimizer sgd lr=0.1'
    >>> training = analyze_training(SourceFile("<text>", f"{model}; out y, z; train {{ {section} }}"), Choice()).training
    >>> (rule,), _ = read_follows(training.settings)
    >>> rule.follower.text, rule.followed.text, rule.decay, rule.every
    ('target.*', 'online.*', 0.0, 200)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Setting, SettingArgument, SettingStage
from netc.dsl.record import Record
from netc.dsl.source import Span

from .parameter_patterns import Pattern, read_patterns
from .setting_values import describe_found, is_count, is_number

Problems = list[tuple[Problem, Span]]
FOLLOW = "follow"
EXAMPLE = 'write `follow "target.*" "online.*" 0.995`'


class FollowRule(Record):
    """Parameters that follow others. Every `every` steps, `follower = decay * follower + (1 - decay) * followed`."""

    follower: Pattern
    followed: Pattern
    decay: float
    every: int
    span: Span

    def find_followed(self, name: str) -> str:
        """Return the name of the parameter that a parameter follows; empty if it follows none."""
        prefix = self.follower.text.removesuffix("*")
        if name != prefix and not (self.follower.text.endswith("*") and name.startswith(prefix)):
            return ""
        return self.followed.text.removesuffix("*") + name.removeprefix(prefix)


def read_follows(settings: Iterable[Setting]) -> tuple[tuple[FollowRule, ...], Problems]:
    """Read the settings. Return the rules and the problems."""
    problems: Problems = []
    stages = [setting.stages[0] for setting in settings if setting.word == FOLLOW]
    rules = [rule for stage in stages if (rule := _read_rule(stage, problems)) is not None]
    return tuple(rules), problems


def _read_rule(stage: SettingStage, problems: Problems) -> FollowRule | None:
    def report(need: str, span: Span, remedy: str = "") -> None:
        problems.append((WrongSetting(FOLLOW, need, remedy), span))

    for argument in stage.named:
        if argument.name != "every":
            report(f"has no argument `{argument.name}`", argument.name_span, "it has `every`")
    if not 2 <= len(stage.positional) <= 3:
        report("takes the parameters that follow, and the parameters that they follow", stage.span, EXAMPLE)
        return None
    patterns = [pattern for argument in stage.positional[:2] for pattern in read_patterns(FOLLOW, argument, problems)]
    if len(patterns) != 2:
        return None
    for pattern in patterns:
        if any(sign in pattern.text.removesuffix("*") for sign in "*?["):
            report("takes names, or patterns with one `*` at the end", pattern.span, EXAMPLE)
            return None
    if patterns[0].text.endswith("*") != patterns[1].text.endswith("*"):
        report("takes two names, or two patterns", patterns[1].span, EXAMPLE)
        return None
    decay = _read_decay(stage.positional[2:], problems)
    every = next((a for a in stage.named if a.name == "every"), None)
    if every is not None and not is_count(every.value):
        problems.append((WrongSetting("every", f"must be an integer of at least 1, {describe_found(every.value)}"), every.span))
        return None
    if decay is None and every is None:
        report("takes a decay, or a number of steps", stage.span, "write `0.995` to follow slowly, or `every=200` to copy")
        return None
    return FollowRule(patterns[0], patterns[1], decay or 0.0, 1 if every is None else every.value, stage.span)


def _read_decay(arguments: Sequence[SettingArgument], problems: Problems) -> float | None:
    for argument in arguments:
        if is_number(argument.value) and 0 <= argument.value < 1:
            return float(argument.value)
        problems.append((WrongSetting(FOLLOW, f"takes a decay from 0 to below 1, {describe_found(argument.value)}"), argument.span))
        return 0.0  # so that it is reported once
    return None
