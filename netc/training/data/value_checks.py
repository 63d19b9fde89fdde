"""Check the numbers of the data before the first step: NaN, infinities, and integers that do not fit.

In: columns, and the samples in the order of use. Out: diagnostics. Always: a small data set is checked in full, a large one as far as
`_MAX_BYTES` reaches; decoded images are finite and are not read.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from netc.compiler.errors.data_errors import NotFinite
from netc.compiler.ir.graph_values import Value
from netc.dsl.diagnostics import Diagnostic

from ...files.file_problems import make_diagnostic
from .data_columns import InputColumns, is_narrower
from .data_source import Array, Indices

_MAX_BYTES = 64 << 20
"""The largest number of bytes that are read for the check."""
_ROWS_AT_ONCE = 1024


def check_finite(columns: InputColumns, inputs: list[Value], order: Indices) -> list[Diagnostic]:
    """Report NaN and infinities in inputs that are floats, at most one diagnostic for each input. `order` has the samples in the order of
    use. Raises `DataError`, also for integers that do not fit: reading a batch compares them with the limits of the input's type."""
    floats = [value for value in inputs if value.type.dtype.is_float and _may_be_nonfinite(columns, value.name)]
    narrowed = any(is_narrower(value.type.dtype, column.dtype) for value in inputs for column in _list_columns(columns, value.name))
    if not floats and not narrowed:
        return []
    samples = order[: max(1, _MAX_BYTES // max(1, columns.sample_bytes))]
    diagnostics: dict[str, Diagnostic] = {}
    for start in range(0, len(samples), _ROWS_AT_ONCE):
        rows = samples[start : start + _ROWS_AT_ONCE]
        arrays = columns.read_batch(rows)
        for value in floats:
            if value.name not in diagnostics and (nonfinite := _find_nonfinite(arrays[value.name])) is not None:
                row, position, what = nonfinite
                column = columns.columns[value.name].find_column(position, columns.source.columns)
                diagnostics[value.name] = make_diagnostic(NotFinite(value.name, column, columns.path, what, int(rows[row])), value.span)
    return list(diagnostics.values())


def _may_be_nonfinite(columns: InputColumns, name: str) -> bool:
    return any(column.dtype.kind not in "iub" and not column.finite for column in _list_columns(columns, name))


def _list_columns(columns: InputColumns, name: str) -> list[Any]:
    """List the columns of an input. All hold numbers, because `match_columns` has accepted them."""
    return [columns.source.columns[column] for column in columns.columns[name].names]


def _find_nonfinite(array: Array) -> tuple[int, int, str] | None:
    """Return the first sample that is not finite, the index along its first axis, and the value in words."""
    flat = array.reshape(len(array), -1)
    # A sum is NaN or infinite if any of its terms is: one number for each sample instead of one for each element. A sum of finite numbers
    # may overflow, so the samples that it finds are examined again.
    with np.errstate(all="ignore"):
        candidates = np.flatnonzero(~np.isfinite(flat.sum(axis=1, dtype=np.float64)))
    for row in candidates.tolist():
        places = np.flatnonzero(~np.isfinite(flat[row]))
        if len(places):
            what = "NaN" if np.isnan(flat[row][places[0]]) else "an infinite number"
            return row, int(places[0]) // max(1, prod(array.shape[2:])), what
    return None
