"""Tables in text: comma-separated values. Read whole, once; a column is integers, floats, booleans or text.

In: a path, the separator, and whether the first line has names. Out: an `ArraySource`. Always: each row has as many cells as the first
line; an empty cell in a column of numbers is NaN.
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

from .data_paths import check_memory, reading, regular_file
from .data_source import Array, ArraySource, Column, DataError

_ROWS = 8192
"""Rows that are converted together."""
_SHOWN = 20
"""Characters of a cell that a message has."""
_MIXED = "numbers and booleans"
_BOOLEANS = {"true": True, "false": False}


class CsvSource(ArraySource):
    """The columns of numbers as arrays; those of text, of which a word says what is in them, are columns without elements."""

    def __init__(self, names: list[str], columns: list[Array | str], count: int) -> None:
        pairs = list(zip(names, columns, strict=True))
        super().__init__({name: array for name, array in pairs if not isinstance(array, str)})
        self.columns = {name: Column(name, (), None, made) if isinstance(made, str) else self.columns[name] for name, made in pairs}
        self._count = count


def open_csv(path: str, separator: str | None = None, header: bool = True) -> ArraySource:
    """Reads the table. Without a header the columns are called 0, 1, 2, ..."""
    if separator is None:
        separator = "\t" if path.lower().endswith(".tsv") else ","
    regular_file(path)
    with reading():
        check_memory(os.path.getsize(path))
    try:
        with reading(), open(path, encoding="utf-8-sig", newline="") as file:
            return _table(csv.reader(file, delimiter=separator, strict=True), header)
    except csv.Error as error:
        raise DataError(f"it is no table of text: {error}") from error
    except UnicodeDecodeError as error:
        wrong = f"it is not UTF-8: the byte 0x{error.object[error.start]:02x}"
        encoding = "utf-16" if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin1"
        raise DataError(wrong, f"save it as UTF-8, or convert it: `iconv -f {encoding} -t utf-8`") from error


def _table(rows: Any, header: bool) -> CsvSource:
    first = next(rows, None)
    if first is None:
        raise DataError("it is empty")
    names = [name.strip() for name in first] if header else [str(i) for i in range(len(first))]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"two of its columns are called `{twice}`", "" if header else "say `header=false` if the first line is a row")
    pieces: list[list[Array | str]] = [[] for _ in names]
    count = 0
    lines = _checked(rows, len(names))
    begin = [] if header else [first]
    while block := [*begin, *islice(lines, _ROWS)]:
        begin = []
        for piece, cells in zip(pieces, zip(*block, strict=True), strict=True):
            piece.append(piece[-1] if piece and isinstance(piece[-1], str) else _converted(cells, count))
        count += len(block)
    return CsvSource(names, [_joined(piece) for piece in pieces], count)


def _checked(rows: Any, width: int) -> Iterator[list[str]]:
    """The rows that are not empty, each with its cells. What differs is reported with its line."""
    for row in rows:
        if len(row) == width:
            yield row
        elif row:
            cells = f"{len(row)} cell{'s' if len(row) > 1 else ''}"
            raise DataError(f"line {rows.line_num} has {cells}, and the first line has {width}", "correct the line, or say the `separator`")


def _converted(cells: tuple[str, ...], before: int) -> Array | str:
    """Integers, booleans, or floats if that is what all cells are; else what there is, and where. `before`: the samples before these."""
    for convert in _CONVERSIONS if _is_plain(cells) else ():
        try:
            return convert(cells)
        except (ValueError, KeyError, OverflowError):
            continue
    at = next((i for i, cell in enumerate(cells) if not _is_number(cell)), None)
    return _MIXED if at is None else f"text (`{_shortened(cells[at])}` in sample {before + at})"


def _shortened(cell: str) -> str:
    text = " ".join(cell.split())
    return text if len(text) < _SHOWN else f"{text[:_SHOWN]}..."


def _is_plain(cells: tuple[str, ...]) -> bool:
    """Whether the cells may be numbers. Python's own conversion also accepts `1_0` and the digits of every script."""
    text = "\n".join(cells)
    return text.isascii() and "_" not in text


def _is_number(cell: str) -> bool:
    if not _is_plain((cell,)):
        return False
    try:
        _floats((cell,))
    except ValueError:
        return cell.strip().lower() in _BOOLEANS
    return True


def _floats(cells: tuple[str, ...]) -> Array:
    return np.array([cell if cell and not cell.isspace() else "nan" for cell in cells], np.float64)


_CONVERSIONS: tuple[Callable[[tuple[str, ...]], Array], ...] = (
    lambda cells: np.array([int(cell) for cell in cells], np.int64),
    lambda cells: np.array([_BOOLEANS[cell.strip().lower()] for cell in cells]),
    _floats,
)


def _joined(pieces: list[Array | str]) -> Array | str:
    """One array; integers in some of the pieces become floats where others have those."""
    arrays = [piece for piece in pieces if not isinstance(piece, str)]
    if len(arrays) < len(pieces):
        return next(piece for piece in pieces if isinstance(piece, str))
    kinds = {array.dtype.kind for array in arrays}
    if len(kinds) > 1 and "b" in kinds:
        return _MIXED
    return np.concatenate(arrays) if arrays else np.zeros(0)
