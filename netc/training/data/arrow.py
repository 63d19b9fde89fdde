"""Arrow tables: files saved by the `datasets` library are memory-mapped, Parquet is decoded into memory.

In: a path. Out: a `TableSource`. Always: a column holds numbers, texts, dates, lists of numbers with the same length in every row, or
images as `datasets` stores them. A missing number becomes NaN, a missing text None. pyarrow is imported only when such data is opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.types.tensor_types import TensorType

from .arrow_chunks import Chunks, Ragged, make_chunks
from .arrow_types import find_element_dtype, find_parquet_type, has_cells, is_picture
from .data_paths import check_folder, check_memory, check_regular_file, list_files, translate_os_errors
from .data_source import Array, DataError, Indices, TableColumn, name_columns
from .label_features import read_label_names
from .pictures import ImageDecoder, decode_images

SPLITS = "dataset_dict.json"
"""The file that lists the splits of a folder saved by `datasets`."""


class LazyColumns(Mapping[str, TableColumn]):
    """Columns by name, each described at its first use. Only the rows tell the shape of a list column, so describing one reads data."""

    def __init__(self, names: list[str], make: Callable[[str], TableColumn]) -> None:
        self._made: dict[str, TableColumn | None] = dict.fromkeys(names)
        self._make = make

    def __getitem__(self, name: str) -> TableColumn:
        column = self._made[name]
        if column is None:
            self._made[name] = column = self._make(name)
        return column

    def __contains__(self, name: object) -> bool:
        return name in self._made

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class TableSource:
    """An Arrow table. `load` returns a column as a ChunkedArray, which is converted to arrays at its first use. `describe_row` names a row
    in messages."""

    classes: tuple[str, ...] = ()

    def __init__(
        self,
        count: int,
        schema: Any,
        load: Callable[[str], Any],
        wanted: Mapping[str, TensorType],
        describe_row: Callable[[int], str] = "sample {}".format,
    ) -> None:
        self._count, self._load, self._wanted, self._describe_row = count, load, wanted, describe_row
        with translate_arrow_errors():
            self._types = dict(zip(name_columns(schema.names), schema.types, strict=True))
            self.class_names = read_label_names(schema.metadata)
            """By column, the names of the numbers that `datasets` calls a `ClassLabel`."""
        self._chunks: dict[str, Chunks] = {}
        self._images: dict[str, tuple[ImageDecoder, Any]] = {}
        self._cells: dict[str, Any] = {}
        self.columns = LazyColumns(list(self._types), self._describe_column)
        self.decodes = any(is_picture(type_) for name, type_ in self._types.items() if name in wanted)

    def __len__(self) -> int:
        return self._count

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        return {
            name: self._decode_images(name, indices) if is_picture(self._types[name]) else self._load_chunks(name)[indices]
            for name in names
        }

    def list_cell_columns(self) -> list[str]:
        """List the columns with one number, text or date in a cell."""
        import pyarrow as pa

        return [
            name for name, type_ in self._types.items() if not pa.types.is_nested(type_) and not isinstance(type_, pa.BaseExtensionType)
        ]

    def list_cells(self, name: str, start: int, stop: int) -> list[Any]:
        """Return the cells of a column as Python objects, None where one is missing. Raises `DataError`."""
        with translate_arrow_errors():
            cells: list[Any] = self._load_cells(name).slice(start, stop - start).to_pylist()
        return cells

    def slice_column(self, name: str, start: int, stop: int) -> Any:
        """Return cells of a column as an Arrow array, with a type that Parquet has. Raises `DataError`."""
        import pyarrow as pa

        if pa.types.is_interval(self._types[name]):
            return pa.array([None if cell is None else str(cell) for cell in self.list_cells(name, start, stop)], pa.string())
        with translate_arrow_errors():
            cells = self._load_cells(name).slice(start, stop - start)
            return cells.cast(find_parquet_type(cells.type))

    def _load_cells(self, name: str) -> Any:
        if name not in self._cells:
            self._cells[name] = self._load_column(name)
        return self._cells[name]

    def _describe_column(self, name: str) -> TableColumn:
        type_ = self._types[name]
        if is_picture(type_) and name in self._wanted:
            picture, column = self._load_images(name)
            return picture.describe_column(name, self._describe_row(0), column[0]["bytes"].as_py())
        if has_cells(type_):
            return TableColumn(name, (), None, str(type_), has_cells=True)
        element = find_element_dtype(type_)
        if element is None:
            return TableColumn(name, (), None, "images" if is_picture(type_) else str(type_))
        try:
            piece = self._load_chunks(name).pieces[0]
        except Ragged:
            return TableColumn(name, None, element)
        if piece.dtype.kind == "O":  # booleans, some of which are missing
            return TableColumn(name, piece.shape[1:], None, str(type_), has_cells=piece.ndim == 1)
        return TableColumn(name, piece.shape[1:], piece.dtype)

    def _load_chunks(self, name: str) -> Chunks:
        if name not in self._chunks:
            column = self._load_column(name)
            with translate_arrow_errors():
                self._chunks[name] = make_chunks(name, column)
        return self._chunks[name]

    def _load_images(self, name: str) -> tuple[ImageDecoder, Any]:
        if name not in self._images:
            self._images[name] = ImageDecoder.for_input(self._wanted[name]), self._load_column(name)
        return self._images[name]

    def _load_column(self, name: str) -> Any:
        """Return the column after a full validation."""
        with translate_arrow_errors():
            # The offsets of a damaged file may point anywhere, and pyarrow follows them without a check: `full` checks them.
            column = self._load(name)
            column.validate(full=True)
        if len(column) != self._count:
            raise DataError(f"it is damaged: `{name}` has {len(column)} rows, and there are {self._count}")
        return column

    def _decode_images(self, name: str, indices: Indices) -> Array:
        picture, column = self._load_images(name)
        return decode_images(picture, [(self._describe_row(int(i)), column[int(i)]["bytes"].as_py()) for i in indices])


@contextmanager
def translate_arrow_errors() -> Iterator[None]:
    """Turn the errors of pyarrow into `DataError`. A `ValueError` comes from names that are not UTF-8."""
    import pyarrow as pa

    try:
        with translate_os_errors():
            yield
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"it is damaged or has another format ({' '.join(str(error).split())[:200]})") from error


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise DataError("pyarrow is not installed", f"run `{format_install_command('pyarrow')}`") from None


def to_table(data: Any) -> Any:
    """Return the `pyarrow.Table` of an object of pyarrow: a table, a batch, a reader, a file or a dataset. Raises `DataError`."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    with translate_arrow_errors():
        for read in ("read_all", "to_table", "read"):
            if hasattr(data, read):
                return getattr(data, read)()
    raise DataError(f"a `{type(data).__name__}` has no table", "pass a `pyarrow.Table`")


def wrap_table(table: Any) -> TableSource:
    """Return a source for a `pyarrow.Table` of the caller."""
    return TableSource(len(table), table.schema, table.column, {})


# --- formats ---------------------------------------------------------------------------------------------------------------


def open_parquet(path: str, wanted: Mapping[str, TensorType]) -> TableSource:
    """Open a Parquet file, or all Parquet files of a folder in the order of their names. Needed columns are decoded into memory."""
    _require_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    files = list_files(path, (".parquet",))
    with translate_arrow_errors():
        opened = [parquet.ParquetFile(file, memory_map=True) for file in files]
        schema = _check_same_schema([file.schema_arrow for file in opened], files)

    def load_column(name: str) -> Any:
        # Before decoding: a compressed column of a few kilobytes may unpack to more than the machine has.
        check_memory(sum(_measure_column(file.metadata, name) for file in opened))
        return pa.concat_tables([file.read(columns=[name]) for file in opened]).column(name)

    return TableSource(sum(file.metadata.num_rows for file in opened), schema, load_column, wanted)


def _measure_column(metadata: Any, name: str) -> int:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema.split(".")[0] == name)


def open_hf(path: str, wanted: Mapping[str, TensorType], split: str | None = None) -> TableSource:
    """Open a folder written by `save_to_disk` of `datasets`, or Arrow files. The files are memory-mapped."""
    _require_pyarrow()
    import pyarrow as pa

    files = list_arrow_files(path, split)
    with translate_arrow_errors():
        tables = [_map_table(file) for file in files]
        schema = _check_same_schema([table.schema for table in tables], files)
        table = pa.concat_tables(tables)
    return TableSource(len(table), schema, table.column, wanted)


def list_arrow_files(path: str, split: str | None) -> list[str]:
    splits_file = os.path.join(path, SPLITS)
    if os.path.isfile(splits_file):
        splits = _read_json(splits_file).get("splits")
        known = [name for name in splits if isinstance(name, str)] if isinstance(splits, list) else []
        if split is None and len(known) == 1:
            split = known[0]
        if split not in known:
            choices = ", ".join(f"`{name}`" for name in known)
            why = f"it has no split `{split}`, but {choices}" if split else f"it has several splits: {choices}"
            raise DataError(why, f'say one: `split="{known[0]}"`' if known else "")
        path = os.path.join(path, str(split))
    elif split is not None:
        raise DataError("it has no splits, so `split` cannot choose one")
    state = os.path.join(path, "state.json")
    if not os.path.isfile(state):
        return list_files(path, (".arrow",))
    entries = _read_json(state).get("_data_files")
    # `state.json` may come from anywhere: a name such as `../../secret.arrow` must not lead out of the folder.
    names = [entry.get("filename") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if not names or not all(isinstance(name, str) and os.path.basename(name) == name for name in names):
        raise DataError("its `state.json` does not say what its files are")
    return [check_regular_file(os.path.join(path, str(name))) for name in names]


def _read_json(path: str) -> dict[str, Any]:
    check_folder(os.path.dirname(path) or ".")
    try:
        with translate_os_errors(), open(check_regular_file(path), encoding="utf-8") as file:
            content = json.load(file)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise DataError(f"its `{os.path.basename(path)}` is damaged")
    return content


def _map_table(path: str) -> Any:
    """Map the table of an Arrow file: the stream format, which `datasets` writes, or the file format."""
    import pyarrow as pa

    mapped = pa.memory_map(path)
    try:
        return pa.ipc.open_stream(mapped).read_all()
    except pa.ArrowInvalid:
        mapped.seek(0)
        return pa.ipc.open_file(mapped).read_all()


def _check_same_schema(schemas: list[Any], files: list[str]) -> Any:
    for schema, file in zip(schemas, files, strict=True):
        if not schema.equals(schemas[0]):
            raise DataError(f"its files differ in their columns: `{os.path.basename(file)}` and `{os.path.basename(files[0])}`")
    return schemas[0]
