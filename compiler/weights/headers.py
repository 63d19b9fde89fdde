"""Shapes and element types of a checkpoint without its numbers, from formats that say them apart.

In: the path of a `.safetensors` or `.npz` file, and the parameters of a model. Out: placeholders of the arrays, which take no memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..analysis.parameters import ParameterInfo
from ..ir.elements import Array, dtype_of, numpy_dtype
from ..ir.types import DTYPES, DType
from ..ops.stored import SAFETENSORS_TYPES
from .numpy_files import UnfitArrayFile, npz_headers


def placeholders(path: str | Path, infos: Mapping[str, ParameterInfo]) -> dict[str, Array] | None:
    """Arrays of zeros with the shapes of those in the file, and of types that convert to a parameter's if theirs do.

    None where the format has no headers, or they cannot be read: then reading the file whole says why.
    """
    ending = Path(path).suffix.lower()
    if not Path(path).is_file():
        return None
    if ending == ".safetensors":
        return _safetensors(path, infos)
    return _npz(path, infos) if ending == ".npz" else None


def _safetensors(path: str | Path, infos: Mapping[str, ParameterInfo]) -> dict[str, Array] | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
            return {
                name: _placeholder(tuple(s.get_shape()), DTYPES.get(SAFETENSORS_TYPES.get(s.get_dtype(), "")), infos.get(name))
                for name, s in slices.items()
            }
    except (SafetensorError, OSError, ValueError):
        return None


def _npz(path: str | Path, infos: Mapping[str, ParameterInfo]) -> dict[str, Array] | None:
    try:
        headers = npz_headers(path)
        return {name: _placeholder(header.shape, dtype_of(header.dtype), infos.get(name)) for name, header in headers.items()}
    except (UnfitArrayFile, OSError, ValueError):
        return None


def _placeholder(shape: tuple[int, ...], dtype: DType | None, info: ParameterInfo | None) -> Array:
    if dtype is None or info is None or dtype.is_float != info.dtype.is_float or dtype.is_integer != info.dtype.is_integer:
        element = numpy_dtype(dtype) if dtype is not None else np.dtype(np.complex64)
    else:
        element = numpy_dtype(info.dtype)  # it will be converted when it is loaded
    return np.broadcast_to(np.zeros((), element), shape)
