"""Convert between netc's element types and NumPy's, and between arrays and tensors.

In: a `DType`, or an array, tensor, number or nested list. Out: the NumPy type of the same width, or an array. NumPy has no bfloat16, so
ml_dtypes provides it. Always: nothing that `netc check` runs imports this module, so that a check does not load NumPy.

>>> dtype_of(numpy_dtype(DTYPES["float16"]))
float16
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .tensor_types import DTYPES, DType

if TYPE_CHECKING:
    import torch

NumpyType = np.dtype[Any]
Array = NDArray[Any]


def numpy_dtype(dtype: DType) -> NumpyType:
    """The NumPy type of a `DType`."""
    return _load_bfloat16() if dtype.name == "bfloat16" else np.dtype(dtype.name)


@cache
def _load_bfloat16() -> NumpyType:
    import ml_dtypes  # few models need it

    dtype: NumpyType = np.dtype(ml_dtypes.bfloat16)
    return dtype


@lru_cache(maxsize=256)  # NumPy makes the name of a type anew each time, and a table asks for each of its columns
def dtype_of(dtype: NumpyType) -> DType | None:
    """The `DType` of a NumPy type; None for a type that netc does not have."""
    return DTYPES.get(dtype.name)


def to_array(value: object) -> Array:
    """Convert an array, a PyTorch tensor, a number or nested lists to an array. A ValueError if `value` holds no numbers of netc's
    types."""
    # `np.asarray` would drop the mask, and the model would compute with the numbers under it.
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError("it has masked elements, whose numbers nobody means: fill them, `array.filled(0)`")
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
    # A PyTorch tensor, recognized without an import of PyTorch.
    elif hasattr(value, "detach"):
        array = _tensor_to_array(value)
    else:
        try:
            array = np.asarray(value)
        except (ValueError, OverflowError) as error:
            raise ValueError("it is no array of numbers") from error
    if dtype_of(array.dtype) is None:
        raise ValueError(f"it holds {array.dtype}, which is no type of netc" if array.dtype.kind in "fiuc" else "it is no array of numbers")
    return array


def is_float(array: Array) -> bool:
    """Whether the array holds floats of any width."""
    dtype = dtype_of(array.dtype)
    return dtype is not None and dtype.is_float


def to_tensor(array: Array) -> torch.Tensor:
    """Return a PyTorch tensor with a copy of the array."""
    import torch

    copied = np.array(array)
    # `torch.from_numpy` does not know ml_dtypes' bfloat16, so the bits travel as int16.
    if copied.dtype.name == "bfloat16":
        return torch.from_numpy(copied.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(copied)


def _tensor_to_array(tensor: Any) -> Array:
    tensor = tensor.detach().cpu()  # not made contiguous: of an expanded tensor that could be any size
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(f"it holds {name}, which is no type of netc")
    if name == "bfloat16":
        import torch

        return tensor.view(torch.int16).numpy().view(_load_bfloat16())  # type: ignore[no-any-return]
    return tensor.numpy()  # type: ignore[no-any-return]
