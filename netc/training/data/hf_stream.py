"""Data sets that the `datasets` library streams: files, and data sets of the Hugging Face hub, which are never downloaded as a whole.

In: files, a folder, a pattern, or the name of a data set such as `allenai/c4`. Out: a `StreamedSource`, whose shards are the files.
Always: `datasets` finds and reads the files. netc orders the samples itself, because a shuffled `IterableDataset` loses the samples of its
buffer when it is resumed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record, replace

from .arrow import SPLITS, TableSource, list_arrow_files, translate_arrow_errors
from .arrow_chunks import Ragged
from .data_source import Array, DataError, TableColumn
from .label_features import find_label_names
from .shard_files import INTERLEAVE, WINDOW, list_shards
from .shard_layout import ShardLayout
from .stream_packages import import_stream_package
from .streamed_source import Shard, StreamedSource

_BUILDERS = {".parquet": "parquet", ".arrow": "arrow", ".jsonl": "json", ".json": "json", ".csv": "csv"}
"""The reader of `datasets` for the ending of a file."""
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_NUMBERED = re.compile(r"shard \d+")
_ROWS_AT_ONCE = 1000
_CONNECTIONS = 16
"""The number of files whose sizes are asked for at the same time."""


def names_hub(path: str, file: str, options: Mapping[str, Any]) -> bool:
    """Whether a path is the name of a data set on the hub, and `file`, which it would be in the folder of a spec, is not there."""
    return bool(options.get("streaming")) and _HUB_NAME.fullmatch(path) is not None and not os.path.exists(file)


def list_hf_files(path: str) -> list[str]:
    """List the files of a pattern, or return a file or folder itself. Raises `DataError`."""
    return [path] if os.path.exists(path) else list_shards(path, tuple(_BUILDERS))


def open_hf_stream(
    path: str, wanted: Mapping[str, TensorType], split: str | None = None, shuffle: int = WINDOW, interleave: int = INTERLEAVE
) -> StreamedSource[Any]:
    """Open a stream: find its files, count their samples, and read the first ones. Raises `DataError`."""
    import_stream_package("datasets")
    with _translate_datasets_errors():
        builder, split = _make_builder(path, split)
        dataset = _open_dataset(builder, split)
        files = [str(file) for file in builder.config.data_files[split]]
        if dataset.num_shards != len(files):  # a builder with shards of its own
            files = [f"shard {number}" for number in range(dataset.num_shards)]  # as `_NUMBERED`
        reader = _ShardReading(dataset, {file: number for number, file in enumerate(files)})
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            counts = list(pool.map(_choose_counter(builder.name, reader), files))
    names = [os.path.basename(file) for file in files]
    empty = next((name for name, count in zip(names, counts, strict=True) if not count), None)
    if empty is not None:
        raise DataError(f"there are no samples in `{empty}`", "remove this shard, or write it again")
    sizes = [os.path.getsize(file) if os.path.isfile(file) else 0 for file in files]
    shards = [Shard(*entry) for entry in zip(names, files, sizes, counts, strict=True)]
    first = _tabulate(next(reader.iterate_tables(files[0])), wanted, lambda row: f"sample {row} of `{shards[0].name}`")
    columns = {name: replace(first.columns[name], has_cells=False) for name in first.columns}
    conversion = TableConversion(columns, dict(wanted))
    layout = ShardLayout(tuple(counts), shuffle, interleave)
    labels = find_label_names(dataset.features)
    return StreamedSource(shards, layout, columns, reader.read_rows, conversion.convert_rows, labels)


class TableConversion(Record):
    """How rows become arrays: `columns` describes them by the first rows of the stream."""

    columns: dict[str, TableColumn]
    wanted: dict[str, TensorType]

    def convert_rows(self, names: tuple[str, ...], rows: Sequence[tuple[str, Any]]) -> dict[str, Array]:
        """Return the arrays of these columns for tables of one row each. Raises `DataError` if they differ from the first rows."""
        import pyarrow as pa

        with translate_arrow_errors():
            table = pa.concat_tables([row for _, row in rows], promote_options="permissive").combine_chunks()
        source = _tabulate(table, self.wanted, lambda row: rows[row][0])
        return {name: self._check_array(name, source, rows) for name in names}

    def _check_array(self, name: str, source: TableSource, rows: Sequence[tuple[str, Any]]) -> Array:
        expected = self.columns[name]
        where = f"`{name}` of {rows[0][0]}" if len(rows) == 1 else f"`{name}` of one of the {len(rows)} samples from {rows[0][0]} on"
        try:
            array = source.read((name,), np.arange(len(rows)))[name]
        except Ragged:
            raise DataError(f"{where} has another shape than the others", "give all samples one shape") from None
        if array.shape[1:] != expected.shape:
            shapes = f"{list(array.shape[1:])}, and in the first sample {list(expected.shape or ())}"
            raise DataError(f"{where} has the shape {shapes}", "give all samples one shape")
        if expected.dtype is None or not np.can_cast(array.dtype, expected.dtype):
            raise DataError(f"{where} is {array.dtype}, and {expected.dtype} in the first samples", "a missing integer is NaN, a float")
        return array.astype(expected.dtype, copy=False)


class _ShardReading(Record):
    """A streamed data set, and the number of each of its shards."""

    dataset: Any
    numbers: dict[str, int]

    def iterate_tables(self, file: str) -> Iterator[Any]:
        """Yield the rows of a shard as Arrow tables."""
        shard = self.dataset.shard(len(self.numbers), self.numbers[file])
        yield from shard.with_format("arrow").iter(batch_size=_ROWS_AT_ONCE)

    def read_rows(self, shard: Shard, start: int) -> Iterator[Any]:
        """Yield the rows of a shard from a number on, as tables of one row. Raises `DataError`."""
        with _translate_datasets_errors(shard.name):
            for table in self.iterate_tables(shard.path):
                yield from (table.slice(row, 1) for row in range(start, len(table)))
                start = max(0, start - len(table))

    def count_rows(self, file: str) -> int:
        """Count the rows of a shard by reading it."""
        return sum(map(len, self.iterate_tables(file)))


def _tabulate(table: Any, wanted: Mapping[str, TensorType], describe: Callable[[int], str]) -> TableSource:
    return TableSource(len(table), table.schema, table.column, wanted, describe)


def _choose_counter(builder: str, reader: _ShardReading) -> Callable[[str], int]:
    """Choose how the samples of a shard are counted: by the footer of a Parquet file, otherwise in a pass over the shard."""
    is_file = builder == "parquet" and not any(_NUMBERED.fullmatch(file) for file in reader.numbers)
    return _count_parquet_rows if is_file else reader.count_rows


def _count_parquet_rows(file: str) -> int:
    fsspec = import_stream_package("fsspec")
    from pyarrow import parquet

    with fsspec.open(file, "rb") as opened:
        rows: int = parquet.ParquetFile(opened).metadata.num_rows
    return rows


def _make_builder(path: str, split: str | None) -> tuple[Any, str]:
    """Return the reader of `datasets` for a path, and the split to read. Raises `DataError`."""
    datasets = import_stream_package("datasets")
    if os.path.isdir(path) and any(os.path.isfile(os.path.join(path, name)) for name in (SPLITS, "state.json")):
        return datasets.load_dataset_builder("arrow", data_files={"train": list_arrow_files(path, split)}), "train"
    if os.path.isdir(path) or (_HUB_NAME.fullmatch(path) and not os.path.exists(path)):
        builder = datasets.load_dataset_builder(path)
        split = _choose_split(list(builder.config.data_files or ()), split)
        if os.path.isdir(path):
            _check_inside(path, [str(file) for file in builder.config.data_files[split]])
        return builder, split
    if split is not None:
        raise DataError("it has no splits, so `split` cannot choose one")
    files = list_shards(path, tuple(_BUILDERS))
    endings = {os.path.splitext(file)[1].lower() for file in files}
    name = _BUILDERS.get(endings.pop()) if len(endings) == 1 else None
    if name is None:
        raise DataError("its files have no ending that can be streamed", f"the endings are {', '.join(_BUILDERS)}, one for all files")
    return datasets.load_dataset_builder(name, data_files={"train": files}), "train"


def _open_dataset(builder: Any, split: str) -> Any:
    """Open a split. Raises `DataError` if it has no samples."""
    try:
        return builder.as_streaming_dataset(split=split)
    except StopIteration:  # the reader of JSON takes the columns from the first rows
        raise DataError("there are no samples in it", "write the file again, or give another one") from None


def _choose_split(known: list[str], split: str | None) -> str:
    if split is None and len(known) == 1:
        return known[0]
    if split in known:
        return str(split)
    choices = ", ".join(f"`{name}`" for name in known)
    why = f"it has no split `{split}`, but {choices}" if split else f"it has several splits: {choices}"
    raise DataError(why, f'say one: `split="{known[0]}"`' if known else "")


def _check_inside(folder: str, files: Sequence[str]) -> None:
    """Check that the files of a folder are in it: its `README.md` may name others."""
    root = os.path.join(os.path.realpath(folder), "")
    outside = next((file for file in files if not os.path.realpath(file).startswith(root)), None)
    if outside is not None:
        raise DataError(f"its `README.md` leads to `{outside}`, outside of the folder")


@contextmanager
def _translate_datasets_errors(name: str = "") -> Iterator[None]:
    """Turn the errors of `datasets` into `DataError`."""
    try:
        with translate_arrow_errors():
            yield
    except DataError as error:
        raise DataError(f"`{name}`: {error}" if name else str(error), error.remedy) from error
