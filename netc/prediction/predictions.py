"""The results of a model as columns: class names, probabilities, values.

In: the outputs of a model and its signature. Out: `Predictions`, whose columns have one entry for each sample. Always: the raw outputs stay
available; probabilities are computed in float64, and the class is the one with the largest score.

>>> signature = ModelSignature("csv", {}, (), (OutputSignature("scores", CLASSES, "fruit", ("apple", "pear")),))
>>> make_columns({"scores": np.array([[2.0, 2.0 - np.log(3)]])}, signature)
{'predicted_fruit': array(['apple'], dtype=object), 'probability_apple': array([0.75]), 'probability_pear': array([0.25])}
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from netc.dsl.record import Record

from ..training.data.data_source import Array
from .model_signature import BINARY, CLASSES, LOG_CLASSES, PROBABILITY, VALUE, ModelSignature, OutputSignature

Columns = dict[str, Array]


class NoTable(ValueError):
    """Results that do not fit into a table."""


class Predictions(Record):
    """Predictions for some samples. `outputs` are the arrays of the model by name, `[samples, ...]`. `columns` are what they mean, by the
    name of the column."""

    outputs: Columns
    columns: Columns

    @staticmethod
    def concatenate(batches: Sequence[Predictions]) -> Predictions:
        """Join the predictions of batches, in their order."""
        first = batches[0]
        return Predictions(
            {name: np.concatenate([batch.outputs[name] for batch in batches]) for name in first.outputs},
            {name: np.concatenate([batch.columns[name] for batch in batches]) for name in first.columns},
        )

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def __getitem__(self, column: str) -> Array:
        return self.columns[column]

    def iterate_rows(self) -> Iterator[list[str]]:
        """Yield the cells of each sample as texts. Raises `NoTable` for results with more than one number in a cell."""
        for name, array in self.columns.items():
            if array.ndim > 1:
                raise NoTable(f"`{name}` has the shape {list(array.shape)}, which does not fit into a table")
        for row in zip(*self.columns.values(), strict=True):
            yield [_format_cell(cell) for cell in row]

    def to_csv(self) -> str:
        """Return the table as text."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.iterate_rows())
        return stream.getvalue()


def make_columns(outputs: Mapping[str, Array], signature: ModelSignature) -> Columns:
    """Compute the columns that the outputs mean."""
    columns: Columns = {}
    for name, array in outputs.items():
        output = signature.find_output(name)
        for column, values in _READERS[output.task](output, array).items():
            # Two outputs may predict the same target.
            columns[column if column not in columns else f"{column}_{name}"] = values
    return columns


def _read_classes(output: OutputSignature, scores: Array) -> Columns:
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return _name_classes(output, exponentials / exponentials.sum(axis=1, keepdims=True))


def _read_log_classes(output: OutputSignature, scores: Array) -> Columns:
    return _name_classes(output, np.exp(scores.astype(np.float64)))


def _name_classes(output: OutputSignature, probabilities: Array) -> Columns:
    count = probabilities.shape[1]
    names = output.classes if len(output.classes) == count else tuple(map(str, range(count)))
    numbers = probabilities.argmax(axis=1)
    predicted = np.array(names, object)[numbers] if output.classes else numbers
    columns = {f"predicted_{output.target}": predicted}
    if probabilities.ndim > 2:  # a class for each pixel or token
        return columns
    return columns | {f"probability_{name}": probabilities[:, index] for index, name in enumerate(names)}


def _read_binary(output: OutputSignature, scores: Array) -> Columns:
    # Large negative scores would overflow in `exp(-x)`, and the quotient of tanh does not.
    return _read_probability(output, 0.5 + 0.5 * np.tanh(scores.astype(np.float64) / 2))


def _read_probability(output: OutputSignature, probabilities: Array) -> Columns:
    if probabilities.ndim == 2 and probabilities.shape[1] == 1:
        probabilities = probabilities[:, 0]
    is_second = probabilities >= 0.5
    predicted = np.array(output.classes, object)[is_second.astype(int)] if len(output.classes) == 2 else is_second.astype(int)
    name = output.classes[1] if len(output.classes) == 2 else output.target
    return _split_columns(f"predicted_{output.target}", predicted) | _split_columns(f"probability_{name}", probabilities.astype(np.float64))


def _read_values(output: OutputSignature, values: Array) -> Columns:
    if output.target and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return _split_columns(f"predicted_{output.target}" if output.target else output.name, values)


def _split_columns(name: str, array: Array) -> Columns:
    """Return one column for each position of a second axis."""
    return {f"{name}_{i}": array[:, i] for i in range(array.shape[1])} if array.ndim == 2 else {name: array}


_READERS: dict[str, Callable[[OutputSignature, Array], Columns]] = {
    CLASSES: _read_classes,
    LOG_CLASSES: _read_log_classes,
    BINARY: _read_binary,
    PROBABILITY: _read_probability,
    VALUE: _read_values,
}


def _format_cell(cell: object) -> str:
    return f"{cell:.6g}" if isinstance(cell, (float, np.floating)) else str(cell)
