"""Read single cells of tables: missing cells, booleans, dates, numbers; and columns of Python objects as arrays.

In: cells as texts, numbers, dates or Python objects, as a csv file, an Arrow table or a DataFrame has them. Out: numbers, or NaN for a cell
without one. Always: the same value is the same number, whichever table it comes from.

>>> convert_objects([3, None, 5]).tolist(), convert_objects(["Ulm", None]).tolist()
([3.0, nan, 5.0], ['Ulm', None])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from .data_source import Array, DataError

MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none"))
"""Words for a missing number or date, in any case: what spreadsheets, R, pandas and databases write. A category may be called `NA`."""
_BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0}
"""The texts that are booleans, in any case."""
EPOCH = np.datetime64("1970-01-01T00:00:00", "us")
DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    ((bool, np.bool_), "boolean"),
    ((int, np.integer), "integer"),
    ((float, np.floating, Decimal), "number"),
    (str, "text"),
    ((date, np.datetime64), "date"),
)
"""The kinds of Python objects, in the order of the checks: a `bool` is an `int` too."""


def is_missing(cell: object) -> bool:
    """Whether a cell is empty: None, NaN, NaT, pandas' NA, or a text without letters."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return True
    try:
        # NaN and NaT are the only values that differ from themselves; whether NA does is NA, which is no boolean.
        return bool(cell != cell)
    except TypeError:
        return True


def is_missing_value(cell: object) -> bool:
    """Whether a cell of numbers or dates is empty, or has a word such as `NA`."""
    return is_missing(cell) or (isinstance(cell, str) and cell.strip().lower() in MISSING)


def format_category(cell: object) -> str:
    """Return the name of a category: a text without spaces around it, and for a number or boolean what a csv file has."""
    if isinstance(cell, (bool, np.bool_)):
        return str(cell).lower()
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def parse_number(cell: object) -> float:
    """Return the number in a cell, NaN if there is none."""
    text = str(cell)
    # Python's own `float` also accepts `1_0` and the digits of every script, which no other reader of tables does.
    if not text.isascii() or "_" in text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def parse_boolean(cell: object) -> float:
    """Return 1 for `true` or `yes`, 0 for `false` or `no`, NaN for other cells."""
    return _BOOLEANS.get(str(cell).strip().lower(), float("nan"))


def parse_date(cell: object) -> float:
    """Return the days since 1970-01-01 of a date in ISO format, NaN for other cells."""
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return float("nan")
    return float((_to_datetime64(moment) - EPOCH) / np.timedelta64(1, "us")) / DAY


def find_unique_cells(cells: Array) -> tuple[Array, Array]:
    """Return each different cell once, and the position of each cell in them. Columns repeat, and parsing takes longer than a look-up.

    >>> unique, positions = find_unique_cells(np.array(["Ulm", "Bonn", "Ulm"], object))
    >>> unique.tolist(), positions.tolist()
    (['Ulm', 'Bonn'], [0, 1, 0])
    """
    texts = dict.fromkeys(cells)
    if {type(cell) for cell in texts} <= {str, type(None)}:
        numbers = {cell: number for number, cell in enumerate(texts)}
        return np.array([*texts, None], object)[:-1], np.fromiter(map(numbers.__getitem__, cells), np.int64, len(cells))
    # With the type, because `True`, 1 and 1.0 are equal, and are different categories.
    known: dict[tuple[type, object], int] = {}
    positions = np.fromiter((known.setdefault((cell.__class__, cell), len(known)) for cell in cells), np.int64, len(cells))
    unique = np.empty(len(known), object)
    unique[:] = [cell for _, cell in known]
    return unique, positions


def parse_cells(parse: Callable[[object], float], cells: Array) -> Array:
    """Parse each cell."""
    return np.array([parse(cell) for cell in cells], np.float64)


def dates_to_days(dates: Array) -> Array:
    """Convert NumPy's dates to days since 1970-01-01. NaT becomes NaN."""
    moments = dates.astype("datetime64[us]")
    return np.where(np.isnat(moments), np.nan, (moments - EPOCH).astype(np.float64) / DAY)


def convert_objects(values: Sequence[Any] | Array) -> Array:
    """Convert Python objects to an array of numbers, dates, or texts in which None is a missing text. Raises `DataError` for others."""
    present = [value for value in values if not is_missing(value)]
    kinds = {_find_kind(value) for value in present}
    if "" in kinds:
        strange = next(value for value in present if not _find_kind(value))
        raise DataError(f"it has a `{type(strange).__name__}` among its cells, which is neither a number, a text nor a date")
    is_full = len(present) == len(values)
    if not kinds and not any(isinstance(value, str) for value in values):
        return np.full(len(values), np.nan)
    if kinds == {"boolean"} and is_full:
        return np.array(values, bool)
    if kinds == {"integer"} and is_full:
        return _make_integers(values)
    if kinds and kinds <= {"integer", "number"}:
        return np.array([np.nan if is_missing(value) else _to_float(value) for value in values])
    if kinds == {"date"}:
        return np.array([np.datetime64("NaT") if is_missing(value) else _to_datetime64(value) for value in values], "datetime64[us]")
    cells = np.empty(len(values), object)
    cells[:] = [None if is_missing(value) else value for value in values]
    return cells


def _find_kind(value: object) -> str:
    return next((kind for types, kind in _KINDS if isinstance(value, types)), "")


def _make_integers(values: Sequence[Any] | Array) -> Array:
    try:
        return np.array([int(value) for value in values], np.int64)
    except OverflowError:
        return np.array([_to_float(value) for value in values])


def _to_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer of 1e309 or more, which a csv file reads as infinite too
        return -math.inf if number < 0 else math.inf


def _to_datetime64(moment: Any) -> np.datetime64:
    # NumPy's dates have no time zone: a moment with one is converted to UTC.
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "us")
