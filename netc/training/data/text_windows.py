"""A text as tokens, in windows: what comes, and what comes next.

In: the path of a text, whose tokens are its bytes, or of a `.npy` with integers in one axis, which are the tokens. Out: a `WindowSource`
with the columns `tokens` and `next`, both `[samples, length]`: of a window of `length + 1` tokens all but the last, and all but the first.
Always: the file is mapped; window number i begins at the token i * stride.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from netc.compiler.types.tensor_types import TensorType
from netc.compiler.weights.numpy_files import UnfitArrayFile, map_npy

from .data_paths import reading, regular_file
from .data_source import Array, Column, DataError, Indices

TOKENS, NEXT = "tokens", "next"


class WindowSource:
    """Windows over one sequence of tokens."""

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, tokens: Array, length: int, stride: int) -> None:
        self.tokens, self.length, self.stride = tokens, length, stride
        self.columns = {name: Column(name, (length,), np.dtype(np.int64)) for name in (TOKENS, NEXT)}

    def __len__(self) -> int:
        return (len(self.tokens) - self.length - 1) // self.stride + 1

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        windows = np.asarray(self.tokens)[indices[:, None] * self.stride + np.arange(self.length + 1)].astype(np.int64)
        return {name: windows[:, :-1] if name == TOKENS else windows[:, 1:] for name in names}


def open_text(path: str, wanted: Mapping[str, TensorType], length: int | None = None, stride: int | None = None) -> WindowSource:
    """The windows. `length` is that of the inputs, if these declare a number; `stride` is the length unless it is said."""
    regular_file(path)
    length = length or _declared(wanted)
    if length is None:
        raise DataError("the length of a sample is not known", "say it: `length=64`, or fix the dimension: `--dim T=64`")
    tokens = _tokens(path)
    if len(tokens) <= length:
        raise DataError(f"it has {len(tokens)} tokens, and a sample of the length {length} needs {length + 1}", "say a smaller `length`")
    return WindowSource(tokens, length, stride or length)


def _declared(wanted: Mapping[str, TensorType]) -> int | None:
    sizes = (wanted[name].shape[-1] for name in (TOKENS, NEXT) if name in wanted and wanted[name].rank == 2)
    return next((size for size in sizes if isinstance(size, int)), None)


def _tokens(path: str) -> Array:
    if not path.lower().endswith(".npy"):
        with reading():
            return np.memmap(path, np.uint8, "r") if os.path.getsize(path) else np.zeros(0, np.uint8)
    try:
        with reading():
            tokens = map_npy(path)
    except UnfitArrayFile as error:
        raise DataError(str(error)) from error
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise DataError(f"tokens are integers in one axis, and it has {tokens.dtype} {list(tokens.shape)}")
    return tokens
