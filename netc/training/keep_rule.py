"""Read the `keep` settings of a section: which metric says what the best weights are, and whether more of it is better.

In: a section, its `keep` settings and its measures. Out: a `KeepRule`, and problems. Always: without `min` or `max`, the name of the metric
decides.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "t = input 1; loss = (y, t) -> mse_loss; metric accuracy = loss; optimizer sgd; keep best accuracy"
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 1; train {{ {section} }}"), Choice()).training
    >>> read_keep(training, [setting for setting in training.settings if setting.word == "keep"], ())[0]
    KeepRule(metric='accuracy', higher=True)
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import LOSS, Setting, Training
from netc.dsl.record import Record
from netc.dsl.source import Span

from .measure_rules import MeasureRule
from .setting_values import format_value

DIRECTIONS = ("min", "max")
HIGHER = ("accuracy", "precision", "recall", "f1", "auc", "auroc", "r2", "iou", "psnr", "bleu")
"""Words in the names of metrics of which a higher value is better."""


class KeepRule(Record):
    """How to choose the best weights: by which metric, and whether higher is better."""

    metric: str
    higher: bool


def read_keep(
    training: Training, settings: Sequence[Setting], measured: Sequence[MeasureRule]
) -> tuple[KeepRule, list[tuple[Problem, Span]]]:
    """Read the settings. Return the rule and the problems."""
    problems: list[tuple[Problem, Span]] = []

    def report(need: str, span: Span, remedy: str = "") -> None:
        problems.append((WrongSetting("keep", need, remedy), span))

    words = [a for s in settings for a in s.stages[0].positional]
    by_name = {rule.name: rule.higher for rule in measured}
    metrics = [*(name for name in training.program.main.output_names if name != LOSS), *by_name]
    chosen, higher = LOSS, False
    for argument in words:
        value = argument.value
        if value in metrics or value == LOSS:
            chosen = str(value)
            higher = by_name.get(chosen, any(word in chosen.lower() for word in HIGHER) and value != LOSS)
        elif value not in ("best", *DIRECTIONS):
            report(f"has no metric {format_value(value)}", argument.span, "the metrics are " + ", ".join([*metrics, LOSS]))
    for setting in settings:
        if not setting.stages[0].positional:
            report("takes a metric", setting.span, "write `keep best`, or `keep best accuracy max`")
    directions = [a for a in words if a.value in DIRECTIONS]
    measures = [a for a in words if a.value in metrics or a.value == LOSS]
    for repeated, what in ((directions[1:], "takes one of `min` and `max`"), (measures[1:], "takes one metric")):
        if repeated:
            report(what, repeated[0].span)
    if directions:
        higher = directions[0].value == "max"
    return KeepRule(chosen, higher), problems
