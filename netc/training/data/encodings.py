"""Encode columns as numbers: categories, booleans and dates of a table become what the network computes with.

In: a source, the inputs, the columns of each input, and the rules of the section. Out: a `ColumnEncoding` for each column that is not
numbers already, and an `EncodedSource` that applies them. Always: encodings are found once, in the training data, and a run keeps them. New
data never changes them, so the same cell is the same number in training, in validation and in predictions.

>>> encoding = ColumnEncoding("plan", CATEGORY, categories=("basic", "free", "pro"))
>>> encoding.encode_cells(np.array(["pro", "free", "gold"], object))
(array([ 2,  1, -1]), array([False, False,  True]))
"""

from __future__ import annotations

import math
from collections import ChainMap, Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from netc.compiler.errors.column_names import format_column
from netc.compiler.errors.data_errors import CellsUnfit, WrongCells
from netc.compiler.ir.graph_values import Value
from netc.compiler.types.tensor_types import DType
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record, replace

from .data_columns import ColumnSpec, InputColumns, list_columns
from .data_source import Array, Indices, Source, TableColumn, describe_sample
from .table_cells import (
    dates_to_days,
    find_unique_cells,
    format_category,
    is_missing,
    is_missing_value,
    parse_boolean,
    parse_cells,
    parse_date,
    parse_number,
)
from .table_rules import NO_RULES, CategoryRule, LocatedProblem, TableRules

CATEGORY, BOOLEAN, DATE, INTEGER, NUMBER = "category", "boolean", "date", "integer", "number"
KINDS = frozenset((CATEGORY, BOOLEAN, DATE, INTEGER, NUMBER))
EMPTY = "is empty"
"""The problem of a cell that is missing, as the end of a sentence."""
_PLAIN_KINDS = (BOOLEAN, INTEGER, NUMBER)
MAX_SHOWN = 3
"""The number of cells of a column that a message shows."""
_MAX_CATEGORIES = 1 << 16
"""More different texts than this are names or sentences, not categories."""
_EXACT = 2.0**53
"""From here on, float64 skips integers: a column with empty cells, which is read as floats, may have had other digits."""
_LARGEST = np.iinfo(np.int64).max
_MEANINGS = {BOOLEAN: "true or false", DATE: "a date such as 2026-01-31", INTEGER: "an integer", NUMBER: "a number"}


class ColumnEncoding(Record):
    """How the cells of one column become numbers.

    A `category` is the index of the text in `categories`; if `has_other`, the first one is for unknown and empty cells. A `boolean` is 0 or
    1; a `date` is the number of days since 1970-01-01, with a fraction for the time of day; an `integer` is a number without a fraction,
    such as `1.0`. An empty cell is `fill`; without it, it is NaN if `allows_missing`, and has no number otherwise.
    """

    column: str
    kind: str
    categories: tuple[str, ...] = ()
    has_other: bool = False
    fill: float | None = None
    allows_missing: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of the numbers."""
        if self.kind == BOOLEAN and (self.allows_missing or self.fill not in (None, 0, 1)):
            return np.dtype(np.float64)
        return np.dtype({CATEGORY: np.int64, BOOLEAN: np.bool_, INTEGER: np.int64}.get(self.kind, np.float64))

    def encode_cells(self, cells: Array) -> tuple[Array, Array]:
        """Encode cells `[samples]`. Return the numbers `[samples]`, and which cells have none."""
        if cells.dtype.kind == "O" and len(cells):
            unique, positions = find_unique_cells(cells)
            if len(unique) < len(cells):
                numbers, is_wrong = self.encode_cells(unique)
                return numbers[positions], is_wrong[positions]
        numbers, is_wrong = _ENCODERS[self.kind](self, cells)
        if self.kind != CATEGORY and is_wrong.any() and (self.allows_missing or self.fill is not None):
            is_empty = is_wrong & _find_missing(self.kind, cells, is_wrong)
            numbers = np.where(is_empty, np.nan if self.fill is None else self.fill, numbers)
            is_wrong = is_wrong & ~is_empty
        return np.where(is_wrong, 0, numbers).astype(self.dtype) if self.kind != CATEGORY else numbers, is_wrong

    def describe_cell(self, cell: object) -> str:
        """Return words for a cell without a number: `abc`, or nothing for an empty cell."""
        return "" if _is_empty(self.kind, cell) else str(cell).strip()[:40]

    def describe_problem(self, cell: object) -> tuple[str, str, str]:
        """Say why a cell has no number, as the end of a sentence, what to do, and which setting would help."""
        column = format_column(self.column)
        if _is_empty(self.kind, cell):
            # The median of integers may have a fraction, and an input of integers cannot hold it.
            fill = "fill median" if self.kind in (NUMBER, DATE) else "fill 0"
            return EMPTY, "fill in the cell or remove the row", f"category {column} unknown=other" if self.kind == CATEGORY else fill
        shown = f"is `{str(cell).strip()[:40]}`"
        if self.kind == INTEGER and isinstance(cell, np.unsignedinteger):
            return f"{shown}, which is too large for int64", "correct the cell", f"category {column}"
        if self.kind == INTEGER and _EXACT <= abs(parse_number(cell)) < math.inf:
            need = "which is too large: in a column with empty cells or fractions, only integers below 2**53 keep their digits"
            return f"{shown}, {need}", "store the column as integers, without empty cells", f"category {column}"
        if self.kind != CATEGORY:
            return f"{shown}, which is not {_MEANINGS[self.kind]}", "correct the cell", f"category {column}" * (self.kind == INTEGER)
        near = find_similar_names(str(cell).strip(), self.categories)
        known = ", ".join(f"`{name}`" for name in self.categories[:5]) + (", ..." if len(self.categories) > 5 else "")
        remedy = f"did you mean `{near[0]}`?" if near else f"the categories are {known}"
        return f"{shown}, and training had no such category", remedy, ""


class EncodedSource:
    """A source with some columns encoded. Other columns stay as they are."""

    def __init__(self, source: Source, encodings: Iterable[ColumnEncoding]) -> None:
        self.source = source
        # A column that cannot be read, such as durations, or that has arrays, keeps its description, which says what it has.
        known = [encoding for encoding in encodings if encoding.column in source.columns]
        self.encodings = {encoding.column: encoding for encoding in known if _has_cells(source.columns[encoding.column])}
        self.decodes, self.classes = source.decodes, source.classes
        encoded = {
            name: TableColumn(name, (), e.dtype, finite=e.kind in (CATEGORY, INTEGER, BOOLEAN), allows_missing=e.allows_missing)
            for name, e in self.encodings.items()
        }
        # Not one dictionary: describing a column of lists in an Arrow table reads it.
        self.columns: Mapping[str, TableColumn] = ChainMap(encoded, source.columns) if encoded else source.columns  # type: ignore[arg-type]
        self._encoded: dict[str, tuple[Array, Array]] = {}

    def __len__(self) -> int:
        return len(self.source)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        others = tuple(name for name in names if name not in self.encodings)
        arrays = self.source.read(others, indices) if others else {}
        return arrays | {name: self.encode_column(name)[0][indices] for name in names if name in self.encodings}

    def describe_sample(self, index: int) -> str:
        return describe_sample(self.source, index)

    def encode_column(self, name: str) -> tuple[Array, Array]:
        """Encode a whole column once: a look-up for each cell of each batch would take longer than a step."""
        if name not in self._encoded:
            encoding = self.encodings[name]
            self._encoded[name] = encoding.encode_cells(read_cells(self.source, name, encoding.kind))
        return self._encoded[name]

    def find_wrong_cells(self, input_name: str, names: Iterable[str], path: str) -> CellsUnfit | None:
        """Encode these columns of an input now, and describe the cells that have no number."""
        positions = {name: np.flatnonzero(self.encode_column(name)[1]) for name in names if name in self.encodings}
        wrong = sorted((int(found[0]), name) for name, found in positions.items() if len(found))
        if not wrong:
            return None
        first, name = wrong[0]
        encoding = self.encodings[name]
        texts = encoding.describe_problem(read_cells(self.source, name, encoding.kind)[first])
        return CellsUnfit(input_name, path, tuple(self._describe_cells(name, positions[name]) for _, name in wrong), *texts)

    def _describe_cells(self, name: str, positions: Array) -> WrongCells:
        encoding, cells = self.encodings[name], read_cells(self.source, name, self.encodings[name].kind)
        shown = tuple((self.describe_sample(int(i)), encoding.describe_cell(cells[i])) for i in positions[:MAX_SHOWN])
        return WrongCells(name, len(positions), shown)


def find_encodings(
    source: Source, inputs: list[Value], specs: Mapping[str, ColumnSpec], rules: TableRules = NO_RULES
) -> tuple[list[ColumnEncoding], list[LocatedProblem]]:
    """Find the encoding of each column that the inputs need, and that does not hold numbers of their type already. Return the problems of
    the rules too."""
    encodings: dict[str, ColumnEncoding] = {}
    names_by_input = _expect_columns(source, inputs, specs)
    for value in inputs:
        for name in names_by_input[value.name]:
            rule = rules.find_category(name)
            column = source.columns[name]
            encoding = _find_encoding(source, column, value.type.dtype) if rule is None else _make_categories(source, rule)
            if encoding is not None:
                encodings.setdefault(name, encoding)
    # If the column of an input is missing, a rule may be for that.
    is_complete = all(names_by_input.values())
    known = tuple({name: None for names in names_by_input.values() for name in names})
    return list(encodings.values()), list(rules.find_unknown_columns(known)) if is_complete else []


def complete_encodings(
    source: Source, inputs: list[Value], specs: Mapping[str, ColumnSpec], encodings: Iterable[ColumnEncoding]
) -> list[ColumnEncoding]:
    """Add encodings of numbers for new data, whose columns may be written in another way than in training: `1.0` for 1, or with a text
    among the numbers. A column of numbers may have booleans, also if its empty cells are filled. They never add a meaning that training had
    not, such as a category or a date."""
    complete = {encoding.column: encoding for encoding in encodings}
    names_by_input = _expect_columns(source, inputs, specs)
    for value in inputs:
        for name in names_by_input[value.name]:
            known = complete.get(name)
            may_change = known is None or known.kind == NUMBER
            encoding = _find_plain_encoding(source, source.columns[name], value.type.dtype) if may_change else None
            if encoding is not None and (known is None or encoding.kind == BOOLEAN):
                complete[name] = encoding if known is None else replace(known, kind=BOOLEAN)
    return list(complete.values())


def _expect_columns(source: Source, inputs: list[Value], specs: Mapping[str, ColumnSpec]) -> dict[str, tuple[str, ...]]:
    """List the columns of each input. Tell a source whose texts will be read, so that a file is read once for all of them."""
    names_by_input = {value.name: list_columns(source, specs.get(value.name, value.name)) for value in inputs}
    expect: Callable[[Collection[str]], None] | None = getattr(source, "expect_cells", None)
    if expect is not None:
        expect({name for names in names_by_input.values() for name in names})
    return names_by_input


def _find_plain_encoding(source: Source, column: TableColumn, wanted: DType) -> ColumnEncoding | None:
    """Find the encoding of a column that had numbers in training."""
    encoding = _find_encoding(source, column, wanted)
    if encoding is not None and encoding.kind in _PLAIN_KINDS:
        return encoding
    is_text = column.dtype is None and column.has_cells and column.shape == ()
    if not is_text:
        return None
    return make_plain_encoding(column.name, wanted)


def make_plain_encoding(name: str, wanted: DType) -> ColumnEncoding:
    """Return the encoding of a column whose cells are numbers, or booleans for an input of booleans."""
    return ColumnEncoding(name, INTEGER if wanted.is_integer else NUMBER if wanted.is_float else BOOLEAN)


def _has_cells(column: TableColumn) -> bool:
    """Whether a column has one cell in each sample, which an encoding can read."""
    return column.shape == () and column.is_readable


def find_wrong_cells(columns: InputColumns, name: str) -> CellsUnfit | None:
    """Encode the columns of an input, and describe the cells that have no number."""
    if name not in columns.columns or not isinstance(columns.source, EncodedSource):
        return None
    return columns.source.find_wrong_cells(name, columns.columns[name].names, columns.path)


def find_boolean_words(source: Source, column: str) -> tuple[str, ...]:
    """Return the words that a column has for false and for true, such as `no` and `yes`; none if one of them has several words or none."""
    cells = read_cells(source.source if isinstance(source, EncodedSource) else source, column, BOOLEAN)
    words = {str(cell).strip() for cell in cells if not is_missing(cell)}
    false, true = (sorted(word for word in words if parse_boolean(word) == number) for number in (0, 1))
    return (false[0], true[0]) if len(false) == len(true) == 1 else ()


def note_unseen_others(columns: InputColumns, training: Indices) -> Iterator[str]:
    """Yield a note for each column whose category for unknown names no training sample has: the network learns nothing about it."""
    for encoding in list_encodings(columns):
        column = encoding.column
        if encoding.has_other and columns.source.read((column,), training)[column].all():
            other = encoding.categories[0]
            found = f"no training sample of `{column}` is `{other}`, so predictions for it mean little"
            yield f"{found}: `category {format_column(column)} unknown={format_column(other)} rare=5` counts rare names as `{other}`"


def list_encodings(columns: InputColumns) -> list[ColumnEncoding]:
    """List the encodings of columns that were opened."""
    return list(columns.source.encodings.values()) if isinstance(columns.source, EncodedSource) else []


def count_categories(columns: InputColumns, name: str) -> int:
    """Return the number of categories of the column of an input, 0 for other columns."""
    column = str(columns.columns[name])
    return next((len(encoding.categories) for encoding in list_encodings(columns) if encoding.column == column), 0)


def read_cells(source: Source, name: str, kind: str) -> Array:
    """Read a whole column: numbers, or for a kind that texts have, the cells as they are written."""
    # A category `007` is not the number 7, even if all categories of a csv file look like numbers.
    read: Callable[[str], Array] | None = getattr(source, "read_cells", None)
    if read is not None and kind in (CATEGORY, BOOLEAN, DATE):
        return read(name)
    return source.read((name,), np.arange(len(source)))[name]


def _make_categories(source: Source, rule: CategoryRule) -> ColumnEncoding:
    names = rule.names
    if not names:
        cells = read_cells(source, rule.column, CATEGORY)
        names = tuple(name for name, count in _count_names(cells) if count >= rule.rare and name != rule.other)
    return ColumnEncoding(rule.column, CATEGORY, (rule.other, *names) if rule.other else names, bool(rule.other))


def _find_encoding(source: Source, column: TableColumn, wanted: DType) -> ColumnEncoding | None:
    if not _has_cells(column):
        return None
    if column.dtype is not None:
        is_candidate = wanted.is_integer and column.dtype.kind == "f"
        # Floats with many fractions are no integers with mistakes, so the type is reported instead of the cells.
        return _find_majority(source, column.name, (INTEGER,), 0.9) if is_candidate else None
    if not wanted.is_integer:
        return _find_majority(source, column.name, (BOOLEAN,) if wanted.kind == "bool" else (NUMBER, BOOLEAN, DATE))
    # Numbers with a few texts among them are mistakes, not categories: as such they would be sorted as `0`, `1`, `10`, `2`.
    integers = _find_majority(source, column.name, (INTEGER,))
    if integers is not None:
        return integers
    names = tuple(name for name, _ in _count_names(read_cells(source, column.name, CATEGORY)))
    return ColumnEncoding(column.name, CATEGORY, names) if 0 < len(names) <= _MAX_CATEGORIES else None


def _count_names(cells: Array) -> list[tuple[str, int]]:
    """Count the categories in a column, in the order of the sorted names."""
    unique, positions = find_unique_cells(cells)
    counts: Counter[str] = Counter()
    for cell, count in zip(unique, np.bincount(positions, minlength=len(unique)).tolist(), strict=True):
        if not is_missing(cell):
            counts[format_category(cell)] += count
    return sorted(counts.items())


def _find_majority(source: Source, name: str, kinds: tuple[str, ...], share: float = 0.5) -> ColumnEncoding | None:
    """Return the encoding that fits most cells, and more than this share of the cells that are not empty. Its wrong cells are reported
    later."""
    best, most = None, 0
    for kind in kinds:
        encoding, column = ColumnEncoding(name, kind), read_cells(source, name, kind)
        # NumPy writes a date of whole years as `2026`, which is no number.
        if column.dtype.kind == "M" and kind != DATE:
            continue
        cells, positions = find_unique_cells(column) if column.dtype.kind == "O" else (column, np.arange(len(column)))
        counts = np.bincount(positions, minlength=len(cells))
        _, is_wrong = encoding.encode_cells(cells)
        right = int(counts[~is_wrong].sum())
        present = right + int(counts[is_wrong & ~_find_missing(kind, cells, is_wrong)].sum())
        if right > most and right > share * present:
            best, most = encoding, right
    return best


def _is_empty(kind: str, cell: object) -> bool:
    return is_missing(cell) if kind == CATEGORY else is_missing_value(cell)


def _find_missing(kind: str, cells: Array, candidates: Array) -> Array:
    """Find the empty cells among the candidates."""
    is_empty = np.zeros(len(cells), bool)
    positions = np.flatnonzero(candidates)
    is_empty[positions] = [_is_empty(kind, cell) for cell in cells[positions]]
    return is_empty


def _encode_categories(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    numbers = {name: number for number, name in enumerate(encoding.categories)}
    unknown = 0 if encoding.has_other else -1

    def find_number(cell: object) -> float:
        return unknown if is_missing(cell) else numbers.get(format_category(cell), unknown)

    encoded = parse_cells(find_number, cells).astype(np.int64)
    return encoded, encoded < 0


def _encode_booleans(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    encoded = cells.astype(np.float64) if cells.dtype.kind == "b" else parse_cells(parse_boolean, cells)
    return encoded, np.isnan(encoded)


def _encode_dates(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    encoded = dates_to_days(cells) if cells.dtype.kind == "M" else parse_cells(parse_date, cells)
    return encoded, np.isnan(encoded)


def _encode_numbers(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    encoded = cells.astype(np.float64) if cells.dtype.kind in "biuf" else parse_cells(parse_number, cells)
    return encoded, np.isnan(encoded)


def _encode_integers(encoding: ColumnEncoding, cells: Array) -> tuple[Array, Array]:
    if cells.dtype.kind in "biu":  # floats would lose digits beyond 2**53
        is_wrong = cells > _LARGEST if cells.dtype.kind == "u" else np.zeros(len(cells), bool)
        return np.where(is_wrong, 0, cells).astype(np.int64), is_wrong
    numbers = cells if cells.dtype.kind == "f" else parse_cells(parse_number, cells)
    with np.errstate(invalid="ignore"):
        is_wrong = ~(np.isfinite(numbers) & (numbers == np.floor(numbers)) & (np.abs(numbers) < _EXACT))
    return np.where(is_wrong, 0, numbers), is_wrong


_ENCODERS: dict[str, Callable[[ColumnEncoding, Array], tuple[Array, Array]]] = {
    CATEGORY: _encode_categories,
    BOOLEAN: _encode_booleans,
    DATE: _encode_dates,
    INTEGER: _encode_integers,
    NUMBER: _encode_numbers,
}


def describe_positions(source: Source, column: str, positions: Array, shown: str = "") -> WrongCells:
    """Describe the samples at these positions, in the order of the file."""
    rows = tuple((describe_sample(source, int(i)), shown) for i in positions[:MAX_SHOWN])
    return WrongCells(column, len(positions), rows)
