"""The arrays of safetensors files that tables of a spec are.

In: the content of a file. Out: its arrays by name. Always: nothing of it is executed, and what is damaged is a ValueError that completes
"cannot use `path`: ..."; NumPy is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.compiler.ops.stored_tables import LIMIT, SAFETENSORS_TYPES, TableArray
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl.source import SourceFile

SUFFIX = ".safetensors"


def parse_arrays(content: bytes, path: str) -> dict[str, TableArray]:
    """The arrays of a file that are of types that netc has. `path` is how a spec calls it."""
    from safetensors import SafetensorError, deserialize

    if len(content) > LIMIT:
        raise ValueError(f"it is larger than {LIMIT >> 20} MiB")
    try:
        entries = deserialize(content)  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"it is no safetensors file ({' '.join(str(error).split())[:100]})") from None
    arrays: dict[str, TableArray] = {}
    for name, entry in entries:
        dtype = DTYPES.get(SAFETENSORS_TYPES.get(entry["dtype"], ""))
        if dtype is not None:
            arrays[name] = TableArray(path, name, dtype, tuple(entry["shape"]), bytes(entry["data"]))
    return arrays


class TextWithArrays(SourceFile):
    """A text whose files with arrays are not written yet: `arrays` has them by path and name."""

    def __init__(self, name: str, text: str, arrays: Mapping[str, Mapping[str, TableArray]]) -> None:
        super().__init__(name, text)
        self.arrays = arrays
