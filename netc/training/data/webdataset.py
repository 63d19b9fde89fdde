"""Shards of WebDataset: tar files, in which consecutive files of one name are a sample, and their endings are its columns.

In: a pattern such as `shards-{000..999}.tar`. Out: a `StreamedSource`. Always: the package `webdataset` reads the tar files and groups
their members into samples. netc decodes the members itself, because the package would also unpickle some, which runs code.

For example, the members `7.jpg`, `7.cls`, `8.jpg`, `8.cls` are two samples with the columns `jpg` and `cls`.
"""

from __future__ import annotations

import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record

from .data_paths import translate_os_errors
from .data_source import Array, DataError, TableColumn
from .pictures import ImageDecoder, Size, require_pillow
from .shard_files import INTERLEAVE, WINDOW, list_shards
from .shard_layout import ShardLayout
from .stream_packages import import_stream_package
from .streamed_source import Shard, StreamedSource
from .tar_members import MemberDecoder, describe_member, is_image

ENDINGS = (".tar", ".tar.gz", ".tgz")
_METADATA = re.compile(r"__[^/]*__($|/)")
"""The members that `webdataset` skips."""
_BYTES_AT_ONCE = 2**20
Sample = Mapping[str, Any]
"""The contents of the members by ending, and the sample's name, `__key__`."""


class MemberReader(Record):
    """How samples become arrays: a decoder for each column."""

    decoders: dict[str, MemberDecoder]

    def convert_samples(self, names: tuple[str, ...], samples: Sequence[tuple[str, Sample]]) -> dict[str, Array]:
        """Return the arrays of these columns. Raises `DataError`."""
        return {name: self.decoders[name]([_select_member(sample, name, where) for where, sample in samples]) for name in names}


def list_tar_files(path: str) -> list[str]:
    """List the shards of a path or pattern. Raises `DataError`."""
    return list_shards(path, ENDINGS)


def open_webdataset(
    path: str, wanted: Mapping[str, TensorType], shuffle: int = WINDOW, interleave: int = INTERLEAVE, size: Size = None
) -> StreamedSource[Sample]:
    """Count the samples of the shards, and describe the columns by the first sample. Raises `DataError`."""
    import_stream_package("webdataset")
    paths = list_tar_files(path)
    shards = [Shard(os.path.basename(file), file, os.path.getsize(file), _count_samples(file)) for file in paths]
    empty = next((shard for shard in shards if not shard.samples), None)
    if empty is not None:
        raise DataError(f"there are no samples in `{empty.name}`", "remove this shard, or write it again")
    first = next(read_tar_file(shards[0], 0))
    where = f"sample 0 of `{shards[0].name}`"
    columns: dict[str, TableColumn] = {}
    decoders: dict[str, MemberDecoder] = {}
    for name, content in first.items():
        if not isinstance(content, bytes):
            continue
        picture = None
        if is_image(name) and name in wanted:
            require_pillow()
            picture = ImageDecoder.for_input(wanted[name], size)
        dtype = wanted[name].dtype if name in wanted else None
        columns[name], decoders[name] = describe_member(name, content, where, picture, dtype)
    layout = ShardLayout(tuple(shard.samples for shard in shards), shuffle, interleave)
    return StreamedSource(shards, layout, columns, read_tar_file, MemberReader(decoders).convert_samples)


def read_tar_file(shard: Shard, start: int) -> Iterator[Sample]:
    """Read the samples of a tar file, beginning with the sample of this number. Raises `DataError`."""
    readers = import_stream_package("webdataset.tariterators")
    with _translate_tar_errors(shard.name), open(shard.path, "rb") as file:
        members = ({**member, "__url__": shard.path} for member in readers.tar_file_iterator(file))
        for number, sample in enumerate(readers.group_by_keys(members)):
            if number >= start:
                yield sample


def _count_samples(path: str) -> int:
    """Count the samples of a tar file by its headers."""
    readers = import_stream_package("webdataset.tariterators")
    with _translate_tar_errors(os.path.basename(path)), tarfile.open(path) as archive:
        return sum(1 for _ in readers.group_by_keys(_iterate_headers(archive, path)))


def _iterate_headers(archive: tarfile.TarFile, path: str) -> Iterator[dict[str, Any]]:
    """Yield the names of the members that `webdataset` reads, without their contents. Raises `DataError` if the end is missing."""
    for member in archive:
        if member.isreg() and not _METADATA.match(member.name):
            yield {"fname": member.name, "data": b"", "__url__": path}
        archive.members = []  # type: ignore[attr-defined]  # which would grow by a kilobyte for each member
    _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    """Check that an archive ends with a block of zeros, which `tarfile` does not: it takes a header that is cut or damaged for the end.
    Raises `TarError`, `EOFError` if the end of the compressed data is missing, and `DataError` for a second archive, which nobody would
    read."""
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    end = archive.fileobj.read(tarfile.BLOCKSIZE)
    if len(end) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("unexpected end of data")
    if any(end):
        raise tarfile.ReadError(f"no header of a member at byte {archive.offset}")
    while rest := archive.fileobj.read(_BYTES_AT_ONCE):  # at the end, this checks the sum of compressed data
        if rest.strip(b"\0"):
            raise DataError("it has data after the end of the archive", "give tar files that were joined one by one, as several shards")


@contextmanager
def _translate_tar_errors(name: str) -> Iterator[None]:
    """Turn the errors of reading a tar file into `DataError`."""
    try:
        with translate_os_errors():
            yield
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        problem = "is truncated" if "unexpected end" in why or isinstance(error, EOFError) else f"is damaged or has another format ({why})"
        raise DataError(f"`{name}` {problem}", "copy or download it again") from error
    except DataError as error:
        raise DataError(f"`{name}`: {error}", error.remedy) from error


def _select_member(sample: Sample, name: str, where: str) -> tuple[str, bytes]:
    """Return a member of a sample, after its description. Raises `DataError`."""
    content = sample.get(name)
    where = f"{where} (`{sample['__key__']}`)"
    if not isinstance(content, bytes):
        others = ", ".join(f"`{key}`" for key in sample if not key.startswith("__"))
        raise DataError(f"{where} has no `{name}`, but {others}", "every sample needs a member of this name")
    return where, content
