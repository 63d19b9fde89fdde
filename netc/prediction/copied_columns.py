"""The columns of the data that a table of predictions repeats, so that each row can be recognized.

In: the source of the samples. Out: the cells of some samples, by the name of the column. Always: columns with one number, text or date in a
cell are repeated, in the order of the data; arrays are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..training.data.arrow import TableSource
from ..training.data.csv import CsvSource
from ..training.data.data_source import Source
from ..training.data.encodings import EncodedSource
from .open_samples import FILE, ImageFiles


class CopiedColumns:
    """No columns. `separator` is the separator of the cells in a text table."""

    names: tuple[str, ...] = ()
    separator = ","

    def read(self, start: int, stop: int) -> Mapping[str, Any]:
        """Return the cells of these samples. They are read in order, each once."""
        return {}


class SourceColumns(CopiedColumns):
    """Columns of a source, as numbers, texts and dates."""

    def __init__(self, source: Source, names: Sequence[str], separator: str) -> None:
        self._source, self.names, self.separator = source, tuple(names), separator

    def read(self, start: int, stop: int) -> Mapping[str, Any]:
        return self._source.read(self.names, np.arange(start, stop))


class ArrowColumns(SourceColumns):
    """Columns of an Arrow table, of any type of Arrow's."""

    def read(self, start: int, stop: int) -> Mapping[str, Any]:
        source: Any = self._source
        return {name: source.list_cells(name, start, stop) for name in self.names}


class ArrowSlices(ArrowColumns):
    """Columns of an Arrow table as Arrow arrays, for a Parquet file. They keep their types, also where the first rows are empty."""

    def read(self, start: int, stop: int) -> Mapping[str, Any]:
        source: Any = self._source
        return {name: source.slice_column(name, start, stop) for name in self.names}


class CellColumns(SourceColumns):
    """Columns of a CSV file as numbers and texts. Numbers whose digits a number cannot hold, such as `007`, are texts."""

    def __init__(self, source: CsvSource, names: Sequence[str], separator: str) -> None:
        super().__init__(source, names, separator)
        self._texts = [name for name in source.find_inexact_columns() if name in names]
        source.expect_cells(self._texts)

    def read(self, start: int, stop: int) -> Mapping[str, Any]:
        source: Any = self._source
        numbers = super().read(start, stop)
        return {name: source.read_cells(name)[start:stop] if name in self._texts else numbers[name] for name in self.names}


class TextColumns(CopiedColumns):
    """Columns of a CSV file, as they are written in the file."""

    def __init__(self, source: CsvSource, separator: str) -> None:
        self.names, self.separator = tuple(source.columns), separator
        self._rows: Iterator[list[str]] = source.iterate_rows()

    def read(self, start: int, stop: int) -> Mapping[str, Any]:
        rows = list(islice(self._rows, stop - start))
        return dict(zip(self.names, zip(*rows, strict=True), strict=True))


def open_copied_columns(source: Source, ending: str) -> CopiedColumns:
    """Choose the columns to copy to a file with this ending."""
    # the cells of the data itself, not the numbers that stand for them
    if isinstance(source, EncodedSource):
        source = source.source
    # A `.csv` file is written like the data, such as with `;`. The tabs of a `.tsv` file belong to its ending.
    of_data = "," if isinstance(source, CsvSource) and source.is_tsv else getattr(source, "separator", ",")
    separator = "\t" if ending == ".tsv" else of_data
    match source:
        # from text to text, cells such as `007` and `1.50` stay as they are written
        case CsvSource() if ending in (".csv", ".tsv"):
            return TextColumns(source, separator)
        case CsvSource():
            return CellColumns(source, [name for name, column in source.columns.items() if column.is_readable], separator)
        case TableSource() if ending == ".parquet":
            return ArrowSlices(source, source.list_cell_columns(), separator)
        case TableSource():
            return ArrowColumns(source, source.list_cell_columns(), separator)
        case ImageFiles():
            return SourceColumns(source, [FILE], separator)
    return CopiedColumns()
