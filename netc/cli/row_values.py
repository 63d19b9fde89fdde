"""Read the samples that the command line of `netc predict` holds: the paths of images, or one row of values.

In: the words of the command line, and a predictor. Out: a list of paths, or a source with one sample. Always: a word that is neither is a
`CommandFailed`, whose help names the columns.

For example, a model with the columns `width` and `height` reads `-1.5,2` and `height=2 width=-1.5` as the same row.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
from math import prod
from typing import TYPE_CHECKING, Any

from .command_failure import CommandFailed

if TYPE_CHECKING:
    from ..prediction.predictor import Predictor

Shape = tuple[int | None, ...]
_SEVERAL_ROWS = "several rows are a table: `--data FILE.csv`"


def read_values(values: tuple[str, ...], predictor: Predictor) -> Any:
    """Return the images, or the row as a source of one sample."""
    if predictor.reads_images and not any("=" in value for value in values):
        missing = next((value for value in values if not os.path.exists(value)), None)
        if missing is not None:
            raise CommandFailed(f"there is no file `{missing}`", "give the paths of images, or a folder of images with `--data`")
        return list(values)
    is_list = len(values) == 1 and "=" not in values[0]
    return _make_row(_split_row(values[0], predictor) if is_list else _read_pairs(values, predictor), predictor)


def _split_row(text: str, predictor: Predictor) -> dict[str, list[str]]:
    """Return the values of a row that are separated by commas, by column."""
    cells = _split_cells(text)
    counts = {name: _count_numbers(shape) for name, shape in predictor.column_shapes.items()}
    # the only column takes a sequence of any length, so all cells are its own
    if len(counts) == 1 and None in counts.values():
        return dict.fromkeys(counts, cells)
    needed = sum(count or 0 for count in counts.values())
    if None in counts.values() or len(cells) != needed:
        # a word that begins like a number is a row that is too short; any other is a misspelled path
        if len(cells) == 1 and not re.match(r"[-+.\d]", text):
            raise CommandFailed(f"`{text}` is neither a file nor a row of values", _list_columns(predictor))
        raise CommandFailed(f"a row has {needed} values, and `{text}` has {len(cells)}", _list_columns(predictor))
    row, start = {}, 0
    for name, count in counts.items():
        row[name] = cells[start : start + (count or 0)]
        start += count or 0
    return row


def _read_pairs(values: tuple[str, ...], predictor: Predictor) -> dict[str, list[str]]:
    """Return the values of words `COLUMN=VALUE`, by column."""
    pairs = [value.partition("=") for value in values]
    names = [name for name, _, _ in pairs]
    columns = _list_columns(predictor)
    for name, equals, _ in pairs:
        if not equals:
            raise CommandFailed(f"`{name}` is neither a file nor `COLUMN=VALUE`", columns, _suggest_row(values, predictor))
        if name not in predictor.columns:
            raise CommandFailed(f"the model reads no column `{name}`", columns)
        if names.count(name) > 1:
            raise CommandFailed(f"`{name}` is given twice", _SEVERAL_ROWS)
    missing = next((name for name in predictor.columns if name not in names), None)
    if missing is not None:
        words = " ".join(f"{name}=..." for name in predictor.columns)
        raise CommandFailed(f"the row has no value for `{missing}`", f"give each column as a word of its own: `{words}`")
    shapes = predictor.column_shapes
    return {name: [cell] if shapes[name] == () else _split_cells(cell) for name, _, cell in pairs}


def _suggest_row(values: tuple[str, ...], predictor: Predictor) -> str:
    """Return help for words without names: spaces may separate the values of one row (`1.5 2`, `1.5, 2`), or be between rows."""
    text = ",".join(value.removesuffix(",") for value in values)
    counts = [_count_numbers(shape) for shape in predictor.column_shapes.values()]
    is_row = "=" not in text and None not in counts and len(_split_cells(text)) == sum(count or 0 for count in counts)
    if not is_row:
        return _SEVERAL_ROWS
    # click moves words that begin like an option to the end, so the order of a row with negative numbers is unknown here
    example = "" if any(value.startswith("-") for value in values) else f": `{shlex.quote(text)}`"
    return f"separate the values of a row by commas, without spaces{example}"


def _make_row(cells: dict[str, list[str]], predictor: Predictor) -> Any:
    """Return a source of one sample. A column with several numbers in a sample gets them in its shape."""
    import numpy as np

    from ..training.data.csv import RowsSource, read_cells

    arrays: dict[str, Any] = {}
    for name, texts in cells.items():
        column = read_cells([name], [[text] for text in texts]).read((name,), np.arange(len(texts)))[name]
        shape = predictor.column_shapes[name]
        count = _count_numbers(shape)
        if count not in (None, len(texts)):
            raise CommandFailed(f"a row has {count} values for `{name}`, and {len(texts)} are given", _list_columns(predictor))
        arrays[name] = column.reshape(1, *shape) if count is not None else column[None]
    # As written too: a category `007` is not the number 7.
    return RowsSource(arrays, {name: np.array([texts[0], None], object)[:1] for name, texts in cells.items() if len(texts) == 1})


def _split_cells(text: str) -> list[str]:
    return next(csv.reader([text], skipinitialspace=True), [])


def _count_numbers(shape: Shape) -> int | None:
    """Return the count of numbers in a sample, None if it varies."""
    sizes = [size for size in shape if size is not None]
    return prod(sizes) if len(sizes) == len(shape) else None


def _list_columns(predictor: Predictor) -> str:
    return f"the columns are {', '.join(predictor.columns)}"
