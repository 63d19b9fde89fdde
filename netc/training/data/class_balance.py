"""Compute the weights of classes from the training samples, as the `balance` settings of a section say.

In: columns, the indices of the training samples, and the rules. Out: an array for each input of weights, or located problems. Always: the
numbers follow from the training samples alone, so every process and a resumed run compute the same. The file of
`netc compile --target train` computes the same, to the bit.

The weight of a class is scikit-learn's `compute_class_weight("balanced")`: the number of labels, divided by the number of classes and by
the number of labels of the class. `pos_weight` is the number of negative labels for each positive one.

For example, if 4 labels are class 0 and 2 are class 1, the weights are 6 / (2 * 4) = 0.75 and 6 / (2 * 2) = 1.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

import numpy as np

from netc.compiler.errors.data_errors import CellsUnfit, ClassMissing, ClassOutOfRange
from netc.compiler.types.numpy_types import numpy_dtype
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl.record import replace

from ..balance_rules import WEIGHT, BalanceRule
from .class_names import find_class_names
from .data_columns import InputColumns
from .data_source import Array, Indices
from .encodings import count_categories, describe_positions
from .table_rules import LocatedProblem

_BYTES_AT_ONCE = 1 << 24


def compute_weights(
    rules: Iterable[BalanceRule], columns: InputColumns, training: Indices
) -> tuple[dict[str, Array], list[LocatedProblem]]:
    """Compute the weights of each rule's input. Return them and the problems. Raises `DataError`."""
    weights: dict[str, Array] = {}
    problems: list[LocatedProblem] = []
    for rule in rules:
        result = _weigh_classes(rule, columns, training) if rule.kind == WEIGHT else _weigh_positives(rule, columns, training)
        if isinstance(result, np.ndarray):
            weights[rule.input] = result.astype(numpy_dtype(DTYPES[rule.dtype]))
        else:
            problems.append((result, rule.span))
    return weights, problems


def _weigh_classes(rule: BalanceRule, columns: InputColumns, training: Indices) -> Array | ClassOutOfRange | ClassMissing:
    (classes,) = rule.shape
    counts = np.zeros(classes, np.int64)
    for rows, labels in _read_labels(rule, columns, training):
        is_counted = labels != rule.ignored
        is_wrong = is_counted & ((labels < 0) | (labels >= classes))
        if is_wrong.any():
            positions = np.flatnonzero(is_wrong.reshape(len(rows), -1).any(axis=1))
            cells = describe_positions(columns.source, _name_column(rule, columns), rows[positions])
            found, categories = int(labels[is_wrong][0]), count_categories(columns, rule.target)
            needed = categories or int(labels[is_wrong].max()) + 1
            column = _name_column(rule, columns)
            return ClassOutOfRange(rule.target, column, columns.path, found, classes, "balance", cells, needed, bool(categories))
        counts += np.bincount(labels[is_counted].astype(np.int64), minlength=classes)
    is_class = np.arange(classes) != rule.ignored
    missing = np.flatnonzero(is_class & (counts == 0)).tolist()
    if missing:
        return _report_missing(rule, columns, missing)
    with np.errstate(divide="ignore"):
        return np.where(is_class, counts.sum() / (is_class.sum() * counts.astype(np.float64)), 0)


def _weigh_positives(rule: BalanceRule, columns: InputColumns, training: Indices) -> Array | CellsUnfit | ClassMissing:
    positives, negatives = np.zeros(rule.shape), np.zeros(rule.shape)
    for rows, labels in _read_labels(rule, columns, training):
        is_wrong = (labels != 0) & (labels != 1)
        if is_wrong.any():
            positions = np.flatnonzero(is_wrong.reshape(len(rows), -1).any(axis=1))
            cells = describe_positions(columns.source, _name_column(rule, columns), rows[positions])
            why = f"is {labels[is_wrong][0]:g}, and `balance` counts labels of 0 and 1"
            return CellsUnfit(rule.target, columns.path, (cells,), why, "correct the label, or compute the weight in another way")
        positives += _sum_to_shape(labels.astype(np.float64), rule.shape)
        negatives += _sum_to_shape(1 - labels.astype(np.float64), rule.shape)
    missing = [number for number, counts in enumerate((negatives, positives)) if not counts.all()]
    return _report_missing(rule, columns, missing) if missing else np.asarray(negatives / positives)


def _read_labels(rule: BalanceRule, columns: InputColumns, training: Indices) -> Iterator[tuple[Indices, Array]]:
    """Yield the labels of the training samples in parts, each with its rows."""
    part = replace(columns, columns={rule.target: columns.columns[rule.target]})
    count = max(1, _BYTES_AT_ONCE // (8 * max(1, prod(columns.shapes[rule.target]))))
    for start in range(0, len(training), count):
        rows = training[start : start + count]
        yield rows, part.read_batch(rows)[rule.target]


def _sum_to_shape(values: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes that a shape lacks, and over those in which it has 1, as `torch.Tensor.sum_to_size` does."""
    values = values.sum(axis=tuple(range(values.ndim - len(shape))))
    return np.asarray(values.sum(axis=tuple(axis for axis, size in enumerate(shape) if size == 1), keepdims=True))


def _report_missing(rule: BalanceRule, columns: InputColumns, missing: list[int]) -> ClassMissing:
    column = _name_column(rule, columns)
    names = find_class_names(columns.source, column)
    shown = tuple(names[number] if number < len(names) else str(number) for number in missing)
    return ClassMissing(rule.target, column, columns.path, rule.input, shown)


def _name_column(rule: BalanceRule, columns: InputColumns) -> str:
    return str(columns.columns[rule.target])
