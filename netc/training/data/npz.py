"""NumPy archives. Members that are stored without compression are mapped, not read."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .base import ArraySource, DataError

_LOCAL_HEADER = 30
"""Bytes of a member's header in a zip file, before its name."""


def open_npz(path: str) -> ArraySource:
    """The arrays of the archive by name. Raises `DataError`; objects (pickles) are refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            return ArraySource({Path(member.filename).stem: _array(path, archive, member) for member in archive.infolist()})
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        raise DataError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def _array(path: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.is_dir() or not member.filename.endswith(".npy"):
        raise DataError(f"`{member.filename}` in it is no array")
    with archive.open(member) as stream:
        shape, fortran, dtype = _header(stream)
        if dtype.hasobject:
            raise DataError(f"`{Path(member.filename).stem}` has Python objects, which are not read")
        if member.compress_type != zipfile.ZIP_STORED:
            stream.seek(0)
            return npy.read_array(stream, allow_pickle=False)
        offset = stream.tell()
    with open(path, "rb") as file:
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    start = member.header_offset + _LOCAL_HEADER + name + extra + offset
    if not np.prod(shape, dtype=np.int64):
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    return npy.read_array_header_1_0(stream) if version == (1, 0) else npy.read_array_header_2_0(stream)
