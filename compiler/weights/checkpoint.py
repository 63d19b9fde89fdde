"""Arrays from files, and from mappings of arrays, tensors or lists.

In: the path of a `.safetensors`, `.npz`, `.pt` or `.pth` file, or a mapping of arrays or tensors. Out: NumPy arrays by name. Always:
nothing in a file is executed, and a file that cannot be read is a `WeightsError`. PyTorch is imported for its own files only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from warnings import catch_warnings, simplefilter

from ..errors.weights import WeightsError, WeightsUnreadable
from ..ir.elements import Array, array_of
from .numpy_files import UnfitArrayFile, read_npz

_INSIDE = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep the state dict."""
_DEEPEST = 8
"""Mappings within each other."""


def load(path: str | Path) -> dict[str, Array]:
    """The arrays in a file. The ending of its name decides the format."""
    path = Path(path)
    source = f"`{path}`"
    reader = READERS.get(path.suffix.lower())
    if not path.exists():
        raise WeightsError(WeightsUnreadable(source, "there is no such file"))
    if not path.is_file():
        raise WeightsError(WeightsUnreadable(source, "it is a directory" if path.is_dir() else "it is not a file"))
    if reader is None:
        known = ", ".join(f"`{ending}`" for ending in READERS)
        raise WeightsError(WeightsUnreadable(source, f"`{path.suffix}` is not a format of weights", f"use one of {known}"))
    try:
        return reader(path, source)
    except WeightsError:
        raise
    except MemoryError as error:
        raise WeightsError(WeightsUnreadable(source, "it needs more memory than there is")) from error
    except Exception as error:  # the libraries raise whatever damaged content leads to
        raise _broken(source, error) from error


def as_arrays(values: Mapping[str, object], source: str = "a mapping") -> dict[str, Array]:
    """The same with NumPy arrays for PyTorch's tensors and for lists of numbers. Of a checkpoint that contains a state dict, that."""
    found = _state_dict(values, source)
    return {name: _array(name, value, source) for name, value in found.items()}


def _state_dict(values: Mapping[str, object], source: str) -> Mapping[str, object]:
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


def _array(name: str, value: object, source: str) -> Array:
    try:
        return array_of(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(WeightsUnreadable(source, f"`{name}` is not a tensor that netc knows: {error}")) from error


def _foreign(source: str) -> WeightsError:
    return WeightsError(WeightsUnreadable(source, "it contains elements of an unsupported type"))


# --- formats ---------------------------------------------------------------------------------------------------------------


def _broken(source: str, error: Exception) -> WeightsError:
    if isinstance(error, PermissionError):
        return WeightsError(WeightsUnreadable(source, "permission denied"))
    said = " ".join(str(error).split())[:200]
    return WeightsError(WeightsUnreadable(source, f"the file is corrupt or has another format ({said})" if said else "the file is broken"))


def _read_safetensors(path: Path, source: str) -> dict[str, Array]:
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (AttributeError, TypeError) as error:
        raise _foreign(source) from error


def _read_npz(path: Path, source: str) -> dict[str, Array]:
    try:
        return read_npz(path)
    except UnfitArrayFile as error:
        raise WeightsError(WeightsUnreadable(source, str(error))) from error


def _read_torch(path: Path, source: str) -> dict[str, Array]:
    from pickle import UnpicklingError

    try:
        import torch
    except ImportError as error:
        raise WeightsError(WeightsUnreadable(source, "PyTorch is not installed", "convert the file to `.safetensors`")) from error
    if _unpacked(path) > path.stat().st_size:
        raise WeightsError(WeightsUnreadable(source, "it is a compressed archive, which PyTorch does not write"))
    try:
        with catch_warnings():
            simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if _NEEDS_CODE.search(str(error)) is None:
            raise WeightsError(WeightsUnreadable(source, "the file is corrupt or has another format")) from error
        why = "it contains more than tensors, and reading it could run code"
        raise WeightsError(WeightsUnreadable(source, why, "save the model's `state_dict()`, or convert it to `.safetensors`")) from error
    if not isinstance(found, Mapping):
        raise WeightsError(WeightsUnreadable(source, "it contains no state dict"))
    tensors = _state_dict(found, source)
    # A short pickle can say a list with billions of elements: the same one many times.
    other = next((name for name, value in tensors.items() if not isinstance(value, (torch.Tensor, int, float))), None)
    if other is not None:
        raise WeightsError(WeightsUnreadable(source, f"`{other}` is not a tensor: it is of the type `{type(tensors[other]).__name__}`"))
    return as_arrays(tensors, source)


_NEEDS_CODE = re.compile(r"Unsupported (global|class)|unsupported GLOBAL")
"""What PyTorch says of a pickle that calls something else than what makes tensors."""


def _unpacked(path: Path) -> int:
    """Bytes of all members of an archive; 0 if it is none."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            return sum(info.file_size for info in archive.infolist())
    except (BadZipFile, ValueError, NotImplementedError):
        return 0


READERS: dict[str, Callable[[Path, str], dict[str, Array]]] = {
    ".safetensors": _read_safetensors,
    ".npz": _read_npz,
    ".pt": _read_torch,
    ".pth": _read_torch,
}
