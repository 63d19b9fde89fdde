"""Text tables: comma-separated values. The file is read once, in full; a column is integers, floats, booleans or text.

In: a path, the separator, and whether the first line has names. Out: an `ArraySource`. Always: each row has as many cells as the first
line; an empty cell in a column of numbers is NaN. For example, the file

    width,price
    1,2.5
    2,

has the columns `width` (int64) and `price` (float64: 2.5 and NaN).
"""

from __future__ import annotations

import codecs
import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from .data_paths import check_memory, check_regular_file, translate_os_errors
from .data_source import Array, ArraySource, DataError, TableColumn

_ROWS_AT_ONCE = 8192
"""Rows that are converted together, so that only these are in memory as Python strings, which take many times the size of the file."""
_MAX_SHOWN = 20
"""Characters of a cell that a message shows."""
_MIXED = "numbers and booleans"
_BOOLEANS = {"true": True, "false": False}


class CsvSource(ArraySource):
    """A text table. Columns of numbers are arrays; a column of text is a description of its content, and cannot be read."""

    def __init__(self, names: list[str], columns: list[Array | str], count: int) -> None:
        pairs = list(zip(names, columns, strict=True))
        super().__init__({name: array for name, array in pairs if not isinstance(array, str)})
        self.columns = {
            name: TableColumn(name, (), None, column) if isinstance(column, str) else self.columns[name] for name, column in pairs
        }
        self._count = count


def open_csv(path: str, separator: str | None = None, header: bool = True) -> ArraySource:
    """Read the table. Without a header the columns are called 0, 1, 2, ..."""
    if separator is None:
        separator = "\t" if path.lower().endswith(".tsv") else ","
    check_regular_file(path)
    with translate_os_errors():
        check_memory(os.path.getsize(path))
    try:
        # utf-8-sig: Excel begins UTF-8 files with a byte order mark, which would become part of the first name.
        with translate_os_errors(), open(path, encoding="utf-8-sig", newline="") as file:
            return _read_table(csv.reader(file, delimiter=separator, strict=True), header)
    except csv.Error as error:
        raise DataError(f"it is no table of text: {error}") from error
    except UnicodeDecodeError as error:
        wrong = f"it is not UTF-8: the byte 0x{error.object[error.start]:02x}"
        encoding = "utf-16" if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin1"
        raise DataError(wrong, f"save it as UTF-8, or convert it: `iconv -f {encoding} -t utf-8`") from error


def _read_table(rows: Any, header: bool) -> CsvSource:
    first = next(rows, None)
    if first is None:
        raise DataError("it is empty")
    names = [name.strip() for name in first] if header else [str(i) for i in range(len(first))]
    duplicate = next((name for name, count in Counter(names).items() if count > 1), None)
    if duplicate is not None:
        raise DataError(f"two of its columns are called `{duplicate}`", "" if header else "say `header=false` if the first line is a row")
    pieces: list[list[Array | str]] = [[] for _ in names]
    count = 0
    lines = _check_rows(rows, len(names))
    pending = [] if header else [first]
    while block := [*pending, *islice(lines, _ROWS_AT_ONCE)]:
        pending = []
        for piece, cells in zip(pieces, zip(*block, strict=True), strict=True):
            # Once a column is text it stays text, so its other cells need no conversion.
            piece.append(piece[-1] if piece and isinstance(piece[-1], str) else _convert_cells(cells, count))
        count += len(block)
    return CsvSource(names, [_join_pieces(piece) for piece in pieces], count)


def _check_rows(rows: Any, width: int) -> Iterator[list[str]]:
    """Yield the rows that are not empty. Raise `DataError` with the line number for a row with another number of cells."""
    for row in rows:
        if len(row) == width:
            yield row
        elif row:
            cells = f"{len(row)} cell{'s' if len(row) > 1 else ''}"
            raise DataError(f"line {rows.line_num} has {cells}, and the first line has {width}", "correct the line, or say the `separator`")


def _convert_cells(cells: tuple[str, ...], before: int) -> Array | str:
    """Convert cells to integers, booleans or floats, whichever fits all of them first. If none does, return a description of the first
    cell that does not fit. `before` is the number of samples before these."""
    for convert in _CONVERSIONS if _is_plain(cells) else ():
        try:
            return convert(cells)
        except (ValueError, KeyError, OverflowError):
            continue
    index = next((i for i, cell in enumerate(cells) if not _is_number(cell)), None)
    return _MIXED if index is None else f"text (`{_shorten_cell(cells[index])}` in sample {before + index})"


def _shorten_cell(cell: str) -> str:
    text = " ".join(cell.split())
    return text if len(text) < _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _is_plain(cells: tuple[str, ...]) -> bool:
    """Whether the cells may be numbers."""
    # Python's own `int` and `float` also accept `1_0` and the digits of every script, which no other reader of CSV does.
    text = "\n".join(cells)
    return text.isascii() and "_" not in text


def _is_number(cell: str) -> bool:
    if not _is_plain((cell,)):
        return False
    try:
        _parse_floats((cell,))
    except ValueError:
        return cell.strip().lower() in _BOOLEANS
    return True


def _parse_floats(cells: tuple[str, ...]) -> Array:
    return np.array([cell if cell and not cell.isspace() else "nan" for cell in cells], np.float64)


# Integers come first: floats would accept them too, and lose digits beyond 2**53.
_CONVERSIONS: tuple[Callable[[tuple[str, ...]], Array], ...] = (
    lambda cells: np.array([int(cell) for cell in cells], np.int64),
    lambda cells: np.array([_BOOLEANS[cell.strip().lower()] for cell in cells]),
    _parse_floats,
)


def _join_pieces(pieces: list[Array | str]) -> Array | str:
    """Concatenate the pieces of a column. If some are integers and others floats, the column is floats."""
    arrays = [piece for piece in pieces if not isinstance(piece, str)]
    if len(arrays) < len(pieces):
        return next(piece for piece in pieces if isinstance(piece, str))
    # `np.concatenate` would turn true and false into 1 and 0 among numbers, which nobody asked for.
    kinds = {array.dtype.kind for array in arrays}
    if len(kinds) > 1 and "b" in kinds:
        return _MIXED
    return np.concatenate(arrays) if arrays else np.zeros(0)
