"""`netc evaluate`: the metrics of a trained model on labeled data, as a table, as JSON and as a report in HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from ..files.atomic_writing import check_writable, write_bytes
from .command_failure import FAILED, CommandFailed
from .completion import FileName
from .records import format_json
from .shared_options import device_option, refuse_overwriting
from .terminal import to_printable, write_error, write_note, write_text

if TYPE_CHECKING:
    from ..evaluation.evaluated_target import TargetEvaluation

_MAX_CLASSES = 40
"""The number of classes for which the table has a row each."""
_MAX_CONFUSED = 12
"""The number of classes for which the terminal shows the confusion matrix."""


@click.command("evaluate")
@click.argument("run", type=FileName())
@click.option("--data", metavar="DATA", required=True, type=FileName(), help="Labeled samples: a table, or a folder of images by class.")
@click.option("-o", "--output", metavar="REPORT.html", type=FileName(), help="Write a report with curves and the worst samples.")
@click.option("--top-k", type=click.IntRange(1), metavar="K", help="Count a class among the K most probable ones as correct, too.")
@click.option("--bootstrap", type=click.IntRange(1), metavar="N", help="Add 95 % intervals of the metrics, from N resamples of the data.")
@click.option("--json", "in_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--batch", type=click.IntRange(1), default=256, show_default=True, help="Compute this many samples together.")
@device_option("Device to run on.")
def command(
    run: str, data: str, output: str | None, top_k: int | None, bootstrap: int | None, in_json: bool, batch: int, device: str
) -> None:
    """RUN is the folder of a training run, or an ONNX file that `netc compile` wrote from one.

    DATA has the columns that the model was trained on, with the target. scikit-learn computes the metrics.
    """
    if output is not None:
        if not output.lower().endswith((".html", ".htm")):
            raise click.UsageError(f"the report is written as .html, and `{output}` does not end in it")
        refuse_overwriting(output, run, data)
        check_writable(output)  # before the evaluation, which may take minutes
    from ..evaluation.evaluate_model import evaluate_model
    from ..evaluation.scores import NoScikitLearn
    from ..prediction.load_predictor import load
    from ..prediction.unfit_data import UnfitData

    predictor = load(run, device)
    try:
        evaluation = evaluate_model(predictor, data, batch, top_k, bootstrap or 0)
    except UnfitData as unfit:
        for problem in unfit.problems:
            write_error(problem.format_message(), *problem.format_help(), notes=problem.format_notes(), code=problem.code)
        raise click.exceptions.Exit(FAILED) from None
    except (NoScikitLearn, ValueError) as error:
        raise CommandFailed(str(error)) from None
    if output is not None:
        from ..evaluation.report_page import write_report

        write_bytes(output, write_report(evaluation).encode("utf-8", "backslashreplace"))
    if in_json:
        write_text(format_json(evaluation.to_json()))
        return
    write_text("\n\n".join("\n".join(_format_target(target)) for target in evaluation.targets))
    for target in evaluation.targets:
        for note in target.scores.notes:
            write_note(f"{target.target}: {note}")


def _format_target(target: TargetEvaluation) -> Iterator[str]:
    """Yield the lines for one target: its metrics, a row for each class, and the confusion matrix."""
    count = len(target.errors)
    classes = f", {len(target.names)} classes" if target.names else ""
    yield to_printable(f"{target.target}: {count:,} sample{'s' if count != 1 else ''}{classes}")
    width = max(map(len, target.metrics))
    values = {name: format_metric(value) for name, value in target.metrics.items()}
    longest = max(map(len, values.values())) if target.intervals else 0
    for name, value in values.items():
        low, high = target.intervals.get(name, (None, None))
        interval = "" if low is None or high is None else f"  95 %: {format_metric(low)} to {format_metric(high)}"
        yield f"  {name:<{width}}  {value:<{longest}}{interval}".rstrip()
    if target.scores.classes and len(target.names) <= _MAX_CLASSES:
        yield ""
        yield from _format_classes(target.scores.classes)
    if target.scores.confusion is not None and len(target.names) <= _MAX_CONFUSED:
        yield ""
        yield from _format_confusion(target)


def _format_classes(classes: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    columns = list(next(iter(classes.values())))
    names = [to_printable(name) for name in classes]
    width = max(len("class"), *map(len, names))
    yield f"  {'class':<{width}}  " + "  ".join(f"{column:>{max(6, len(column))}}" for column in columns)
    for name, row in zip(names, classes.values(), strict=True):
        cells = (f"{format_metric(row[column]):>{max(6, len(column))}}" for column in columns)
        yield f"  {name:<{width}}  " + "  ".join(cells)


def _format_confusion(target: TargetEvaluation) -> Iterator[str]:
    assert target.scores.confusion is not None
    names = [to_printable(name) for name in target.names]
    rows = [[f"{count:,}" for count in row] for row in target.scores.confusion.tolist()]
    width = max(len("true"), *map(len, names))
    widths = [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(names)]
    yield f"  {'true':<{width}}  predicted " + "  ".join(f"{name:>{w}}" for name, w in zip(names, widths, strict=True))
    for name, row in zip(names, rows, strict=True):
        yield f"  {name:<{width}}            " + "  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True))


def format_metric(value: float) -> str:
    """Return a metric for a table: a count, four digits, or a dash if it is undefined."""
    if isinstance(value, int):
        return f"{value:,}"
    if math.isnan(value):
        return "-"
    # four decimals of a smaller number would be zeros
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or not value else f"{value:.4g}"
