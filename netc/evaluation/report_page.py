"""Write an evaluation as one HTML page: metrics, a table of classes, the confusion matrix, curves, and the worst samples.

In: an `Evaluation`. Out: the text of a page that loads nothing else. Always: names and cells of the data are escaped, so they never become
markup; everything is shown without scripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from ..prediction.model_signature import BINARY, CLASSES, LABEL, VALUE
from ..training.data.data_source import Array, describe_sample
from ..training.data.encodings import EncodedSource
from ..version import __version__
from .evaluate_model import Evaluation
from .evaluated_target import TargetEvaluation
from .intervals import COVERAGE
from .report_plots import draw_scatter, draw_unit_curves
from .scores import quiet_metrics
from .thumbnails import is_image, make_thumbnail

WORST = 12
"""The number of samples with the largest errors that the page shows."""
_MAX_CURVES = 7
"""The number of classes with a curve of their own; there are as many colors."""
_MAX_CONFUSED = 60
"""The number of classes for which the page has a confusion matrix."""
_MAX_CELLS = 10
"""The number of columns of a sample that the page shows."""
_BINS = 10
"""The number of bins of a calibration curve."""
_PROBABILITY_ERROR = "negative logarithm of the probability of the true class"
_ERRORS = {
    VALUE: "absolute difference",
    LABEL: "share of wrong labels",
    CLASSES: _PROBABILITY_ERROR,
    BINARY: _PROBABILITY_ERROR,
}
"""The error of a sample in words, by task."""
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 1040px; margin: 32px auto; padding: 0 20px }
h1 { font-size: 24px; margin: 0 0 4px } h2 { font-size: 20px; margin: 36px 0 8px } h3 { font-size: 16px; margin: 24px 0 8px }
p.about { color: #555; margin: 0 } .note { color: #8a4b00 }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0 }
.tiles div { border: 1px solid #ddd; border-radius: 6px; padding: 8px 14px; min-width: 104px }
.tiles b { display: block; font-size: 20px; font-weight: 600 } .tiles span, .tiles small { color: #555; font-size: 13px; display: block }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid #e5e5e5; white-space: nowrap }
th { font-weight: 600; color: #333 } td:first-child, th:first-child { text-align: left }
table.confusion td { text-align: center; min-width: 34px } table.confusion td:first-child { text-align: left }
.plots { display: flex; flex-wrap: wrap; gap: 28px } .plots svg { font-size: 11px; fill: #444 }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 13px; max-width: 370px }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin-right: 5px }
.images { display: flex; flex-wrap: wrap; gap: 16px } .images figure { margin: 0; width: 150px; font-size: 13px }
.images img { width: 150px; height: 150px; object-fit: contain; background: #f3f3f3; image-rendering: pixelated }
figcaption { overflow-wrap: anywhere }
"""


def write_report(evaluation: Evaluation) -> str:
    """Write the page."""
    targets = "\n".join(part for target in evaluation.targets for part in _write_target(evaluation, target))
    title = f"Evaluation of {escape(evaluation.model)}"
    origin = f"netc {escape(__version__)}, with metrics by scikit-learn"
    about = f"{escape(evaluation.data)}, {len(evaluation.columns):,} samples. Written by {origin}."
    head = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>'
    return f'{head}\n<body><h1>{title}</h1><p class="about">{about}</p>\n{targets}\n</body></html>\n'


def _write_target(evaluation: Evaluation, target: TargetEvaluation) -> Iterator[str]:
    yield f"<h2>{escape(target.target)}</h2>"
    tiles = (
        f"<div><b>{_format_number(value)}</b><span>{_format_name(name)}</span>{_write_interval(target, name)}</div>"
        for name, value in target.metrics.items()
    )
    yield f'<div class="tiles">{"".join(tiles)}</div>'
    if target.intervals:
        yield f"<p>The intervals hold the metric of {COVERAGE:.0%} of the resamples, which are drawn from the samples with replacement.</p>"
    yield from (f'<p class="note">{escape(note)}</p>' for note in target.scores.notes)
    if target.scores.classes:
        yield "<h3>Classes</h3>"
        yield _write_class_table(target)
    if target.scores.confusion is not None and len(target.names) <= _MAX_CONFUSED:
        yield "<h3>Confusion matrix</h3><p>A row is a true class, a column a predicted one. The color is the share of the row.</p>"
        yield _write_confusion(target)
    yield f'<div class="plots">{"".join(_draw_plots(target))}</div>'
    yield f"<h3>Samples with the largest errors</h3><p>The error is the {_ERRORS[target.task]}.</p>"
    yield _write_worst_samples(evaluation, target)


def _write_interval(target: TargetEvaluation, name: str) -> str:
    if name not in target.intervals:
        return ""
    low, high = target.intervals[name]
    return f"<small>{_format_number(low)} to {_format_number(high)}</small>"


def _write_class_table(target: TargetEvaluation) -> str:
    columns = list(next(iter(target.scores.classes.values())))
    head = "".join(f"<th>{_format_name(name)}</th>" for name in ("class", *columns))
    rows = (
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{_format_number(row[column])}</td>' for column in columns)}</tr>"
        for name, row in target.scores.classes.items()
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _write_confusion(target: TargetEvaluation) -> str:
    confusion = target.scores.confusion
    assert confusion is not None
    # a class without samples has a row of zeros
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    head = "".join(f"<th>{escape(name)}</th>" for name in target.names)
    rows = []
    for i, name in enumerate(target.names):
        cells = (
            f'<td style="background:rgba(0,114,178,{shares[i, j]:.2f});color:{"#fff" if shares[i, j] > 0.55 else "#1a1a1a"}">{count:,}</td>'
            for j, count in enumerate(confusion[i].tolist())
        )
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table class="confusion"><tr><th>true / predicted</th>{head}</tr>{"".join(rows)}</table></div>'


def _draw_plots(target: TargetEvaluation) -> Iterator[str]:
    if target.task == LABEL:
        return
    if target.task == VALUE:
        yield _write_plot("Predicted and true values", draw_scatter(target.truth, target.predicted, "true value", "predicted value"))
        return
    curves = dict(_find_roc_curves(target))
    if curves:
        # The classes with the smallest areas, where there are more than colors.
        plot = draw_unit_curves(curves, "false positive rate", "true positive rate")
        yield _write_plot("ROC curve" if len(curves) == 1 else "ROC curves, each class against the rest", plot)
    points = find_calibration(*_find_confidence(target))
    labels = ("predicted probability", "observed share")
    yield _write_plot("Calibration", draw_unit_curves({"": points}, *labels, with_dots=True))


def _write_plot(title: str, plot: str) -> str:
    return f"<div><h3>{escape(title)}</h3>{plot}</div>"


def _find_roc_curves(target: TargetEvaluation) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Yield the ROC curves by name. If there are many classes, yield only the curves with the smallest areas."""
    if target.task == BINARY:
        if not np.isnan(target.metrics["auroc"]):
            yield target.names[1], _find_roc_curve(target.truth, target.predicted)
        return
    known = [(row["auroc"], i) for i, row in enumerate(target.scores.classes.values()) if not np.isnan(row["auroc"])]
    # the worst classes, but in the order of the other tables
    for area, i in sorted(sorted(known)[:_MAX_CURVES], key=lambda item: item[1]):
        yield f"{target.names[i]} ({area:.3f})", _find_roc_curve(target.truth == i, target.predicted[:, i])


def _find_roc_curve(is_positive: Array, probabilities: Array) -> list[tuple[float, float]]:
    with quiet_metrics() as metrics:
        false_rates, true_rates, _ = metrics.roc_curve(is_positive, probabilities)
    return list(zip(false_rates.tolist(), true_rates.tolist(), strict=True))


def _find_confidence(target: TargetEvaluation) -> tuple[Array, Array]:
    """Return for each sample whether an event occurred, and its predicted probability. The event: the most probable class is right, or the
    answer is yes."""
    if target.task == BINARY:
        return target.truth, target.predicted
    return target.predicted.argmax(axis=1) == target.truth, target.predicted.max(axis=1)


def find_calibration(is_so: Array, probabilities: Array) -> list[tuple[float, float]]:
    """Return the mean probability and the share of samples that are so, for each of ten bins of probabilities that has samples.

    >>> find_calibration(np.array([True, False, True]), np.array([0.25, 0.25, 0.95]))
    [(0.25, 0.5), (0.95, 1.0)]
    """
    # the probability 1 belongs to the last bin
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    return [(float(probabilities[bins == i].mean()), float(is_so[bins == i].mean())) for i in range(_BINS) if (bins == i).any()]


def _write_worst_samples(evaluation: Evaluation, target: TargetEvaluation) -> str:
    # stable: samples with equal errors stay in the order of the data
    worst = np.argsort(-target.errors, kind="stable")[:WORST]
    inputs = evaluation.columns
    image = next((name for name, shape in inputs.shapes.items() if is_image(shape)), None)
    if image is not None:
        images = inputs.read_batch(worst)[image]
        figures = (
            f'<figure><img src="{make_thumbnail(picture)}" alt="">{_write_caption(evaluation, target, int(i))}</figure>'
            for i, picture in zip(worst, images, strict=True)
        )
        return f'<div class="images">{"".join(figures)}</div>'
    cells = _read_cells(evaluation, worst)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("sample", "true", "predicted", "error", *cells))
    rows = []
    for position, i in enumerate(worst.tolist()):
        values = (*_describe_prediction(target, i), *(_format_cell(column[position]) for column in cells.values()))
        where = describe_sample(evaluation.columns.source, i)
        rows.append(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in (where, *values))}</tr>")
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _write_caption(evaluation: Evaluation, target: TargetEvaluation, index: int) -> str:
    truth, predicted, error = _describe_prediction(target, index)
    where = describe_sample(evaluation.columns.source, index).strip("`")
    lines = f"{escape(where)}<br>true: {escape(truth)}<br>predicted: {escape(predicted)}<br>error: {error}"
    return f"<figcaption>{lines}</figcaption>"


def _describe_prediction(target: TargetEvaluation, index: int) -> tuple[str, str, str]:
    """Return the truth, the prediction and the error of a sample as texts; of a sample with many points, the error alone."""
    error = _format_number(float(target.errors[index]))
    if len(target.truth) != len(target.errors):
        return "", "", error
    truth, predicted = target.truth[index], target.predicted[index]
    if target.task == CLASSES:
        best = int(predicted.argmax())
        return target.names[int(truth)], f"{target.names[best]} ({predicted[best]:.2f})", error
    if target.task == LABEL:
        return target.names[int(truth)], target.names[int(predicted)], error
    if target.task == BINARY:
        return target.names[int(truth)], f"{target.names[int(predicted >= 0.5)]} ({predicted:.2f})", error
    return _format_number(float(truth)), _format_number(float(predicted)), error


def _read_cells(evaluation: Evaluation, indices: Array) -> dict[str, Array]:
    """Read the cells of some samples as the data has them, without the target."""
    source = evaluation.columns.source
    source = source.source if isinstance(source, EncodedSource) else source
    targets = {target.target for target in evaluation.targets}
    names = [name for name, column in source.columns.items() if column.shape == () and column.is_readable and name not in targets]
    return source.read(tuple(names[:_MAX_CELLS]), indices) if names else {}


def _format_cell(cell: object) -> str:
    if isinstance(cell, (float, np.floating)) and np.isnan(cell):  # an empty cell of the table
        return ""
    return f"{cell:.6g}" if isinstance(cell, (float, np.floating)) else str(cell)[:60]


def _format_name(name: str) -> str:
    return escape(name.replace("_", " "))


def _format_number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if not np.isfinite(value):
        return "∞" if value > 0 else "–"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or not value else f"{value:.4g}"
