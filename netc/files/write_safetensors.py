"""Write a safetensors file, one tensor after the other.

In: a path, and tensors by name. Out: the file. Always: only one tensor is in memory at a time, so the file may be larger than the memory.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_safetensors(f"{folder}/w", {"w": StoredTensor((2,), "float32", lambda: np.array([1, 2], np.float32))})
    ...     content = open(f"{folder}/w", "rb").read()
    >>> content[8:].partition(b"}}")[0], content[-8:].hex()
    (b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]', '0000803f00000040')
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import numpy as np

from netc.compiler.ops.stored_tables import SAFETENSORS_TYPES
from netc.compiler.weights.free_space import check_disk
from netc.compiler.weights.lazy_tensors import StoredTensor

_NAMES = {name: code for code, name in SAFETENSORS_TYPES.items()}
_ALIGNMENT = 8
"""The data begins at a multiple of this number of bytes."""


def write_safetensors(path: str, tensors: Mapping[str, StoredTensor]) -> None:
    """Write tensors of element types that netc has. Raises `OSError` if the disk has no room."""
    # the metadata that transformers writes into its own files
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    size = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": _NAMES[tensor.kind], "shape": list(tensor.shape), "data_offsets": [size, size + tensor.nbytes]}
        size += tensor.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    check_disk(os.path.dirname(path) or ".", 8 + len(text) + size)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            array = np.ascontiguousarray(tensor.read())
            # the format is little-endian on every machine
            little = array.astype(array.dtype.newbyteorder("<"), copy=False) if array.dtype.kind in "fiu" else array
            # as bytes, because NumPy gives no buffer of bfloat16
            file.write(little.reshape(-1).view(np.uint8).data)
