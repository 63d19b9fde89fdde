"""Arrays from files, and from mappings of arrays, tensors or lists.

In: the path of a `.safetensors`, `.npz`, `.pt` or `.pth` file, or a mapping of arrays or tensors. Out: NumPy arrays by name. Always:
nothing in a file is executed, and a file that cannot be read is a `WeightsError`. PyTorch is imported for its own files only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..errors.weights import WeightsError, WeightsUnreadable
from ..ir.elements import Array, array_of

_INSIDE = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep the state dict."""


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
    return reader(path, source)


def as_arrays(values: Mapping[str, object], source: str = "a mapping") -> dict[str, Array]:
    """The same with NumPy arrays for PyTorch's tensors and for lists of numbers. Of a checkpoint that contains a state dict, that."""
    for key in _INSIDE:
        inner = values.get(key)
        if isinstance(inner, Mapping):
            return as_arrays(inner, source)
    strange = next((key for key in values if not isinstance(key, str)), None)
    if strange is not None:
        raise WeightsError(WeightsUnreadable(source, f"its keys are not names of parameters: `{strange!r:.40}`"))
    return {name: _array(name, value, source) for name, value in values.items()}


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
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (AttributeError, TypeError) as error:
        raise _foreign(source) from error
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise _broken(source, error) from error


def _read_npz(path: Path, source: str) -> dict[str, Array]:
    from zipfile import BadZipFile
    from zlib import error as broken_stream

    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, KeyError, TypeError, BadZipFile, broken_stream) as error:
        raise _broken(source, error) from error


def _read_torch(path: Path, source: str) -> dict[str, Array]:
    from pickle import UnpicklingError

    try:
        import torch
    except ImportError as error:
        raise WeightsError(WeightsUnreadable(source, "PyTorch is not installed", "convert the file to `.safetensors`")) from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if "Unsupported global" not in str(error) and "Unsupported class" not in str(error):
            raise WeightsError(WeightsUnreadable(source, "the file is corrupt or has another format")) from error
        why = "it contains more than tensors, and reading it could run code"
        raise WeightsError(WeightsUnreadable(source, why, "save the model's `state_dict()`, or convert it to `.safetensors`")) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _broken(source, error) from error
    if not isinstance(found, Mapping):
        raise WeightsError(WeightsUnreadable(source, "it contains no state dict"))
    return as_arrays(found, source)


READERS: dict[str, Callable[[Path, str], dict[str, Array]]] = {
    ".safetensors": _read_safetensors,
    ".npz": _read_npz,
    ".pt": _read_torch,
    ".pth": _read_torch,
}
