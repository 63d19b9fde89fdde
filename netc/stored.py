"""The arrays of safetensors files that tables of a spec are.

In: the content of a file, or arrays. Out: its arrays by name, or the content. Always: nothing of a file is executed, and what is damaged is
a ValueError that completes "cannot use `path`: ..."; NumPy is imported for writing alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.compiler.ir.types import DTYPES
from netc.compiler.ops.stored import SAFETENSORS_TYPES, StoredArray

SUFFIX = ".safetensors"
LIMIT = 64 << 20
"""The largest file, in bytes."""


def arrays_in(content: bytes, path: str) -> dict[str, StoredArray]:
    """The arrays of a file that are of types that netc has. `path` is how a spec calls it."""
    from safetensors import SafetensorError, deserialize

    if len(content) > LIMIT:
        raise ValueError(f"it is larger than {LIMIT >> 20} MiB")
    try:
        entries = deserialize(content)
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"it is no safetensors file ({' '.join(str(error).split())[:100]})") from None
    found: dict[str, StoredArray] = {}
    for name, entry in entries:
        dtype = DTYPES.get(SAFETENSORS_TYPES.get(entry["dtype"], ""))
        if dtype is not None:
            found[name] = StoredArray(path, name, dtype, tuple(entry["shape"]), bytes(entry["data"]))
    return found


def file_of(arrays: Iterable[StoredArray]) -> bytes:
    """The content of the file that has these arrays under their names."""
    from safetensors.numpy import save

    content: bytes = save({array.name: array.array() for array in arrays})
    return content
