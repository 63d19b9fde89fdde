"""Read rows of plain cells quickly: numbers, and categories as they are written.

In: the rows of a request. Out: the arrays that the model takes, or None if a row has anything else: a missing cell, a number as text, an
unknown category. Then the general reader decides, which takes ten times as long. Always: the arrays are the ones of the general reader, to
the bit. So numbers of 2**53 or more, which float64 does not hold exactly, are left to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netc.compiler.types.numpy_types import numpy_dtype
from netc.compiler.types.tensor_types import DType
from netc.dsl.record import Record

from ..prediction.predictor import Predictor
from ..training.data.data_source import Array
from ..training.data.encodings import CATEGORY, INTEGER, NUMBER, ColumnEncoding

_EXACT = 2**53
_INTEGERS, _NUMBERS = {int}, {int, float}
Numbers = Mapping[str, int] | None
"""The numbers of the categories of a column; None for a column of numbers."""


class _PlainInput(Record):
    name: str
    dtype: DType
    columns: tuple[tuple[str, Numbers], ...]
    is_single: bool

    def read(self, rows: Sequence[Mapping[str, Any]]) -> Array | None:
        """Return the array of the input. Raises `KeyError` for a missing column and an unknown category, `TypeError` for other cells."""
        flat = [row[name] if numbers is None else numbers[row[name]] for row in rows for name, numbers in self.columns]
        if not set(map(type, flat)) <= (_NUMBERS if self.dtype.is_float else _INTEGERS):
            return None
        least, greatest = (-_EXACT, _EXACT) if self.dtype.is_float else self.dtype.limits
        if not all(least < number < greatest for number in flat):  # also NaN
            return None
        with np.errstate(over="ignore"):
            array = np.array(flat, np.float64 if self.dtype.is_float else np.int64).astype(numpy_dtype(self.dtype))
        if self.dtype.is_float and np.isinf(array).any():  # float16 holds less than 2**53
            return None
        return array if self.is_single else array.reshape(len(rows), len(self.columns))


class PlainRows:
    """The reader for one model."""

    def __init__(self, predictor: Predictor) -> None:
        encodings = {encoding.column: encoding for encoding in predictor.signature.encodings}
        shapes = predictor.column_shapes
        inputs = list[_PlainInput]()
        for name, port in predictor.session.inputs.items():
            columns, is_single = predictor.get_input_columns(name), predictor.reads_one_column(name)
            readers = [_find_numbers(encodings.get(column), port.dtype) for column in columns]
            if any(shapes[column] != () for column in columns) or port.dtype.kind == "bool" or None in readers:
                inputs.clear()
                break
            known = ((column, numbers or None) for column, numbers in zip(columns, readers, strict=True))
            inputs.append(_PlainInput(name, port.dtype, tuple(known), is_single))
        self._inputs = inputs

    def read(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Array] | None:
        """Return the arrays by input, or None."""
        if not self._inputs:
            return None
        arrays: dict[str, Array] = {}
        try:
            for item in self._inputs:
                array = item.read(rows)
                if array is None:
                    return None
                arrays[item.name] = array
        except (KeyError, TypeError):
            return None
        return arrays


def _find_numbers(encoding: ColumnEncoding | None, dtype: DType) -> dict[str, int] | None:
    """Return the numbers of the categories, nothing for a column of numbers, and None for a column that is neither."""
    if encoding is None or (encoding.kind == NUMBER and dtype.is_float) or (encoding.kind == INTEGER and dtype.is_integer):
        return {}
    if encoding.kind == CATEGORY and encoding.categories:
        return {name: number for number, name in enumerate(encoding.categories)}
    return None
