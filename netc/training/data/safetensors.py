"""Files of safetensors, mapped: their header says where each tensor is."""

from __future__ import annotations

import json
from math import prod
from typing import Any

import numpy as np

from netc.compiler.ops.stored_tables import SAFETENSORS_TYPES
from netc.compiler.types.numpy_types import numpy_dtype
from netc.compiler.types.tensor_types import DTYPES

from .data_paths import reading, regular_file
from .data_source import Array, ArraySource, DataError

_LENGTH = 8
"""Bytes that say how long the header is."""


def open_safetensors(path: str) -> ArraySource:
    """The tensors of the file by name. Raises `DataError`."""
    from safetensors import SafetensorError, safe_open

    regular_file(path)
    try:
        with reading():
            safe_open(path, "numpy")  # checks the header: all tensors are within the file, and none overlap
            return ArraySource(_tensors(path))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"it is damaged or has another format ({' '.join(str(error).split())[:200]})") from error


def _tensors(path: str) -> dict[str, Array]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return {name: _mapped(path, name, said, _LENGTH + length) for name, said in header.items() if name != "__metadata__"}


def _mapped(path: str, name: str, said: dict[str, Any], begin: int) -> Array:
    dtype, shape = SAFETENSORS_TYPES.get(said["dtype"]), tuple(said["shape"])
    if dtype is None:
        raise DataError(f"`{name}` in it is {said['dtype']}, which is no type of netc")
    element = numpy_dtype(DTYPES[dtype])
    if not prod(shape):
        return np.zeros(shape, element)
    return np.memmap(path, element, "r", begin + said["data_offsets"][0], shape)
