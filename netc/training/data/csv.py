"""Text tables: comma-separated values. The file is read once, in full; a column is integers, floats, booleans or text.

In: a path, the separator, and whether the first line has names. Out: a `CsvSource`. Always: each row has as many cells as the first
line; in a column of numbers, an empty cell and words such as `NA` are NaN. For example, the file

    width,price
    1,2.5
    2,

has the columns `width` (int64) and `price` (float64: 2.5 and NaN).

    >>> source = read_cells(["width", "price"], [["3", "2.5"], ["4", ""]])
    >>> source.read(("width", "price"), np.array([0, 1]))["price"].tolist()
    [2.5, nan]
"""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from math import isinf
from typing import Any

import numpy as np

from netc.dsl.record import Record

from .data_paths import check_memory, check_regular_file, translate_os_errors
from .data_source import Array, ArraySource, DataError, Indices, TableColumn, name_columns
from .table_cells import MISSING

_ROWS_AT_ONCE = 8192
"""Rows that are converted together, so that only these are in memory as Python strings, which take many times the size of the file."""
_MAX_LINES = 4
"""Lines that a message lists."""
_MAX_SHOWN = 20
"""Characters of a cell that a message shows."""
_SEPARATORS = (",", ";", "\t", "|")
"""The usual characters between the cells of a table."""
_MIXED = "numbers and booleans"
_ZERO_OR_SIGN = tuple("0+- \t")
_LARGEST_CELL = 2**31 - 1
"""The most characters of a cell: the largest number that a C `long` holds on each system."""
_EXACT_DIGITS = 15
"""The number of digits up to which every integer is a float too."""
_BOOLEANS = {"true": True, "false": False}


class CsvSource(ArraySource):
    """A text table. Columns of numbers are arrays, and columns of text are read from the file again when they are needed.

    `texts` has a description for each column of text. `lines` has the line of each sample in the file.
    """

    def __init__(self, file: CsvFile, names: list[str], columns: list[Array | str], lines: Array) -> None:
        pairs = list(zip(names, columns, strict=True))
        super().__init__({name: array for name, array in pairs if not isinstance(array, str)})
        texts = {name: column for name, column in pairs if isinstance(column, str)}
        described = self.columns
        self.columns = {
            name: TableColumn(name, (), None, texts[name], has_cells=True) if name in texts else described[name] for name in names
        }
        self._file, self._names, self._lines = file, names, lines
        self._cells: dict[str, Array] = {}
        self._expected: tuple[str, ...] = ()
        self._count = len(lines)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        texts = [name for name in names if name not in self.arrays]
        numbers = super().read(tuple(name for name in names if name not in texts), indices)
        return numbers | {name: self.read_cells(name)[indices] for name in texts}

    def describe_sample(self, index: int) -> str:
        """Return the line of the file."""
        return f"line {self._lines[index]}"

    @property
    def separator(self) -> str:
        """The character between the cells."""
        return self._file.separator

    @property
    def is_tsv(self) -> bool:
        """Whether the ending of the file says that tabs are between the cells."""
        return _is_tsv(self._file.path)

    def iterate_rows(self) -> Iterator[list[str]]:
        """Yield the cells of each sample as they are written in the file. Raises `DataError`."""
        with self._file.open_rows() as rows:
            full_rows = (row for row in rows if row)
            if self._file.header:
                next(full_rows, None)
            yield from full_rows

    def find_inexact_columns(self) -> list[str]:
        """Find the columns of numbers in which the number of a cell loses digits that are written: `007`, or an integer of 30 digits."""
        found: set[int] = set()
        positions = [i for i, name in enumerate(self._names) if name in self.arrays]
        for row in self.iterate_rows():
            # most cells are neither long nor begin with a zero, and need no further look
            found.update(i for i in positions if (row[i][:1] in _ZERO_OR_SIGN or len(row[i]) > _EXACT_DIGITS) and _loses_digits(row[i]))
        return [self._names[i] for i in sorted(found)]

    def expect_cells(self, names: Collection[str]) -> None:
        """Expect that the texts of these columns will be read, so that one reading of the file is enough for all of them."""
        self._expected = tuple(name for name in self._names if name in names and name not in self.arrays)

    def read_cells(self, name: str) -> Array:
        """Read a column as it is written, also one of numbers."""
        if name not in self._cells:
            self._read_columns([name, *(other for other in self._expected if other != name and other not in self._cells)])
        return self._cells[name]

    def _read_columns(self, names: list[str]) -> None:
        """Read columns as they are written, in one go."""
        # Equal cells share one string: a column of categories takes 8 bytes for a row, not 60.
        readers = [(self._names.index(name), dict[str, str](), np.empty(self._count, object)) for name in names]
        count = 0
        for count, row in enumerate(self.iterate_rows(), 1):
            if count > self._count:
                break
            for position, strings, cells in readers:
                cells[count - 1] = strings.setdefault(row[position], row[position])
        if count != self._count:
            raise DataError("it changed while it was read")
        self._cells |= {name: cells for name, (_, _, cells) in zip(names, readers, strict=True)}


class CsvFile(Record):
    """A table on the disk."""

    path: str
    separator: str
    header: bool

    @contextmanager
    def open_rows(self) -> Iterator[Any]:
        """Open the file, and return a reader of its rows. Raises `DataError`."""
        # Python's own limit is 131,072 characters, and a cell may be a whole document. The limit is for the process, so it is restored.
        limit = csv.field_size_limit(_LARGEST_CELL)
        try:
            # utf-8-sig: Excel begins UTF-8 files with a byte order mark, which would become part of the first name.
            with translate_os_errors(), open(self.path, encoding="utf-8-sig", newline="") as file:
                yield csv.reader(file, delimiter=self.separator, strict=True)
        except csv.Error as error:
            raise DataError(f"it is no table of text: {error}") from error
        except UnicodeDecodeError as error:
            wrong = f"it is not UTF-8: the byte 0x{error.object[error.start]:02x}"
            encoding = "utf-16" if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin1"
            raise DataError(wrong, f"save it as UTF-8, or convert it: `iconv -f {encoding} -t utf-8`") from error
        finally:
            csv.field_size_limit(limit)


def open_csv(path: str, separator: str | None = None, header: bool = True) -> CsvSource:
    """Read the table. Without a header the columns are called 0, 1, 2, ..."""
    file = _locate_csv(path, separator, header)
    with translate_os_errors():
        check_memory(os.path.getsize(path))
    with file.open_rows() as rows:
        return _read_table(file, rows)


def find_separator(path: str, names: Collection[str], separator: str | None = None) -> str | None:
    """Return the separator with which the first line has all these names, or `separator` if none is such."""
    for candidate in dict.fromkeys((separator, None, *_SEPARATORS)):
        try:
            with _locate_csv(path, candidate, True).open_rows() as rows:
                first: list[str] = next(rows, [])
        except DataError:
            continue
        if set(names) <= set(_list_names(first, True)):
            return candidate
    return separator


def _locate_csv(path: str, separator: str | None, header: bool) -> CsvFile:
    return CsvFile(check_regular_file(path), separator or ("\t" if _is_tsv(path) else ","), header)


def _is_tsv(path: str) -> bool:
    return path.lower().endswith(".tsv")


def _list_names(first: list[str], header: bool) -> list[str]:
    return [name.strip() for name in first] if header else [str(i) for i in range(len(first))]


class RowsSource(ArraySource):
    """Rows of texts in memory. Columns of numbers are arrays, and `texts` has all cells as they are written."""

    def __init__(self, arrays: dict[str, Array], texts: dict[str, Array]) -> None:
        super().__init__(arrays)
        self._texts = texts

    def read_cells(self, name: str) -> Array:
        """Read a column as it is written, also one of numbers."""
        return self._texts[name]


def read_cells(names: list[str], rows: list[list[str]]) -> ArraySource:
    """Return a source for rows in memory. Each column is integers, booleans, floats or texts, as in a file."""
    texts = {name: np.array([*cells, None], object)[:-1] for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    columns = {name: _convert_cells(tuple(cells), [1] * len(cells)) for name, cells in texts.items()}
    return RowsSource({name: texts[name] if isinstance(column, str) else column for name, column in columns.items()}, texts)


def _read_table(file: CsvFile, rows: Any) -> CsvSource:
    first, header = next(rows, None), file.header
    if first is None:
        raise DataError("it is empty")
    names = name_columns(_list_names(first, header), "" if header else "say `header=false` if the first line is a row")
    pieces: list[list[Array | str]] = [[] for _ in names]
    lines: list[int] = [] if header else [rows.line_num]
    full_rows = _check_rows(rows, len(names), lines)
    pending = [] if header else [first]
    count = 0
    while block := [*pending, *islice(full_rows, _ROWS_AT_ONCE)]:
        pending = []
        for piece, cells in zip(pieces, zip(*block, strict=True), strict=True):
            # Once a column is text it stays text, so its other cells need no conversion.
            piece.append(piece[-1] if piece and isinstance(piece[-1], str) else _convert_cells(cells, lines[count:]))
        count += len(block)
    return CsvSource(file, names, [_join_pieces(piece) for piece in pieces], np.array(lines, np.int64))


def _check_rows(rows: Any, width: int, lines: list[int]) -> Iterator[list[str]]:
    """Yield the rows that are not empty, and append their line numbers to `lines`. At the end, raise `DataError` with the lines of the rows
    with another number of cells."""
    wrong: list[tuple[int, int]] = []
    for row in rows:
        if len(row) == width:
            lines.append(rows.line_num)
            yield row
        elif row:
            wrong.append((rows.line_num, len(row)))
    if wrong:
        line, count = wrong[0]
        cells = f"{count} cell{'s' if count > 1 else ''}"
        others = ", ".join(str(line) for line, _ in wrong[1:_MAX_LINES])
        more = f" and {len(wrong) - _MAX_LINES} more" if len(wrong) > _MAX_LINES else ""
        also = f"; other lines that differ: {others}{more}" if others else ""
        raise DataError(f"line {line} has {cells}, and the first line has {width}{also}", "correct the line, or say the `separator`")


def _convert_cells(cells: tuple[str, ...], lines: Sequence[int]) -> Array | str:
    """Convert cells to integers, booleans or floats, whichever fits all of them first. If none does, return a description of the first
    cell that does not fit. `lines` are the lines of the cells."""
    for convert in _CONVERSIONS if _is_plain(cells) else ():
        try:
            return convert(cells)
        except (ValueError, KeyError, OverflowError):
            continue
    index = next((i for i, cell in enumerate(cells) if not _is_number(cell)), None)
    return _MIXED if index is None else f"text (`{_shorten_cell(cells[index])}` in line {lines[index]})"


def _loses_digits(cell: str) -> bool:
    """Whether a cell has an integer that begins with a zero, or that is neither an int64 nor a float."""
    digits = cell.strip().lstrip("+-")
    if not digits.isdigit():
        return False
    # an infinite number may have more digits than Python converts to an integer
    inexact = isinf(float(digits)) or (int(digits) >= 1 << 63 and int(float(digits)) != int(digits))
    return inexact or (digits[0] == "0" and len(digits) > 1)


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
    return np.array(["nan" if cell.strip().lower() in MISSING else cell for cell in cells], np.float64)


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
