"""Encode columns as numbers: categories, booleans and dates of a table become what the network computes with.

In: a source, the inputs, and the columns of each input. Out: a `ColumnEncoding` for each column that is not numbers already, and an
`EncodedSource` that applies them. Always: encodings are found once, in the training data, and a run keeps them. New data never changes
them, so the same cell is the same number in training, in validation and in predictions.

>>> encoding = ColumnEncoding("plan", CATEGORY, categories=("basic", "free", "pro"))
>>> encoding.encode_cells(np.array(["pro", "free", "gold"], object))
(array([ 2,  1, -1]), array([False, False,  True]))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from netc.compiler.ir.graph_values import Value
from netc.compiler.types.tensor_types import DType
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record

from .data_columns import ColumnSpec, InputColumns, list_columns
from .data_source import Array, DataError, Indices, Source, TableColumn, describe_sample

CATEGORY, BOOLEAN, DATE, INTEGER = "category", "boolean", "date", "integer"
_WORDS = {"true": 1, "false": 0, "yes": 1, "no": 0, "t": 1, "f": 0, "y": 1, "n": 0}
"""The texts that are booleans, in any case."""
_EPOCH = np.datetime64("1970-01-01T00:00:00", "us")
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")
_MAX_SHOWN = 3
"""The number of cells that a message shows."""
_MAX_CATEGORIES = 1 << 16
"""More different texts than this are names or sentences, not categories."""


class ColumnEncoding(Record):
    """How the cells of one column become numbers.

    A `category` is the index of the text in `categories`; a `boolean` is 0 or 1; a `date` is the number of days since 1970-01-01, with a
    fraction for the time of day; an `integer` is a number without a fraction, such as `1.0`.
    """

    column: str
    kind: str
    categories: tuple[str, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of the numbers."""
        return np.dtype({CATEGORY: np.int64, BOOLEAN: np.bool_, DATE: np.float64, INTEGER: np.int64}[self.kind])

    def encode_cells(self, cells: Array) -> tuple[Array, Array]:
        """Encode cells `[samples]`. Return the numbers `[samples]`, and which cells have none."""
        return _ENCODERS[self.kind](self, cells)

    def describe_problem(self, cell: object) -> tuple[str, str]:
        """Say why a cell has no number, as the end of a sentence, and what to do."""
        if _is_missing(cell):
            return "is empty", "fill in the cell, or remove the row"
        shown = f"is `{str(cell)[:40]}`"
        if self.kind != CATEGORY:
            words = {BOOLEAN: "true or false", DATE: "a date such as 2026-01-31", INTEGER: "an integer"}
            return f"{shown}, which is not {words[self.kind]}", "correct the cell"
        near = find_similar_names(str(cell).strip(), self.categories)
        known = ", ".join(f"`{name}`" for name in self.categories[:5]) + (", ..." if len(self.categories) > 5 else "")
        return f"{shown}, and training had no such category", f"did you mean `{near[0]}`?" if near else f"the categories are {known}"


class EncodedSource:
    """A source with some columns encoded. Other columns stay as they are."""

    def __init__(self, source: Source, encodings: Iterable[ColumnEncoding]) -> None:
        self.source = source
        self.encodings = {encoding.column: encoding for encoding in encodings if encoding.column in source.columns}
        self.decodes, self.classes = source.decodes, source.classes
        self._encoded: dict[str, Array] = {}

    @property
    def columns(self) -> Mapping[str, TableColumn]:
        encoded = {name: TableColumn(name, (), e.dtype, finite=True) for name, e in self.encodings.items()}
        return {**self.source.columns, **encoded} if encoded else self.source.columns

    def __len__(self) -> int:
        return len(self.source)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        others = tuple(name for name in names if name not in self.encodings)
        arrays = self.source.read(others, indices) if others else {}
        return arrays | {name: self._encode_column(name)[indices] for name in names if name in self.encodings}

    def describe_sample(self, index: int) -> str:
        return describe_sample(self.source, index)

    def encode_columns(self) -> None:
        """Encode all columns now, rather than at the first batch. Raises `DataError` for a cell that has no number."""
        for name in self.encodings:
            self._encode_column(name)

    def _encode_column(self, name: str) -> Array:
        """Encode a whole column once: a look-up for each cell of each batch would take longer than a step."""
        if name not in self._encoded:
            encoding, cells = self.encodings[name], _read_column(self.source, name)
            numbers, is_wrong = encoding.encode_cells(cells)
            if is_wrong.any():
                position = int(is_wrong.argmax())
                why, remedy = encoding.describe_problem(cells[position])
                raise DataError(f"the cell of `{name}` in {self.describe_sample(position)} {why}", remedy)
            self._encoded[name] = numbers
        return self._encoded[name]


def find_encodings(source: Source, inputs: list[Value], specs: Mapping[str, ColumnSpec]) -> list[ColumnEncoding]:
    """Find the encoding of each column that the inputs need, and that does not hold numbers of their type already."""
    encodings: dict[str, ColumnEncoding] = {}
    for value in inputs:
        for name in list_columns(source, specs.get(value.name, value.name)):
            encoding = _find_encoding(source, source.columns[name], value.type.dtype)
            if encoding is not None:
                encodings.setdefault(name, encoding)
    return list(encodings.values())


def list_encodings(columns: InputColumns) -> list[ColumnEncoding]:
    """List the encodings of columns that were opened."""
    return list(columns.source.encodings.values()) if isinstance(columns.source, EncodedSource) else []


def _find_encoding(source: Source, column: TableColumn, wanted: DType) -> ColumnEncoding | None:
    if column.shape != () or not column.is_readable:
        return None
    if column.dtype is not None:
        needs_integers = wanted.is_integer and column.dtype.kind == "f"
        encoding = ColumnEncoding(column.name, INTEGER)
        # A missing number has a better message where the column is matched with its input.
        return encoding if needs_integers and not encoding.encode_cells(_read_column(source, column.name))[1].any() else None
    cells = _read_column(source, column.name)
    if wanted.is_integer:
        names = sorted({str(cell).strip() for cell in cells if not _is_missing(cell)})
        return ColumnEncoding(column.name, CATEGORY, tuple(names)) if len(names) <= _MAX_CATEGORIES else None
    kinds = (BOOLEAN,) if wanted.kind == "bool" else (BOOLEAN, DATE)
    candidates = (ColumnEncoding(column.name, kind) for kind in kinds)
    return next((encoding for encoding in candidates if _fits(encoding, cells)), None)


def _read_column(source: Source, name: str) -> Array:
    return source.read((name,), np.arange(len(source)))[name]


def _fits(encoding: ColumnEncoding, cells: Array) -> bool:
    """Whether the encoding has a number for every cell that is not empty."""
    _, is_wrong = encoding.encode_cells(cells)
    return all(_is_missing(cell) for cell in cells[is_wrong]) and not is_wrong.all()


def _is_missing(cell: object) -> bool:
    # NaN and NaT are the only values that differ from themselves.
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())


def _encode_categories(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    numbers = {name: number for number, name in enumerate(encoding.categories)}
    encoded = np.array([-1 if _is_missing(cell) else numbers.get(str(cell).strip(), -1) for cell in cells], np.int64)
    return encoded, encoded < 0


def _encode_booleans(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    encoded = np.array([_WORDS.get(str(cell).strip().lower(), -1) for cell in cells], np.int8)
    return encoded > 0, encoded < 0


def _encode_dates(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    dates = cells.astype("datetime64[us]") if cells.dtype.kind == "M" else np.array([_parse_date(cell) for cell in cells], "datetime64[us]")
    return (dates - _EPOCH).astype(np.float64) / _DAY, np.isnat(dates)


def _parse_date(cell: object) -> np.datetime64:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return np.datetime64("NaT")
    # NumPy's dates have no time zone: a moment with one is converted to UTC.
    return np.datetime64(moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None), "us")


def _encode_integers(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    with np.errstate(invalid="ignore"):
        is_wrong = ~(np.isfinite(cells) & (cells == np.floor(cells)) & (np.abs(cells) < 2.0**63))
        return np.where(is_wrong, 0, cells).astype(np.int64), is_wrong


_ENCODERS = {CATEGORY: _encode_categories, BOOLEAN: _encode_booleans, DATE: _encode_dates, INTEGER: _encode_integers}
