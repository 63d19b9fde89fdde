"""The results of a model as columns: class names, probabilities, values.

In: the outputs of a model and its signature. Out: `Predictions`, whose columns have one entry for each sample. Always: the raw outputs stay
available; probabilities are computed in float64, and the class is the one with the largest score.

>>> signature = ModelSignature("csv", {}, (), (OutputSignature("scores", CLASSES, "fruit", ("apple", "pear")),))
>>> make_columns({"scores": np.array([[2.0, 2.0 - np.log(3)]])}, signature)
{'predicted_fruit': array(['apple'], dtype=object), 'probability_apple': array([0.75]), 'probability_pear': array([0.25])}
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netc.dsl.record import Record, replace

from ..files.csv_writing import make_csv_writer
from ..training.data.data_source import Array
from .model_signature import BINARY, CLASSES, LABEL, LOG_CLASSES, PROBABILITIES, PROBABILITY, VALUE, ModelSignature, OutputSignature

Columns = dict[str, Array]
PREDICTED_PREFIX, PROBABILITY_PREFIX = "predicted_", "probability_"
_MAX_ROWS = 10
"""The number of samples that the text form shows."""


class NoTable(ValueError):
    """Results that do not fit into a table."""


class Predictions(Record):
    """Predictions for some samples. `outputs` are the arrays of the model by name, `[samples, ...]`. `columns` are what they mean, by the
    name of the column. `numbered` are the columns whose classes are numbers, because the data has no names for them."""

    outputs: Columns
    columns: Columns
    numbered: tuple[str, ...] = ()

    @staticmethod
    def concatenate(batches: Sequence[Predictions]) -> Predictions:
        """Join the predictions of batches, in their order."""
        first = batches[0]
        return Predictions(
            {name: np.concatenate([batch.outputs[name] for batch in batches]) for name in first.outputs},
            {name: np.concatenate([batch.columns[name] for batch in batches]) for name in first.columns},
            first.numbered,
        )

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def __getitem__(self, column: str) -> Array:
        return self.columns[column]

    def check_table(self) -> None:
        """Raise `NoTable` for results with more than one number in a cell."""
        for name, array in self.columns.items():
            if array.ndim > 1:
                raise NoTable(f"`{name}` has {list(array.shape[1:])} numbers for a sample, which do not fit into a cell of a table")

    def iterate_rows(self) -> Iterator[list[str]]:
        """Yield the cells of each sample as texts. Raises `NoTable`."""
        self.check_table()
        for row in zip(*self.columns.values(), strict=True):
            yield [format_cell(name, cell) for name, cell in zip(self.columns, row, strict=True)]

    def to_csv(self) -> str:
        """Return the table as text. Raises `NoTable` for results such as a class for each pixel."""
        stream = io.StringIO()
        writer = make_csv_writer(stream)
        writer.writerow(self.columns)
        writer.writerows(self.iterate_rows())
        return stream.getvalue()

    def to_pandas(self) -> Any:
        """Return the columns as a pandas DataFrame. An array for a sample becomes a list."""
        import pandas as pd  # type: ignore[import-untyped]

        return pd.DataFrame({name: array if array.ndim == 1 else list(array) for name, array in self.columns.items()})

    def __repr__(self) -> str:
        """Show the first samples as a table."""
        shown = {name: array[:_MAX_ROWS] for name, array in self.columns.items()}
        lists = [[name, *(_shorten_value(name, value) for value in array)] for name, array in shown.items()]
        widths = [max(map(len, column)) for column in lists]
        lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in zip(*lists, strict=True)]
        more = [f"... {len(self):,} samples"] if len(self) > _MAX_ROWS else []
        return "\n".join((*lines, *more))


def _shorten_value(name: str, value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else format_cell(name, value)


def interpret_outputs(outputs: Columns, signature: ModelSignature) -> Predictions:
    """Compute what the outputs mean."""
    numbered = [f"{PREDICTED_PREFIX}{output.target}" for output in signature.outputs if output.task != VALUE and not output.classes]
    return Predictions(outputs, make_columns(outputs, signature), tuple(numbered))


def make_columns(outputs: Mapping[str, Array], signature: ModelSignature) -> Columns:
    """Compute the columns that the outputs mean."""
    columns: Columns = {}
    for name, array in outputs.items():
        output = signature.find_output(name)
        for column, values in _READERS[output.task](output, array).items():
            # Two outputs may predict the same target.
            columns[column if column not in columns else f"{column}_{name}"] = values
    return columns


def compute_probabilities(output: OutputSignature, array: Array) -> Array:
    """Compute the probabilities that an output of a task with classes, yes or no means, in float64 and in the shape of the output."""
    scores = array.astype(np.float64)
    if output.task == CLASSES:
        # the largest exponent is 0, so nothing overflows
        exponentials = np.exp(scores - scores.max(axis=output.axis, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=output.axis, keepdims=True))
    if output.task == LOG_CLASSES:
        return np.exp(scores)
    return _compute_sigmoid(scores) if output.task == BINARY else scores


def _compute_sigmoid(scores: Array) -> Array:
    # `exp` of a number up to 0 cannot overflow. A form such as `0.5 + 0.5 * tanh(x / 2)` would round small probabilities to multiples of
    # 1e-16, so that samples which the model ranks would be equal.
    exponentials = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores < 0, exponentials, 1) / (1 + exponentials))


def compute_values(output: OutputSignature, values: Array) -> Array:
    """Undo the scaling of the target in the loss. The result is NaN or infinite where the inverse has no value, as `log` of -1."""
    values = values.astype(np.float64) if output.steps else values
    with np.errstate(all="ignore"):
        for name, number in output.steps:
            values = _STEPS[name](values, number)
    return values


def _read_scores(output: OutputSignature, scores: Array) -> Columns:
    return _read_probabilities(output, compute_probabilities(output, scores))


def _read_probabilities(output: OutputSignature, probabilities: Array) -> Columns:
    count = probabilities.shape[output.axis]
    columns = _read_labels(output, probabilities.argmax(axis=output.axis), np.asarray(np.isnan(probabilities).any(axis=output.axis)))
    if probabilities.ndim > 2:  # a class for each pixel or token
        return columns
    names = name_classes(output.classes, count)
    return columns | {f"{PROBABILITY_PREFIX}{name}": probabilities[:, index].astype(np.float64) for index, name in enumerate(names)}


def _read_labels(output: OutputSignature, numbers: Array, is_missing: Array | None = None) -> Columns:
    """Name the classes. A sample whose scores are NaN has no class: the largest of them would be an arbitrary one."""
    if is_missing is not None and is_missing.any():
        ((name, labels),) = _read_labels(output, numbers).items()
        return {name: _clear_labels(labels, is_missing)}
    names = name_classes(output.classes, int(numbers.max(initial=0)) + 1)
    return {f"{PREDICTED_PREFIX}{output.target}": np.array(names, object)[numbers] if output.classes else numbers}


def _clear_labels(labels: Array, is_missing: Array) -> Array:
    """Return the labels with None for those that are missing, if there are any."""
    return np.where(is_missing, np.array(None, object), labels.astype(object)) if is_missing.any() else labels


def name_classes(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return a name for each class: a model may have more classes than the training data had names for."""
    return (*names[:count], *map(str, range(len(names), count)))


def _read_binary(output: OutputSignature, scores: Array) -> Columns:
    return _read_probability(output, compute_probabilities(output, scores))


def _read_probability(output: OutputSignature, probabilities: Array) -> Columns:
    is_second = probabilities >= 0.5
    has_names = len(output.classes) == 2
    predicted = np.array(output.classes, object)[is_second.astype(int)] if has_names else is_second.astype(int)
    predicted = _clear_labels(predicted, np.isnan(probabilities))
    named = output if not has_names else replace(output, target=output.classes[1])
    return _split_columns(PREDICTED_PREFIX, output, predicted) | _split_columns(PROBABILITY_PREFIX, named, probabilities.astype(np.float64))


def _read_values(output: OutputSignature, values: Array) -> Columns:
    if not output.target:
        return _split_columns("", replace(output, target=output.name), values)
    return _split_columns(PREDICTED_PREFIX, output, compute_values(output, values))


def _split_columns(prefix: str, output: OutputSignature, array: Array) -> Columns:
    """Return one column for each position of a second axis, with the name of its own column if it has one."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 2:
        return {f"{prefix}{output.target}": array}
    names = output.columns if len(output.columns) == array.shape[1] else [f"{output.target}_{i}" for i in range(array.shape[1])]
    return {f"{prefix}{name}": array[:, i] for i, name in enumerate(names)}


_READERS: dict[str, Callable[[OutputSignature, Array], Columns]] = {
    CLASSES: _read_scores,
    LOG_CLASSES: _read_scores,
    PROBABILITIES: _read_probabilities,
    LABEL: _read_labels,
    BINARY: _read_binary,
    PROBABILITY: _read_probability,
    VALUE: _read_values,
}
_STEPS: dict[str, Callable[[Array, float], Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "exp": lambda values, _: np.exp(values),
    "log": lambda values, _: np.log(values),
    "expm1": lambda values, _: np.expm1(values),
    "log1p": lambda values, _: np.log1p(values),
}


def format_cell(column: str, cell: object) -> str:
    """Format a cell as text: a probability with 6 digits, any other number with the digits of its type."""
    if isinstance(cell, (float, np.floating)) and column.startswith(PROBABILITY_PREFIX):
        return f"{cell:.6g}"
    if cell is None:
        return ""
    return f"{cell:.9g}" if isinstance(cell, float) else str(cell)
