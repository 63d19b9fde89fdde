"""Check the numbers of the data before the first step: NaN, infinities, and integers that do not fit.

In: columns, and the samples in the order of use. Out: diagnostics. Always: a small data set is checked in full, a large one as far as
`_MAX_BYTES` reaches; decoded images are finite and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from math import prod
from typing import Any

import numpy as np

from netc.compiler.errors.data_errors import NotFinite
from netc.compiler.ir.graph_values import Value
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import replace

from ...files.file_problems import make_diagnostic
from .data_columns import InputColumns, is_narrower
from .data_source import Array, Indices
from .encodings import describe_positions

_MAX_BYTES = 64 << 20
"""The largest number of bytes that are read for the check."""
_ROWS_AT_ONCE = 1024
_NAN = "NaN"


def check_finite(columns: InputColumns, inputs: list[Value], order: Indices, model_inputs: Set[str]) -> list[Diagnostic]:
    """Report NaN and infinities in inputs that are floats, one diagnostic for each input, with the samples in the order of the data.
    `order` has the samples in the order of use. Raises `DataError`, also for integers that do not fit: reading a batch compares them with
    the limits of the input's type."""
    problems = find_nonfinite(columns, inputs, order)
    # A target that is missing is no sample: a rule would make one up.
    problems |= {name: replace(problem, can_fill=False) for name, problem in problems.items() if name not in model_inputs}
    return [make_diagnostic(problems[value.name], value.span) for value in inputs if value.name in problems]


def find_nonfinite(columns: InputColumns, inputs: list[Value], order: Indices) -> dict[str, NotFinite]:
    """Find NaN and infinities as `check_finite` does, by input."""
    floats = [value for value in inputs if value.type.dtype.is_float and _may_be_nonfinite(columns, value.name)]
    narrowed = any(is_narrower(value.type.dtype, column.dtype) for value in inputs for column in _list_columns(columns, value.name))
    if not floats and not narrowed:
        return {}
    samples = np.sort(order[: max(1, _MAX_BYTES // max(1, columns.sample_bytes))])
    found: dict[str, dict[str, list[tuple[int, str]]]] = {value.name: {} for value in floats}
    for start in range(0, len(samples), _ROWS_AT_ONCE):
        rows = samples[start : start + _ROWS_AT_ONCE]
        arrays = columns.read_batch(rows)
        for value in floats:
            for row, position, what in _find_nonfinite(arrays[value.name], _find_allowed(columns, value.name)):
                column = columns.columns[value.name].find_column(position, columns.source.columns)
                found[value.name].setdefault(column, []).append((int(rows[row]), what))
    return {name: _make_problem(columns, name, by_column) for name, by_column in found.items() if by_column}


def _make_problem(columns: InputColumns, name: str, by_column: dict[str, list[tuple[int, str]]]) -> NotFinite:
    wrong = [describe_positions(columns.source, column, np.array([row for row, _ in found])) for column, found in by_column.items()]
    wrong.sort(key=lambda cells: by_column[cells.column][0][0])
    what = by_column[wrong[0].column][0][1]
    # Only single numbers are filled: a sample that is an array has no empty cells.
    can_fill = what == _NAN and columns.source.columns[wrong[0].column].shape == ()
    return NotFinite(name, columns.path, tuple(wrong), what, can_fill)


def _may_be_nonfinite(columns: InputColumns, name: str) -> bool:
    return any(column.dtype.kind not in "iub" and not column.finite for column in _list_columns(columns, name))


def _list_columns(columns: InputColumns, name: str) -> list[Any]:
    """List the columns of an input. All hold numbers, because `find_input_columns` has accepted them."""
    return [columns.source.columns[column] for column in columns.columns[name].names] if name in columns.columns else []


def _find_allowed(columns: InputColumns, name: str) -> Array:
    """Return which positions of an input's first axis may be NaN."""
    return np.array([column.allows_missing for column in _list_columns(columns, name) for _ in range((column.shape or (1,))[0])], bool)


def _find_nonfinite(array: Array, allowed: Array) -> Iterator[tuple[int, int, str]]:
    """Yield the samples that are not finite, with the index along the first axis and the value in words, once for each index."""
    flat = array.reshape(len(array), -1)
    if allowed.any():
        per_column = flat.reshape(len(array), len(allowed), -1).astype(np.float64)
        flat = np.where(np.isnan(per_column) & allowed[:, None], 0, per_column).reshape(len(array), -1)
    # A sum is NaN or infinite if any of its terms is: one number for each sample instead of one for each element. A sum of finite numbers
    # may overflow, so the samples that it finds are examined again.
    with np.errstate(all="ignore"):
        candidates = np.flatnonzero(~np.isfinite(flat.sum(axis=1, dtype=np.float64)))
    for row in candidates.tolist():
        places = np.flatnonzero(~np.isfinite(flat[row]))
        indices, first = np.unique(places // max(1, prod(array.shape[2:])), return_index=True)
        for index, place in zip(indices.tolist(), places[first], strict=True):
            yield row, index, _NAN if np.isnan(flat[row][place]) else "an infinite number"
