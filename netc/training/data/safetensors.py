"""safetensors files, memory-mapped: the header has the offset of each tensor.

For example, a tensor `x` of the shape `[20, 3]` is a column `x` of 20 samples with 3 numbers each.
"""

from __future__ import annotations

import json
from math import prod
from typing import Any

import numpy as np

from netc.compiler.ops.stored_tables import SAFETENSORS_TYPES
from netc.compiler.types.numpy_types import numpy_dtype
from netc.compiler.types.tensor_types import DTYPES

from .data_paths import check_regular_file, translate_os_errors
from .data_source import Array, ArraySource, DataError

_LENGTH = 8
"""The size in bytes of the field at the beginning that holds the length of the header."""


def open_safetensors(path: str) -> ArraySource:
    """Map the tensors of the file by name. Raises `DataError`."""
    from safetensors import SafetensorError, safe_open

    check_regular_file(path)
    try:
        with translate_os_errors():
            safe_open(path, "numpy")  # checks the header: all tensors are within the file, and none overlap
            return ArraySource(_map_tensors(path))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"it is damaged or has another format ({' '.join(str(error).split())[:200]})") from error


def _map_tensors(path: str) -> dict[str, Array]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return {name: _map_tensor(path, name, entry, _LENGTH + length) for name, entry in header.items() if name != "__metadata__"}


def _map_tensor(path: str, name: str, entry: dict[str, Any], data_start: int) -> Array:
    dtype, shape = SAFETENSORS_TYPES.get(entry["dtype"]), tuple(entry["shape"])
    if dtype is None:
        raise DataError(f"`{name}` in it is {entry['dtype']}, which is no type of netc")
    element = numpy_dtype(DTYPES[dtype])
    if not prod(shape):  # `np.memmap` refuses to map zero bytes
        return np.zeros(shape, element)
    return np.memmap(path, element, "r", data_start + entry["data_offsets"][0], shape)
