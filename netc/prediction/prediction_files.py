"""Write predictions to a file as they are computed: CSV, JSON, Parquet or NumPy arrays.

In: batches of predictions, and the columns of the data to copy. Out: a stream with one row for each sample, in the order of the data.
Always: only one batch is in memory; in a CSV, the cells of a CSV file are copied as they are written, so that `007` and `1.50` stay.

A JSON file is a list of records. An `.npz` file has the predicted columns and the raw outputs as arrays, which may have any
shape, such as a class for each pixel.

    >>> list_json([1.5, float("nan"), True])
    [1.5, None, True]
    >>> get_ending("predictions.CSV")
    '.csv'
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from zipfile import ZipFile

import numpy as np

from netc.compiler.errors.optional_packages import format_install_command

from ..files.array_files import make_member_name
from ..files.atomic_writing import STANDARD_OUTPUT, is_stream, name_path_in_errors, write_files
from ..files.csv_writing import make_csv_writer
from ..training.data.data_source import Array
from .copied_columns import CopiedColumns
from .predictions import Predictions, format_cell

Batches = Iterable[tuple[Predictions, Mapping[str, Any]]]
"""Predictions, each with the copied columns of the same samples."""

Writer = Callable[[IO[bytes], Batches, CopiedColumns], None]

_ROWS_PER_GROUP = 1 << 16
"""Rows of a Parquet file that are written together."""


class MissingPackage(Exception):
    """A package that a file format needs is not installed. The text says how to install it."""


def get_ending(path: str) -> str:
    """Return the ending of a path that says the format, in lower case."""
    return os.path.splitext(path)[1].lower()


def write_predictions(path: str, batches: Iterable[Predictions], copied: CopiedColumns, ending: str = ".csv") -> None:
    """Write all batches. `-` is standard output. Raises `NoTable` for results with several numbers in a cell of a table."""
    write = WRITERS[ending]
    rows = _add_copied_columns(batches, copied)
    if path == STANDARD_OUTPUT:
        import sys

        # `sys.stdout.buffer` knows nothing of texts that still wait in `sys.stdout`
        sys.stdout.flush()
        write(sys.stdout.buffer, rows, copied)
        sys.stdout.buffer.flush()
    # a pipe or a device cannot be replaced by a complete file, so it is written to directly
    elif is_stream(path):
        with name_path_in_errors(path), open(path, "wb") as stream:
            write(stream, rows, copied)
    else:
        write_files(path, lambda temporary: _write_file(temporary, write, rows, copied))


def _write_file(path: str, write: Writer, rows: Batches, copied: CopiedColumns) -> None:
    with open(path, "wb") as stream:
        write(stream, rows, copied)


def _add_copied_columns(batches: Iterable[Predictions], copied: CopiedColumns) -> Batches:
    start = 0
    for batch in batches:
        yield batch, copied.read(start, start + len(batch))
        start += len(batch)


def _rename_columns(columns: Mapping[str, Array], copied: Sequence[str]) -> dict[str, Array]:
    """Give a predicted column another name if the data has a column of that name."""
    renamed: dict[str, Array] = {}
    for name, array in columns.items():
        unique = name
        while unique in copied or unique in renamed:
            unique += "_new"
        renamed[unique] = array
    return renamed


def _write_csv(stream: IO[bytes], batches: Batches, copied: CopiedColumns) -> None:
    header = True
    for batch, cells in batches:
        columns = _rename_columns(batch.columns, copied.names)
        batch.check_table()
        text = io.StringIO()
        writer = make_csv_writer(text, copied.separator)
        if header:
            writer.writerow([*copied.names, *columns])
            header = False
        predicted = ([format_cell(name, cell) for cell in array] for name, array in columns.items())
        writer.writerows(zip(*(map(_format_copied, cells[name]) for name in copied.names), *predicted, strict=True))
        # the name of a file that is not UTF-8 gets its own bytes again
        stream.write(text.getvalue().encode("utf-8", "surrogateescape"))


def _format_copied(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _write_json(stream: IO[bytes], batches: Batches, copied: CopiedColumns) -> None:
    separator = "[\n"
    for batch, cells in batches:
        columns = _rename_columns(batch.columns, copied.names)
        lists = [list_json(values) for values in (*(cells[name] for name in copied.names), *columns.values())]
        names = (*copied.names, *columns)
        lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in zip(*lists, strict=True)]
        # the bytes of a name that is not UTF-8 become escapes such as `\udcff`, which JSON allows
        stream.write((separator + ",\n".join(lines)).encode("utf-8", "backslashreplace"))
        separator = ",\n"
    stream.write(b"\n]\n")


def list_json(values: Any) -> list[Any]:
    """Convert values for JSON, which has neither NaN nor infinite numbers: they become null. Dates become texts."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "V":  # bfloat16, which is none of NumPy's own types
        values = values.astype(np.float32)
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        is_finite = np.isfinite(values)
        plain = values if is_finite.all() else np.where(is_finite, values.astype(object), np.array(None, object))
        result: list[Any] = plain.tolist()
        return result
    if isinstance(values, np.ndarray) and values.ndim > 1:  # a class name for each pixel
        return [list_json(value) for value in values]
    return [_to_json(value) for value in values]


def _to_json(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _write_parquet(stream: IO[bytes], batches: Batches, copied: CopiedColumns) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingPackage(f"pyarrow is not installed: run `{format_install_command('pyarrow')}`") from None
    writer: Any = None
    pending: list[Any] = []
    for batch, cells in batches:
        batch.check_table()
        columns = {name: cells[name] for name in copied.names} | _rename_columns(batch.columns, copied.names)
        if writer is None:
            # The types of the first batch hold for all. A column may be empty there: the classes of samples with NaN.
            fields = pa.table({name: _to_arrow(values) for name, values in columns.items()}).schema
            empty = {field.name: pa.int64() if field.name in batch.numbered else pa.string() for field in fields}
            schema = pa.schema([(f.name, empty[f.name] if pa.types.is_null(f.type) else f.type) for f in fields])
            writer = parquet.ParquetWriter(stream, schema)
        pending.append(pa.table({name: _to_arrow(values, schema.field(name).type) for name, values in columns.items()}, schema=schema))
        # A row group for each batch would be larger than its numbers, and slow to read.
        if sum(map(len, pending)) >= _ROWS_PER_GROUP:
            writer.write_table(pa.concat_tables(pending))
            pending = []
    if pending:
        writer.write_table(pa.concat_tables(pending))
    # there is a writer, because data without samples is refused when it is opened
    writer.close()


def _to_arrow(values: Any, type: Any = None) -> Any:
    import pyarrow as pa

    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind == "O":
        values = values.tolist()
    # `from_pandas` makes NaN an empty cell
    return pa.array(values, type, from_pandas=True) if isinstance(values, np.ndarray) else pa.array(values, type)


def _write_npz(stream: IO[bytes], batches: Batches, copied: CopiedColumns) -> None:
    """Write the predicted columns and the raw outputs. Each array grows in a file of its own, and the archive is made of these."""
    with TemporaryDirectory(prefix="netc-") as folder:
        files: dict[str, _GrowingArray] = {}
        for batch, _ in batches:
            for name, array in {**batch.outputs, **batch.columns}.items():
                if name not in files:
                    files[name] = _GrowingArray(Path(folder, str(len(files))))
                # NumPy's files have no bfloat16.
                files[name].append(array.astype(np.float32) if array.dtype.kind == "V" else array)
        with ZipFile(stream, "w") as archive:
            for name, file in files.items():
                # the size is not known before writing, and without zip64 an array of 2 GiB would fail
                with archive.open(f"{make_member_name(name)}.npy", "w", force_zip64=True) as member:
                    file.copy_to(member)


class _GrowingArray:
    """An array on the disk, to which batches are appended. Texts are kept in memory, because their width is known at the end only. Class
    numbers become texts if a class is missing, which is the empty text."""

    def __init__(self, path: Path) -> None:
        self._path, self._count = path, 0
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] = np.dtype(float)
        self._texts: list[str] = []

    def append(self, array: Array) -> None:
        if array.dtype.kind == "O" and self._count and self._dtype.kind != "O":
            self._texts = list(map(str, np.fromfile(self._path, self._dtype)))
        self._dtype = array.dtype if self._dtype.kind != "O" else self._dtype
        if self._dtype.kind == "O":
            self._texts.extend("" if cell is None else str(cell) for cell in array.ravel())
        else:
            with self._path.open("ab") as file:
                file.write(np.ascontiguousarray(array).tobytes())
        self._count += len(array)
        self._shape = array.shape[1:]

    def copy_to(self, member: IO[bytes]) -> None:
        shape = (self._count, *self._shape)
        if self._dtype.kind == "O":
            np.lib.format.write_array(member, np.array(self._texts, str).reshape(shape), allow_pickle=False)
            return
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(member, header)
        with self._path.open("rb") as file:
            while piece := file.read(1 << 20):
                member.write(piece)


WRITERS: dict[str, Writer] = {
    ".csv": _write_csv,
    ".tsv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
    ".npz": _write_npz,
}
"""How a file with each ending is written."""
NO_TABLE_ENDINGS = (".npz", ".json")
"""The formats that take results with several numbers for one sample and column."""
