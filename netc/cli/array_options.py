"""Arrays for `netc run`: from `.npy` files, or a `Failed` with the reason; and into an `.npz` file."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from urllib.parse import quote
from zipfile import ZipFile

import numpy as np

from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.numpy_files import read_npy

from ..files.array_files import UnreadableArrays, read_arrays
from .command_failure import Failed

_LONGEST_NAME = 10_000
"""Bytes of the name of an array; the format has two bytes for this number."""


def load_array(path: str) -> Array:
    """The array in a file. Nothing in it is executed."""
    try:
        return read_arrays(path, read_npy, ".npy")
    except UnreadableArrays as error:
        other = not path.lower().endswith(".npy")
        raise Failed(str(error), *(('NumPy writes such a file: `numpy.save("x.npy", rows)`',) if other else ())) from None


def npz(arrays: Mapping[str, Array]) -> bytes:
    """The content of an `.npz` file. `numpy.savez` has names that an array may not have, such as `file`.

    Names that would be paths for who unpacks it are percent-encoded: `%2Flayer%2Fout`.
    """
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{_member_name(name)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array)
    return buffer.getvalue()


def _member_name(name: str) -> str:
    shown = "".join(quote(c, safe="", errors="backslashreplace") if c in "/\\:%" or not c.isprintable() else c for c in name)
    if len(shown.encode()) > _LONGEST_NAME:
        raise Failed(f"an output has a name of {len(name)} characters, which is too long for a file")
    return shown
