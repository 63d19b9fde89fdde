"""Read the safetensors files whose arrays are tables of a spec.

In: the content of a file. Out: its arrays by name. Always: nothing in the file is executed. A damaged file is a ValueError that completes
the sentence "cannot use `path`: ...". NumPy is not imported, since `netc check` does without it.

    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> array = parse_arrays(save({"index": np.array([[0, 1]])}), "tables.safetensors")["index"]
    >>> array.dtype, array.shape
    (int64, (1, 2))
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.compiler.ops.stored_tables import LIMIT, SAFETENSORS_TYPES, TableArray
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl.source import SourceFile

SUFFIX = ".safetensors"


def parse_arrays(content: bytes, path: str) -> dict[str, TableArray]:
    """Return the arrays whose element types netc has. `path` is the file's path in the spec."""
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
    """A text whose files of arrays are not written yet, as in an import. `arrays` has them by path and name."""

    def __init__(self, name: str, text: str, arrays: Mapping[str, Mapping[str, TableArray]]) -> None:
        super().__init__(name, text)
        self.arrays = arrays
