"""Write CSV rows that every reader splits again as they were written.

>>> import io
>>> text = io.StringIO()
>>> make_csv_writer(text).writerows([["a\\rb", "c"], [1, 2]])
>>> text.getvalue()
'"a\\rb",c\\n1,2\\n'
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _csv import Writer


class _TextStream(Protocol):
    def write(self, text: str, /) -> object: ...


class _NewlineStream:
    """Ends each row with `\\n` where the writer ends it with `\\r\\n`."""

    def __init__(self, stream: _TextStream) -> None:
        self._stream = stream

    def write(self, row: str) -> object:
        return self._stream.write(row.removesuffix("\r\n") + "\n")


def make_csv_writer(stream: _TextStream, separator: str = ",") -> Writer:
    """Return a `csv.writer` whose rows end with `\\n`, and which quotes every cell with an end of a line in it."""
    # csv quotes only the characters of its own line terminator. With "\n", it would leave a bare "\r" in a cell, at which readers begin a
    # new row. It calls `write` once for each row.
    return csv.writer(_NewlineStream(stream), lineterminator="\r\n", delimiter=separator)
