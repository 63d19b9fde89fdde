"""Reads NumPy's `.npy` and `.npz` files from any source, trusting neither their headers nor their members.

In: a path or a binary stream. Out: headers, arrays, or arrays mapped from the file. Always: headers are read first, and arrays only if
they match the headers. Damaged content raises `UnfitArrayFile`, whose text is a clause. Memory is taken in proportion to the sizes in the
headers, which may be no larger than the file or its member. No pickle is read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "data.npz")
    ...     np.savez(path, x=np.zeros((2, 3), dtype=np.float32))
    ...     read_npz_headers(path)["x"]
    ArrayHeader(shape=(2, 3), dtype=dtype('float32'), is_fortran=False)
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from netc.dsl.record import Record

from ..types.numpy_types import Array, NumpyType

_ENDING = ".npy"
_LENGTH = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
"""The bytes of the header's length in each version of the format."""
_LONGEST_HEADER = 10_000
"""In bytes. This is NumPy's own limit, applied before the header is read rather than after."""
_ENCRYPTED = 1
_LOCAL_HEADER, _LENGTHS_AT = 30, 26
"""The bytes of a member's local header in a zip file before its name, and where the lengths of the name and of the extra field are in
it."""
_CODE = "it holds Python objects, and reading them could run code"


class UnfitArrayFile(ValueError):
    """Content that is no array of numbers."""


class ArrayHeader(Record):
    """The header of a `.npy` file, before the elements."""

    shape: tuple[int, ...]
    dtype: NumpyType
    is_fortran: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether the elements are numbers or booleans, not texts, dates or records."""
        return self.dtype.kind in "biufcV" and not self.dtype.fields and not self.dtype.subdtype


class StoredArray(Record):
    """An array that has not been read. `read` maps it from the file if it is stored uncompressed, and unpacks it otherwise."""

    header: ArrayHeader
    size: int
    read: Callable[[], Array]
    packed: bool = False


def map_npy(path: str | Path) -> Array:
    """Map the array in a `.npy` file into memory."""
    with _with_clause_errors(), open(path, "rb") as file:
        header, begin = _read_header(file, Path(path).stat().st_size)
        return _map_array(path, header, begin)


def open_npz(path: str | Path) -> dict[str, StoredArray]:
    """Open the arrays of a `.npz` file by name without reading them. Reading one may raise `UnfitArrayFile` too."""
    columns = open_columns(path)
    for stored in columns.values():
        _refuse_text(stored.header)
    return columns


def open_columns(path: str | Path) -> dict[str, StoredArray]:
    """Open the arrays of a `.npz` file, some of which may have elements that are no numbers. Those cannot be read."""
    with _with_clause_errors(), _open_archive(path) as archive:
        return {name: _stored_as(name, path, archive, info) for name, info in _list_members(archive).items()}


def read_npy(path: str | Path) -> Array:
    """Read the array in a `.npy` file."""
    with _with_clause_errors(), open(path, "rb") as file:
        # A pickle begins with \x80, and an archive with PK: both are common mistakes, worth a message of their own.
        begin = file.read(2)
        if begin == b"PK":
            raise UnfitArrayFile("it is an archive of several arrays")
        if begin[:1] == b"\x80":
            raise UnfitArrayFile(_CODE)
        return _read_array(file, Path(path).stat().st_size)


def read_npz_headers(path: str | Path) -> dict[str, ArrayHeader]:
    """Read the headers of all arrays in a `.npz` file, by name."""
    with _with_clause_errors(), _open_archive(path) as archive:
        return {name: _member_header(archive, info) for name, info in _list_members(archive).items()}


def read_npz(path: str | Path) -> dict[str, Array]:
    """Read all arrays in a `.npz` file, by name."""
    with _with_clause_errors(), _open_archive(path) as archive:
        return {name: _read_member(archive, info) for name, info in _list_members(archive).items()}


@contextmanager
def _with_clause_errors() -> Iterator[None]:
    """Raise `UnfitArrayFile` in place of the many exceptions that NumPy, zipfile and the parser of headers raise for damaged content."""
    try:
        yield
    except (OSError, UnfitArrayFile):
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UnfitArrayFile(f"it is damaged or has another format ({' '.join(str(error).split())[:200]})") from error
    except MemoryError as error:
        raise UnfitArrayFile("it needs more memory than there is") from error
    except Exception as error:
        raise UnfitArrayFile("it is damaged or has another format") from error


@contextmanager
def _open_archive(path: str | Path) -> Iterator[zipfile.ZipFile]:
    with open(path, "rb") as file:
        if file.read(1) == b"\x80":
            raise UnfitArrayFile(_CODE)
        with zipfile.ZipFile(file) as archive:
            yield archive


def _list_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(_ENDING)
        # zipfile would silently return the last of two members with one name.
        if name in members:
            raise UnfitArrayFile(f"it has two arrays called `{name}`")
        if info.is_dir() or name == info.filename:
            raise UnfitArrayFile(f"`{info.filename}` in it is no array")
        if info.flag_bits & _ENCRYPTED:
            raise UnfitArrayFile("it is encrypted")
        members[name] = info
    return members


def _member_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> ArrayHeader:
    with archive.open(info) as stream:
        return _read_header(stream, info.file_size)[0]


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as stream:
        return _read_array(stream, info.file_size)


def _stored_as(name: str, path: str | Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    try:
        return _stored_member(path, archive, info)
    except UnfitArrayFile as error:
        raise UnfitArrayFile(f"`{name}`: {error}") from error


def _stored_member(path: str | Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    with archive.open(info) as stream:
        header, begin = _any_header(stream, info.file_size)

    def unpacked() -> Array:
        with _with_clause_errors(), _open_archive(path) as archive:
            return _read_member(archive, info)

    if info.compress_type != zipfile.ZIP_STORED:
        return StoredArray(header, info.file_size, unpacked, packed=True)
    with open(path, "rb") as file:
        # The central directory does not say how long the local header is: its extra field may differ.
        file.seek(info.header_offset + _LENGTHS_AT)
        name, extra = struct.unpack("<HH", file.read(4))
    offset = info.header_offset + _LOCAL_HEADER + name + extra + begin

    def mapped() -> Array:
        with _with_clause_errors():
            return _map_array(path, header, offset)

    return StoredArray(header, info.file_size, mapped)


def _map_array(path: str | Path, header: ArrayHeader, begin: int) -> Array:
    # `mmap` refuses empty mappings.
    if not prod(header.shape):
        return np.zeros(header.shape, header.dtype)
    return np.memmap(path, header.dtype, "r", begin, header.shape, "F" if header.is_fortran else "C")


def _read_array(stream: IO[bytes], size: int) -> Array:
    _read_header(stream, size)
    stream.seek(0)
    array: Any = np.lib.format.read_array(stream, allow_pickle=False)
    return np.asarray(array)


def _read_header(stream: IO[bytes], size: int) -> tuple[ArrayHeader, int]:
    """Read the header of a `.npy` of numbers with `size` bytes. Return it with the position of the first element."""
    header, begin = _any_header(stream, size)
    _refuse_text(header)
    return header, begin


def _refuse_text(header: ArrayHeader) -> None:
    if not header.is_numeric:
        raise UnfitArrayFile("its elements are not numbers")


def _any_header(stream: IO[bytes], size: int) -> tuple[ArrayHeader, int]:
    stream.seek(0)
    version = np.lib.format.read_magic(stream)
    if version not in _LENGTH:
        raise UnfitArrayFile(f"the version {version[0]}.{version[1]} of its format is not known")
    length = stream.read(_LENGTH[version])
    count = int.from_bytes(length, "little")
    if count > _LONGEST_HEADER:
        raise UnfitArrayFile(f"its header is longer than {_LONGEST_HEADER} bytes")
    text = BytesIO(length + stream.read(count))
    # Version 3 is version 2 in UTF-8, which only names of fields need.
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(text)
    if dtype.hasobject:
        raise UnfitArrayFile(_CODE)
    if any(d < 0 for d in shape):
        raise UnfitArrayFile("its shape has a negative size")
    begin = 6 + 2 + len(length) + count
    if begin + prod(shape) * dtype.itemsize > size:
        raise UnfitArrayFile(f"it is shorter than an array of the shape {list(shape)}" if prod(shape) < 1e18 else "its shape is too large")
    return ArrayHeader(tuple(shape), dtype, fortran), begin
