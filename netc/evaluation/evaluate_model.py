"""Evaluate a trained model on labeled data.

In: a `Predictor` and data with the columns of its targets. Out: an `Evaluation`, with the scores of each output that training compared with
a target. Always: the inputs and the targets are read with the encodings of the training; the samples stay in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from netc.dsl.record import Record, replace

from ..inputs.argument_types import check_arguments
from ..prediction.model_signature import BINARY, CLASSES, LABEL, PROBABILITY, VALUE, ModelSignature, OutputSignature
from ..prediction.predictions import Predictions, compute_probabilities, compute_values
from ..prediction.unfit_data import BATCH
from ..training.data.data_columns import InputColumns
from ..training.data.data_source import Array, describe_sample
from .evaluated_target import TargetEvaluation, evaluate_points
from .intervals import find_intervals
from .read_targets import read_targets, refuse_data

_MAX_COLUMNS = 20
"""An output with more columns of numbers than this is evaluated as one."""


class Predictor(Protocol):
    """What an evaluation needs of a `netc.Predictor`, whose own method `evaluate` calls this module."""

    name: str
    signature: ModelSignature

    @property
    def output_names(self) -> tuple[str, ...]: ...

    def open_columns(self, data: Any, described: str | None = None, with_targets: bool = False) -> InputColumns: ...

    def predict_columns(self, columns: InputColumns, batch: int = BATCH) -> Iterator[Predictions]: ...


class Evaluation(Record):
    """The evaluation of a model on some data, which `columns` can read again."""

    model: str
    data: str
    columns: InputColumns
    targets: tuple[TargetEvaluation, ...]

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the first target by name."""
        return self.targets[0].metrics

    def to_json(self) -> dict[str, Any]:
        """Convert to a JSON object. Undefined metrics are `null`."""
        return {"model": self.model, "data": self.data, "targets": [target.to_json() for target in self.targets]}


@check_arguments
def evaluate_model(predictor: Predictor, data: Any, batch: int = BATCH, top_k: int | None = None, bootstrap: int = 0) -> Evaluation:
    """Evaluate a model. `data` is as for `Predictor`, with the columns of the targets. `bootstrap` is the number of resamples for intervals
    of the metrics; none for 0. Raises `UnfitData` for data that does not fit, and `NoScikitLearn`."""
    if bootstrap < 0:
        raise ValueError(f"`bootstrap` is a number of resamples, at least 0, not {bootstrap}")
    outputs = _choose_outputs(predictor)
    if not outputs:
        why = "the losses of its train section compare no output with one column alone, so there is nothing to evaluate"
        raise refuse_data(predictor.name, why, "compare an output itself, as in `loss = (scores, target) -> cross_entropy`")
    columns = predictor.open_columns(data, with_targets=True)
    truths = [read_targets(columns, output) for output in outputs]
    results = Predictions.concatenate(list(predictor.predict_columns(columns, batch))).outputs
    targets = [
        target
        for output, truth in zip(outputs, truths, strict=True)
        for target in _evaluate_output(columns, output, truth, results[output.name], top_k)
    ]
    if bootstrap and len(columns) < 2:
        raise refuse_data(columns.path, "it has one sample, and an interval needs at least two")
    if bootstrap:
        targets = [replace(target, intervals=find_intervals(target, bootstrap, top_k)) for target in targets]
    return Evaluation(predictor.name, columns.path, columns, tuple(targets))


def _choose_outputs(predictor: Predictor) -> list[OutputSignature]:
    """Choose one output for each target: class numbers say less than the scores that they come from."""
    chosen: dict[str, OutputSignature] = {}
    for output in predictor.signature.outputs:
        known = chosen.get(output.target)
        if output.target and output.name in predictor.output_names and (known is None or known.task == LABEL):
            chosen[output.target] = output
    return list(chosen.values())


def _evaluate_output(
    columns: InputColumns, output: OutputSignature, truth: Array, result: Array, top_k: int | None
) -> Iterator[TargetEvaluation]:
    # a score of -inf is a class with the probability 0, but a value is a number or wrong
    _refuse_any(columns, np.isnan(result.astype(np.float64)) | (np.isinf(result) & (output.task == VALUE)), f"the output `{output.name}`")
    if output.task == LABEL:
        yield _evaluate_labels(columns, output, truth, result)
    elif output.task in (BINARY, PROBABILITY):
        yield from _evaluate_columns(_evaluate_binary, columns, output, truth, compute_probabilities(output, result))
    elif output.task == VALUE:
        values = compute_values(output, result)
        # the inverse of the loss's `exp(-price)` has no value for a negative output
        _refuse_any(columns, ~np.isfinite(values), f"`{output.target}`, which follows from the output `{output.name}`,")
        yield from _evaluate_columns(_evaluate_values, columns, output, truth, values)
    else:
        yield _evaluate_classes(columns, output, truth, compute_probabilities(output, result), top_k)


def _refuse_any(columns: InputColumns, is_broken: Array, what: str) -> None:
    """Refuse predictions of which some are not finite."""
    if is_broken.any():
        where = describe_sample(columns.source, int(np.argwhere(is_broken)[0][0]))
        raise refuse_data(columns.path, f"{what} is not finite for {where}")


def _evaluate_columns(
    evaluate: Callable[..., TargetEvaluation], columns: InputColumns, output: OutputSignature, truth: Array, predicted: Array
) -> Iterator[TargetEvaluation]:
    """Evaluate each column of a target that has a few, and everything together otherwise."""
    rank = predicted.ndim
    truth, predicted = truth.reshape(len(truth), -1), predicted.astype(np.float64).reshape(len(predicted), -1)
    if truth.shape != predicted.shape:
        sizes = f"{truth.shape[1]} numbers for a sample, and `{output.name}` has {predicted.shape[1]}"
        raise refuse_data(columns.path, f"`{output.target}` has {sizes}")
    count = predicted.shape[1]
    if rank > 2 or not 1 < count <= _MAX_COLUMNS:
        yield evaluate(output, output.target, truth, predicted)
        return
    names = output.columns if len(output.columns) == count else [f"{output.target}_{i}" for i in range(count)]
    for i, name in enumerate(names):
        yield evaluate(output, name, truth[:, i : i + 1], predicted[:, i : i + 1])


def _evaluate_labels(columns: InputColumns, output: OutputSignature, truth: Array, labels: Array) -> TargetEvaluation:
    # the model or the data may have classes that training had no names for
    count = max(len(output.classes), int(labels.max()) + 1, int(truth[truth != output.ignored].max(initial=-1)) + 1)
    is_kept = _find_kept_points(columns, output, truth, labels.shape, count)
    names = _name_classes(output, count)
    errors = (is_kept & (labels != truth)).reshape(len(truth), -1).mean(axis=1)
    return evaluate_points(output.name, output.target, LABEL, names, truth[is_kept], labels[is_kept], errors, np.nonzero(is_kept)[0])


def _evaluate_classes(
    columns: InputColumns, output: OutputSignature, truth: Array, probabilities: Array, top_k: int | None
) -> TargetEvaluation:
    probabilities = np.moveaxis(probabilities, output.axis, -1)
    count = probabilities.shape[-1]
    # labels may come as a column `[samples, 1]`
    if truth.ndim == probabilities.ndim and truth.shape[-1] == 1:
        truth = truth[..., 0]
    is_kept = _find_kept_points(columns, output, truth, probabilities.shape[:-1], count)
    names = _name_classes(output, count)
    # an ignored label such as -100 is no index, so 0 stands for it, and its loss does not count
    chosen = np.take_along_axis(probabilities, np.where(is_kept, truth, 0)[..., None], -1)[..., 0]
    with np.errstate(divide="ignore"):
        losses = np.where(is_kept, -np.log(chosen), 0.0).reshape(len(truth), -1)
    # the mean over the points that count; a sample without any has the error 0, not 0 / 0
    errors = losses.sum(axis=1) / np.maximum(1, is_kept.reshape(len(truth), -1).sum(axis=1))
    points, flat = truth[is_kept], probabilities[is_kept]
    # The logarithms of float32 may be of probabilities whose sum is 1 up to rounding, which scikit-learn would warn of.
    flat = flat / flat.sum(axis=1, keepdims=True)
    return evaluate_points(output.name, output.target, CLASSES, names, points, flat, errors, np.nonzero(is_kept)[0], top_k)


def _name_classes(output: OutputSignature, count: int) -> tuple[str, ...]:
    # A model may have more classes than the training data had names for.
    return (*output.classes[:count], *map(str, range(len(output.classes), count)))


def _find_kept_points(columns: InputColumns, output: OutputSignature, truth: Array, shape: tuple[int, ...], count: int) -> Array:
    """Find the points whose labels the loss does not ignore. Raises `UnfitData` for labels that are no classes."""
    if truth.shape != shape:
        sizes = f"labels of the shape {list(truth.shape[1:])} for a sample, and `{output.name}` predicts {list(shape[1:])}"
        raise refuse_data(columns.path, f"`{output.target}` has {sizes}")
    is_kept = truth != output.ignored
    wrong = is_kept & ((truth < 0) | (truth >= count))
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = describe_sample(columns.source, position[0])
        raise refuse_data(columns.path, f"`{output.target}` in {where} is {truth[position]}, and the classes are 0 to {count - 1}")
    if not is_kept.any():
        raise refuse_data(columns.path, f"all labels of `{output.target}` are {output.ignored}, which the loss ignores")
    return np.asarray(is_kept)


def _evaluate_binary(output: OutputSignature, target: str, truth: Array, predicted: Array) -> TargetEvaluation:
    names = (output.classes[0], output.classes[1]) if len(output.classes) == 2 else ("0", "1")
    with np.errstate(divide="ignore"):
        errors = -np.log(np.where(truth, predicted, 1 - predicted)).mean(axis=1)
    return evaluate_points(output.name, target, BINARY, names, truth.reshape(-1), predicted.reshape(-1), errors, _number_samples(truth))


def _evaluate_values(output: OutputSignature, target: str, truth: Array, predicted: Array) -> TargetEvaluation:
    errors = np.abs(truth - predicted).mean(axis=1)
    return evaluate_points(output.name, target, VALUE, (), truth.reshape(-1), predicted.reshape(-1), errors, _number_samples(truth))


def _number_samples(points: Array) -> Array:
    """Return the number of the sample of each point; the points are `[samples, points]`."""
    return np.repeat(np.arange(len(points)), points.shape[1])
