"""Tables of Arrow: what `datasets` saves is mapped, Parquet is decoded into memory.

In: a path. Out: a `TableSource`. Always: numbers, and lists of numbers that are equally long in all rows, are columns; so are images as
`datasets` stores them. A missing number is NaN. pyarrow is imported here, when such data are opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.types.tensor_types import TensorType

from .data_paths import check_memory, files_of, folder, reading, regular_file
from .data_source import Array, Column, DataError, Indices
from .pictures import Picture, decoded

SPLITS = "dataset_dict.json"
"""The file by which a folder of `datasets` says that it has several splits."""


class Chunks:
    """One column in pieces, each an array `[rows, ...]`; the rows are counted through."""

    def __init__(self, pieces: list[Array], starts: Array) -> None:
        self.pieces, self.starts = pieces, starts

    def __getitem__(self, indices: Indices) -> Array:
        if len(self.pieces) == 1:
            return self.pieces[0][indices]
        found = np.empty((len(indices), *self.pieces[0].shape[1:]), self.pieces[0].dtype)
        owners = np.searchsorted(self.starts, indices, side="right") - 1
        for owner in np.unique(owners):
            here = owners == owner
            found[here] = self.pieces[owner][indices[here] - self.starts[owner]]
        return found


class LazyColumns(Mapping[str, Column]):
    """Columns by name, each made when it is asked for: the shape of a list is known from its rows alone."""

    def __init__(self, names: list[str], make: Callable[[str], Column]) -> None:
        self._made: dict[str, Column | None] = dict.fromkeys(names)
        self._make = make

    def __getitem__(self, name: str) -> Column:
        made = self._made[name]
        if made is None:
            self._made[name] = made = self._make(name)
        return made

    def __contains__(self, name: object) -> bool:
        return name in self._made

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class TableSource:
    """A table of Arrow. `load` gives a column as a ChunkedArray, which becomes arrays when it is first asked for."""

    classes: tuple[str, ...] = ()

    def __init__(self, count: int, schema: Any, load: Callable[[str], Any], wanted: Mapping[str, TensorType]) -> None:
        self._count, self._load, self._wanted = count, load, wanted
        with _arrow_errors():
            self._types = {field.name: field.type for field in schema}
        self._chunks: dict[str, Chunks] = {}
        self._images: dict[str, tuple[Picture, Any]] = {}
        self.columns = LazyColumns(list(self._types), self._column)
        self.decodes = any(_is_picture(type_) for name, type_ in self._types.items() if name in wanted)

    def __len__(self) -> int:
        return self._count

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        return {name: self._decoded(name, indices) if _is_picture(self._types[name]) else self._arrays(name)[indices] for name in names}

    def _column(self, name: str) -> Column:
        type_ = self._types[name]
        if _is_picture(type_) and name in self._wanted:
            picture, column = self._picture(name)
            return picture.column(name, "sample 0", column[0]["bytes"].as_py())
        element = _element(type_)
        if element is None:
            return Column(name, (), None, "images" if _is_picture(type_) else str(type_))
        try:
            piece = self._arrays(name).pieces[0]
        except Ragged:
            return Column(name, None, element)
        return Column(name, piece.shape[1:], piece.dtype)

    def _arrays(self, name: str) -> Chunks:
        if name not in self._chunks:
            column = self._valid(name)
            with _arrow_errors():
                self._chunks[name] = _chunks(name, column)
        return self._chunks[name]

    def _picture(self, name: str) -> tuple[Picture, Any]:
        if name not in self._images:
            self._images[name] = Picture.of(self._wanted[name]), self._valid(name)
        return self._images[name]

    def _valid(self, name: str) -> Any:
        """The column, after a check of its offsets, which lead anywhere in a damaged file."""
        with _arrow_errors():
            column = self._load(name)
            column.validate(full=True)
        if len(column) != self._count:
            raise DataError(f"it is damaged: `{name}` has {len(column)} rows, and there are {self._count}")
        return column

    def _decoded(self, name: str, indices: Indices) -> Array:
        picture, column = self._picture(name)
        return decoded(picture, [(f"sample {i}", column[int(i)]["bytes"].as_py()) for i in indices])


class Ragged(Exception):
    """Lists that differ in length."""


def _element(type_: Any) -> np.dtype[Any] | None:
    """NumPy's type of the numbers in lists of any depth, None if they are no numbers."""
    import pyarrow as pa

    while isinstance(type_, pa.BaseExtensionType):
        type_ = type_.storage_type
    if _is_list(type_):
        return _element(type_.value_type)
    if pa.types.is_boolean(type_):
        return np.dtype(bool)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        # Not `to_pandas_dtype()`, which needs pandas in older versions of pyarrow.
        found: np.dtype[Any] = pa.array([], type_).to_numpy(zero_copy_only=False).dtype
        return found
    return None


def _is_picture(type_: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(type_) and {type_.field(i).name for i in range(type_.num_fields)} == {"bytes", "path"}


def _chunks(name: str, column: Any) -> Chunks:
    if (missing := _first_missing(column)) is not None:
        raise DataError(f"sample {missing} of the column `{name}` is missing, where others are lists", "remove or fill such samples")
    pieces = [_array(chunk) for chunk in column.chunks if len(chunk)] or [np.zeros(0)]
    if len({piece.shape[1:] for piece in pieces}) > 1:
        raise Ragged
    common = np.result_type(*pieces)
    pieces = [piece.astype(common, copy=False) for piece in pieces]
    return Chunks(pieces, np.cumsum([0, *(len(piece) for piece in pieces[:-1])]))


def _first_missing(column: Any) -> int | None:
    """The first row that is no list among lists."""
    if not _is_list(column.type) or not column.null_count:
        return None
    return int(column.is_null().to_numpy().argmax())


def _is_list(type_: Any) -> bool:
    import pyarrow as pa

    while isinstance(type_, pa.BaseExtensionType):
        type_ = type_.storage_type
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def _array(chunk: Any) -> Array:
    """A chunk as an array `[rows, ...]`, without a copy where Arrow has the numbers one after the other."""
    import pyarrow as pa

    if isinstance(chunk, pa.ExtensionArray):
        return _array(chunk.storage)
    if not _is_list(chunk.type):
        found: Array = chunk.to_numpy(zero_copy_only=False)
        return found
    if chunk.null_count:
        raise DataError("some lists within its lists are missing", "remove or fill such samples")
    if pa.types.is_fixed_size_list(chunk.type):
        width = chunk.type.list_size
    else:
        lengths = np.unique(np.diff(chunk.offsets.to_numpy()))
        if len(lengths) > 1:
            raise Ragged
        width = int(lengths[0])
    inner = _array(chunk.flatten())
    return inner.reshape(len(chunk), width, *inner.shape[1:])


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """What pyarrow refuses becomes a `DataError`; names that are no UTF-8 too."""
    import pyarrow as pa

    try:
        with reading():
            yield
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"it is damaged or has another format ({' '.join(str(error).split())[:200]})") from error


def _needs_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise DataError("pyarrow is not installed", f"run `{format_install_command('pyarrow')}`") from None


# --- formats ---------------------------------------------------------------------------------------------------------------


def open_parquet(path: str, wanted: Mapping[str, TensorType]) -> TableSource:
    """A Parquet file, or all of a folder, in the order of their names. The columns that are needed are decoded into memory."""
    _needs_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    files = files_of(path, (".parquet",))
    with _arrow_errors():
        opened = [parquet.ParquetFile(file, memory_map=True) for file in files]
        schema = _one_schema([file.schema_arrow for file in opened], files)

    def load(name: str) -> Any:
        check_memory(sum(_size(file.metadata, name) for file in opened))
        return pa.concat_tables([file.read(columns=[name]) for file in opened]).column(name)

    return TableSource(sum(file.metadata.num_rows for file in opened), schema, load, wanted)


def _size(metadata: Any, name: str) -> int:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema.split(".")[0] == name)


def open_hf(path: str, wanted: Mapping[str, TensorType], split: str | None = None) -> TableSource:
    """A folder that `save_to_disk` of `datasets` has written, or files of Arrow. They are mapped."""
    _needs_pyarrow()
    import pyarrow as pa

    files = _arrow_files(path, split)
    with _arrow_errors():
        tables = [_mapped(file) for file in files]
        schema = _one_schema([table.schema for table in tables], files)
        table = pa.concat_tables(tables)
    return TableSource(len(table), schema, table.column, wanted)


def _arrow_files(path: str, split: str | None) -> list[str]:
    said = os.path.join(path, SPLITS)
    if os.path.isfile(said):
        splits = _read_json(said).get("splits")
        known = [name for name in splits if isinstance(name, str)] if isinstance(splits, list) else []
        if split is None and len(known) == 1:
            split = known[0]
        if split not in known:
            shown = ", ".join(f"`{name}`" for name in known)
            why = f"it has no split `{split}`, but {shown}" if split else f"it has several splits: {shown}"
            raise DataError(why, f'say one: `split="{known[0]}"`' if known else "")
        path = os.path.join(path, str(split))
    elif split is not None:
        raise DataError("it has no splits, so `split` cannot choose one")
    state = os.path.join(path, "state.json")
    if not os.path.isfile(state):
        return files_of(path, (".arrow",))
    listed = _read_json(state).get("_data_files")
    names = [entry.get("filename") for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    if not names or not all(isinstance(name, str) and os.path.basename(name) == name for name in names):
        raise DataError("its `state.json` does not say what its files are")
    return [regular_file(os.path.join(path, str(name))) for name in names]


def _read_json(path: str) -> dict[str, Any]:
    folder(os.path.dirname(path) or ".")
    try:
        with reading(), open(regular_file(path), encoding="utf-8") as file:
            found = json.load(file)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError(f"its `{os.path.basename(path)}` is damaged")
    return found


def _mapped(path: str) -> Any:
    """The table of a file of Arrow, in either of its formats."""
    import pyarrow as pa

    mapped = pa.memory_map(path)
    try:
        return pa.ipc.open_stream(mapped).read_all()
    except pa.ArrowInvalid:
        mapped.seek(0)
        return pa.ipc.open_file(mapped).read_all()


def _one_schema(schemas: list[Any], files: list[str]) -> Any:
    for schema, file in zip(schemas, files, strict=True):
        if not schema.equals(schemas[0]):
            raise DataError(f"its files differ in their columns: `{os.path.basename(file)}` and `{os.path.basename(files[0])}`")
    return schemas[0]
