"""Read the `keep` settings of a section: which metric says what the best weights are, and whether more of it is better.

In: a section, its `keep` settings and its measures. Out: a `KeepRule`, and problems. Always: without `min` or `max`, the name of the metric
decides.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "t = input 1; loss = (y, t) -> mse_loss; metric accuracy = loss; optimizer sgd; keep best accuracy"
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 1; train {{ {section} }}"), Choice()).training
    >>> read_keep(training, [setting for setting in training.settings if setting.word == "keep"], ())[0]
    KeepRule(metric='accuracy', higher=True, is_last=False, is_chosen=True)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Setting, Training
from netc.dsl.record import Record
from netc.dsl.source import Span

from .measure_rules import MeasureRule
from .setting_values import format_value

DIRECTIONS = ("min", "max")
LAST = "last"
FOLLOWS_NOTHING = "follows the metric of `keep`, and with several losses, `keep` has none by default"
CHOOSE = "write `keep best NAME`, where NAME is a loss or a metric"
"""The problem of a setting that follows the metric of `keep` in a section with several losses, and its remedy."""
HIGHER = frozenset((
    "acc", "accuracy", "auc", "auroc", "bleu", "dice", "f1", "iou", "jaccard", "mcc", "mrr", "ndcg", "precision", "psnr", "r2", "recall",
    "rouge", "sensitivity", "specificity", "ssim", "top1", "top5",
))  # fmt: skip
"""Words in the names of metrics of which a higher value is better: `val_accuracy`, `top1`."""
LOWER = frozenset(("diff", "difference", "err", "error", "gap", "loss", "mae", "mse", "rmse"))
"""Words of which a lower value is better, whatever other words the name has: `accuracy_gap`."""
_WORD = re.compile(r"([A-Z]+(?![a-z])|[A-Z]?[a-z]+)(\d*)")
"""A word of a name, and the number after it: `top1` and `Error` in `top1Error`."""


class KeepRule(Record):
    """How to choose the best weights: by which metric, and whether higher is better. `is_last`: the last weights are kept. `is_chosen` is
    False if there are several losses and none is named: then `stop` and `reduce_lr_on_plateau` have no metric to follow."""

    metric: str
    higher: bool
    is_last: bool = False
    is_chosen: bool = True


def is_higher_better(metric: str, losses: Sequence[str], measured: Sequence[MeasureRule]) -> bool:
    """Whether a higher value of a metric is better: `measure` defines it for its metrics, and of others the name decides."""
    by_name = {rule.name: rule.higher for rule in measured}
    return by_name.get(metric, metric not in losses and names_higher(metric))


def names_higher(metric: str) -> bool:
    """Whether the name of a metric says that more of it is better.

    >>> [name for name in ("f1", "val_accuracy", "top5", "error2", "diff1", "accuracy_gap") if names_higher(name)]
    ['f1', 'val_accuracy', 'top5']
    """
    found = [(word.lower(), number) for word, number in _WORD.findall(metric)]
    words = {word for word, _ in found} | {word + number for word, number in found}
    return bool(words & HIGHER) and not words & LOWER


def list_metrics(training: Training, measured: Sequence[MeasureRule]) -> list[str]:
    """Return the names of the metrics, without the losses."""
    return [*(name for name in training.program.main.output_names if name not in training.losses), *(rule.name for rule in measured)]


def read_keep(
    training: Training, settings: Sequence[Setting], measured: Sequence[MeasureRule]
) -> tuple[KeepRule, list[tuple[Problem, Span]]]:
    """Read the settings. Return the rule and the problems."""
    problems: list[tuple[Problem, Span]] = []

    def report(need: str, span: Span, remedy: str = "") -> None:
        problems.append((WrongSetting("keep", need, remedy), span))

    words = [a for s in settings for a in s.stages[0].positional]
    losses = training.losses
    metrics = list_metrics(training, measured)
    chosen, higher = losses[0], False
    for argument in words:
        value = argument.value
        if value in metrics or value in losses:
            chosen = str(value)
            higher = is_higher_better(chosen, losses, measured)
        elif value not in ("best", LAST, *DIRECTIONS):
            report(f"has no metric {format_value(value)}", argument.span, "the metrics are " + ", ".join([*metrics, *losses]))
    for setting in settings:
        if not setting.stages[0].positional:
            report("takes a metric", setting.span, "write `keep best`, or `keep best accuracy max`")
    directions = [a for a in words if a.value in DIRECTIONS]
    measures = [a for a in words if a.value in metrics or a.value in losses]
    last = [a for a in words if a.value == LAST]
    if last and len(words) > 1:
        report("takes `last` alone, or `best` with a metric", last[0].span)
    for repeated, what in ((directions[1:], "takes one of `min` and `max`"), (measures[1:], "takes one metric")):
        if repeated:
            report(what, repeated[0].span)
    if directions:
        higher = directions[0].value == "max"
    # Of losses that are minimized in turn, none says which weights are the best: the generator's falls as the judge's rises.
    is_chosen = len(losses) == 1 or bool(measures)
    if not is_chosen and words and not last:
        report("needs the name of a loss or a metric, as there are several losses", words[0].span, CHOOSE)
    return KeepRule(chosen, higher, bool(last) or not is_chosen, is_chosen), problems
