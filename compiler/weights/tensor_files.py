"""Opens files of tensors without reading their numbers.

In: the path of one file. Out: `StoredTensor`s by name. Always: nothing in a file is executed. A damaged file raises `WeightsError`, now or
when a tensor is read. A tensor is mapped when it is read, and released with its array. PyTorch is imported for its own files only.

    >>> find_state_dict({"epoch": 3, "state_dict": {"fc.weight": 1}}, "last.ckpt")
    {'fc.weight': 1}
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable, Mapping
from errno import EINVAL
from math import prod
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar
from warnings import catch_warnings, simplefilter

import numpy as np

from ..errors.weight_errors import WeightsError, WeightsUnreadable
from ..ops.stored_tables import SAFETENSORS_TYPES
from ..types.numpy_types import Array, NumpyType, numpy_dtype, to_array
from ..types.tensor_types import DTYPES
from .lazy_tensors import StoredTensor
from .numpy_files import StoredArray, UnfitArrayFile, open_npz
from .recognition import recognize_file

_INSIDE = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep the state dict."""
_DEEPEST = 8
"""The number of mappings that may be nested in each other."""
_ACCIDENTS = (LookupError, TypeError, AttributeError, ArithmeticError, UnicodeError, AssertionError, EOFError, struct.error)
"""Exceptions that code raises by accident for unexpected content. Their text is about the code, not the file."""
_KEPT = 256 << 20
"""Bytes that are read from a file of PyTorch before its pages are released."""

T = TypeVar("T")
Tensors = dict[str, StoredTensor]


def open_file(path: Path, source: str) -> Tensors:
    """Open the tensors of a file. The ending of its name decides the format. `source` is the file in messages."""
    opener = OPENERS.get(path.suffix.lower())
    if not os.path.exists(path):
        raise WeightsError(WeightsUnreadable(source, "there is no such file"))
    if not os.path.isfile(path):
        raise WeightsError(WeightsUnreadable(source, "it is not a file"))
    if opener is None:
        known = ", ".join(f"`{ending}`" for ending in OPENERS)
        why = f"`{path.suffix}` is not a format of weights" if path.suffix else "the ending of its name says the format, and it has none"
        raise WeightsError(WeightsUnreadable(source, why, f"use one of {known}"))
    return with_weights_errors(lambda: opener(path, source), source, path)()


def with_weights_errors(read: Callable[[], T], source: str, path: Path | None = None) -> Callable[[], T]:
    """Return a function whose errors are `WeightsError`s, because libraries raise all kinds of errors for damaged content. If the file at
    `path` is recognized as something else, the error says so."""

    def call() -> T:
        try:
            return read()
        except WeightsError:
            raise
        except MemoryError as error:
            raise WeightsError(WeightsUnreadable(source, "it needs more memory than there is")) from error
        except Exception as error:
            raise _file_error(source, error, path) from error

    return call


def _file_error(source: str, error: Exception, path: Path | None) -> WeightsError:
    if isinstance(error, PermissionError):
        return WeightsError(WeightsUnreadable(source, "permission denied"))
    known = recognize_file(path) if path is not None else None
    if known is not None:
        return WeightsError(WeightsUnreadable(source, *known))
    detail = _first_sentence(error)
    return WeightsError(WeightsUnreadable(source, f"the file is corrupt or has another format{f' ({detail})' if detail else ''}"))


def _first_sentence(error: Exception) -> str:
    """Return the first sentence of a library's message about a file. Empty if its code only failed on unexpected content."""
    if isinstance(error, _ACCIDENTS) or (isinstance(error, OSError) and error.errno in (None, EINVAL)):
        return ""
    text = (error.strerror or "") if isinstance(error, OSError) else str(error)
    return " ".join(text.split()).split(". ")[0].removesuffix(".")[:200]


def find_state_dict(values: Mapping[str, object], source: str) -> Mapping[str, object]:
    """Return the state dict within a checkpoint, or the values themselves if there is none."""
    for _ in range(_DEEPEST):
        inner = next((values[key] for key in _INSIDE if isinstance(values.get(key), Mapping)), None)
        if not isinstance(inner, Mapping):
            break
        values = inner
    else:
        raise WeightsError(WeightsUnreadable(source, "its mappings are nested too deeply"))
    strange = next((key for key in values if not isinstance(key, str)), None)
    if strange is not None:
        raise WeightsError(
            WeightsUnreadable(source, f"its keys are not names of parameters: one is of the type `{type(strange).__name__}`")
        )
    return values


def read_array(name: str, value: object, source: str) -> Array:
    """Read the value of a state dict under a name as an array. A complex one is an array of pairs, `[..., 2]`."""
    try:
        return to_array(_split_complex(value))
    except (ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(WeightsUnreadable(source, f"`{name}` is not a tensor that netc knows: {error}")) from error


def _split_complex(value: Any) -> Any:
    """Return real and imaginary parts along a last axis, as `torch.view_as_real` does; other values as they are."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "c":
        return np.stack((value.real, value.imag), axis=-1)
    if getattr(value, "is_complex", lambda: False)():
        import torch

        return torch.view_as_real(value.resolve_conj())
    return value


_PARTS = {"C64": "float32", "complex64": "float32", "complex128": "float64"}
"""The types of the real and imaginary parts, by the names of complex types in safetensors, NumPy and PyTorch."""


def _describe_parts(shape: tuple[int, ...], kind: str) -> tuple[tuple[int, ...], str]:
    """Return the shape and the type of a tensor as it is read: a complex one has an axis more."""
    return ((*shape, 2), _PARTS[kind]) if kind in _PARTS else (shape, kind)


# --- safetensors -----------------------------------------------------------------------------------------------------------


def _open_safetensors(path: Path, source: str) -> Tensors:
    from safetensors import safe_open

    with safe_open(path, "numpy"):  # it refuses a header that does not fit its file
        pass
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {name: _stored_slice(path, source, entry, 8 + length) for name, entry in header.items()}


def _stored_slice(path: Path, source: str, entry: Mapping[str, Any], begin: int) -> StoredTensor:
    # A complex number is stored as its real part and its imaginary part.
    shape, kind = _describe_parts(tuple(entry["shape"]), SAFETENSORS_TYPES.get(entry["dtype"], entry["dtype"]))
    begin += entry["data_offsets"][0]
    return StoredTensor(shape, kind, with_weights_errors(lambda: _map_slice(path, source, kind, begin, shape), source))


def _map_slice(path: Path, source: str, kind: str, begin: int, shape: tuple[int, ...]) -> Array:
    if kind not in DTYPES:
        raise WeightsError(WeightsUnreadable(source, f"it contains elements of an unsupported type: {kind}"))
    element: NumpyType = numpy_dtype(DTYPES[kind])
    # Empty tensors first: `mmap` refuses to map nothing.
    if not prod(shape):
        return np.zeros(shape, element)
    # `mmap` maps from multiples of the page size only.
    count, ahead = prod(shape), begin % ALLOCATIONGRANULARITY
    with path.open("rb") as file:
        mapped = mmap(file.fileno(), ahead + count * element.itemsize, access=ACCESS_READ, offset=begin - ahead)
    return np.frombuffer(mapped, element, count, ahead).reshape(shape)


# --- NumPy -----------------------------------------------------------------------------------------------------------------


def _open_npz(path: Path, source: str) -> Tensors:
    with_clauses = _with_npz_errors(lambda: open_npz(path), source, path)
    return {name: _stored_member(stored, source) for name, stored in with_clauses().items()}


def _stored_member(stored: StoredArray, source: str) -> StoredTensor:
    shape, kind = _describe_parts(stored.header.shape, stored.header.dtype.name)
    return StoredTensor(shape, kind, with_weights_errors(_with_npz_errors(lambda: _split_complex(stored.read()), source), source))


def _with_npz_errors(read: Callable[[], T], source: str, path: Path | None = None) -> Callable[[], T]:
    def call() -> T:
        try:
            return read()
        except UnfitArrayFile as error:
            known = recognize_file(path) if path is not None else None
            raise WeightsError(WeightsUnreadable(source, *(known or (str(error), "")))) from error

    return call


# --- PyTorch ---------------------------------------------------------------------------------------------------------------


def _open_torch(path: Path, source: str) -> Tensors:
    try:
        import torch
    except ImportError as error:
        raise WeightsError(WeightsUnreadable(source, "PyTorch is not installed", "convert the file to `.safetensors`")) from error
    # `torch.save` stores members uncompressed; a compressed archive could unpack to any size.
    if _unpacked_size(path) > path.stat().st_size:
        raise WeightsError(WeightsUnreadable(source, "it is a compressed archive, which PyTorch does not write"))
    file = _TorchFile(path, source)
    tensors = file.load_state_dict()
    # A short pickle can say a list with billions of elements: the same one many times.
    other = next((name for name, value in tensors.items() if not isinstance(value, (torch.Tensor, int, float))), None)
    if other is not None:
        raise WeightsError(WeightsUnreadable(source, f"`{other}` is not a tensor: it is of the type `{type(tensors[other]).__name__}`"))
    return {name: _stored_torch_tensor(file, name, torch.as_tensor(value)) for name, value in tensors.items()}


def _stored_torch_tensor(file: _TorchFile, name: str, tensor: Any) -> StoredTensor:
    shape, kind = _describe_parts(tuple(tensor.shape), _dtype_name(tensor))
    return StoredTensor(shape, kind, with_weights_errors(lambda: file.read_tensor(name), file.source))


def _dtype_name(tensor: Any) -> str:
    """Return the element type, with a word for anything but plain numbers, so that it fits no parameter."""
    import torch

    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_meta:
        return f"{dtype} without its numbers"
    return dtype if tensor.layout == torch.strided else f"sparse {dtype}"


class _TorchFile:
    """A file of PyTorch. All tensors of one loading share one mapping, whose pages count as memory of the process once they were read, so
    the file is loaded anew after some tensors."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.source = source
        self._loaded: Mapping[str, Any] | None = None
        self._read = 0

    def load_state_dict(self) -> Mapping[str, Any]:
        """Load the state dict in the file, mapped where the format allows it."""
        loaded = self._loaded  # another thread may let it go
        if loaded is None:
            content = self._load_file()
            if not isinstance(content, Mapping):
                raise WeightsError(WeightsUnreadable(self.source, "it contains no state dict"))
            loaded = self._loaded = find_state_dict(content, self.source)
        return loaded

    def read_tensor(self, name: str) -> Array:
        array = read_array(name, self.load_state_dict()[name], self.source)
        self._read += array.nbytes
        if self._read > _KEPT:
            self._loaded, self._read = None, 0
        return array

    def _load_file(self) -> object:
        import torch

        try:
            with catch_warnings():
                simplefilter("ignore")
                return torch.load(str(self.path), map_location="cpu", weights_only=True, mmap=_is_archive(self.path))
        except UnpicklingError as error:
            # UnpicklingError has one class for damage and for refused code; only the text tells them apart.
            if _NEEDS_CODE.search(str(error)) is None:
                known = recognize_file(self.path) or ("the file is corrupt or has another format", "")
                raise WeightsError(WeightsUnreadable(self.source, *known)) from error
            why = "it contains more than tensors, and reading it could run code"
            remedy = "save the model's `state_dict()`, or convert it to `.safetensors`"
            raise WeightsError(WeightsUnreadable(self.source, why, remedy)) from error


_NEEDS_CODE = re.compile(r"Unsupported (global|class)|unsupported GLOBAL")
"""PyTorch's messages about a pickle that calls anything but constructors of tensors."""


def _is_archive(path: Path) -> bool:
    """Whether it is in the format that PyTorch writes since version 1.6, which can be mapped."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _unpacked_size(path: Path) -> int:
    """Return the bytes of all members of an archive, or 0 for another file."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            return sum(info.file_size for info in archive.infolist())
    except (BadZipFile, ValueError, NotImplementedError):
        return 0


OPENERS: dict[str, Callable[[Path, str], Tensors]] = {
    ".safetensors": _open_safetensors,
    ".npz": _open_npz,
    ".pt": _open_torch,
    ".pth": _open_torch,
    ".bin": _open_torch,
    ".ckpt": _open_torch,
}
"""The functions that open files, by the ending of the name."""
