"""What is checked of the numbers themselves before the first step.

In: columns, and the samples that will be read. Out: diagnostics. Always: all samples are read if they are few, otherwise those of the first
steps; what is an image is finite.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from netc.compiler.errors.data_errors import NotFinite
from netc.compiler.ir.graph_values import Value
from netc.dsl.diagnostics import Diagnostic

from ...files.file_problems import diagnostic
from .data_columns import Columns, is_narrower
from .data_source import Array, Indices

_MOST = 64 << 20
"""Bytes that are read for the check."""
_ROWS = 1024


def check_finite(columns: Columns, inputs: list[Value], order: Indices) -> list[Diagnostic]:
    """NaN and infinities in the inputs that are floats, at most one diagnostic an input. `order` are the samples in the order of use.
    Raises `DataError`, also for integers that do not fit."""
    floats = [value for value in inputs if value.type.dtype.is_float and _may_be_wrong(columns, value.name)]
    narrowed = any(is_narrower(value.type.dtype, column.dtype) for value in inputs for column in _columns_of(columns, value.name))
    if not floats and not narrowed:
        return []
    samples = order[: max(1, _MOST // max(1, columns.sample_bytes))]
    found: dict[str, Diagnostic] = {}
    for start in range(0, len(samples), _ROWS):
        rows = samples[start : start + _ROWS]
        arrays = columns.batch(rows)
        for value in floats:
            if value.name not in found and (wrong := _first_wrong(arrays[value.name])) is not None:
                row, place, what = wrong
                column = columns.columns[value.name].owner(place, columns.source.columns)
                found[value.name] = diagnostic(NotFinite(value.name, column, columns.path, what, int(rows[row])), value.span)
    return list(found.values())


def _may_be_wrong(columns: Columns, name: str) -> bool:
    return any(column.dtype.kind not in "iub" and not column.finite for column in _columns_of(columns, name))


def _columns_of(columns: Columns, name: str) -> list[Any]:
    """The columns for an input, whose types are known to be those of numbers."""
    return [columns.source.columns[column] for column in columns.columns[name].names]


def _first_wrong(array: Array) -> tuple[int, int, str] | None:
    """The first sample that is not finite, where along its first axis, and what is there."""
    flat = array.reshape(len(array), -1)
    with np.errstate(all="ignore"):
        wrong = np.flatnonzero(~np.isfinite(flat.sum(axis=1, dtype=np.float64)))
    for row in wrong.tolist():
        places = np.flatnonzero(~np.isfinite(flat[row]))
        if len(places):
            what = "NaN" if np.isnan(flat[row][places[0]]) else "an infinite number"
            return row, int(places[0]) // max(1, prod(array.shape[2:])), what
    return None
