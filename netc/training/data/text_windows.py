"""Windows over a sequence of tokens, for next-token prediction.

In: the path of a text, whose bytes are the tokens, or of a `.npy` file with token numbers in one axis. Out: a `WindowSource` with the
columns `tokens` and `next`, both `[samples, length]`: all but the last token of a window of `length + 1` tokens, and all but the first.
Always: the file is memory-mapped; window i begins at token `i * stride`.

>>> windows = WindowSource(np.frombuffer(b"abcde", np.uint8), length=2, stride=2)
>>> {name: array.tolist() for name, array in windows.read(("tokens", "next"), np.array([0, 1])).items()}
{'tokens': [[97, 98], [99, 100]], 'next': [[98, 99], [100, 101]]}
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from netc.compiler.types.tensor_types import TensorType
from netc.compiler.weights.numpy_files import UnfitArrayFile, map_npy

from .data_paths import check_regular_file, translate_os_errors
from .data_source import Array, DataError, Indices, TableColumn

TOKENS, NEXT = "tokens", "next"


class WindowSource:
    """Windows over one sequence of tokens."""

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, tokens: Array, length: int, stride: int) -> None:
        self.tokens, self.length, self.stride = tokens, length, stride
        self.columns = {name: TableColumn(name, (length,), np.dtype(np.int64)) for name in (TOKENS, NEXT)}

    def __len__(self) -> int:
        return (len(self.tokens) - self.length - 1) // self.stride + 1

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        windows = np.asarray(self.tokens)[indices[:, None] * self.stride + np.arange(self.length + 1)].astype(np.int64)
        return {name: windows[:, :-1] if name == TOKENS else windows[:, 1:] for name in names}


def open_text(path: str, wanted: Mapping[str, TensorType], length: int | None = None, stride: int | None = None) -> WindowSource:
    """Open the windows. By default, `length` is the inputs' declared size, and `stride` is the length, so windows do not overlap."""
    check_regular_file(path)
    length = length or _find_declared_length(wanted)
    if length is None:
        raise DataError("the length of a sample is not known", "say it: `length=64`, or fix the dimension: `--dim T=64`")
    tokens = _map_tokens(path)
    if len(tokens) <= length:
        raise DataError(f"it has {len(tokens)} tokens, and a sample of the length {length} needs {length + 1}", "say a smaller `length`")
    return WindowSource(tokens, length, stride or length)


def _find_declared_length(wanted: Mapping[str, TensorType]) -> int | None:
    sizes = (wanted[name].shape[-1] for name in (TOKENS, NEXT) if name in wanted and wanted[name].rank == 2)
    return next((size for size in sizes if isinstance(size, int)), None)


def _map_tokens(path: str) -> Array:
    if not path.lower().endswith(".npy"):
        with translate_os_errors():
            return np.memmap(path, np.uint8, "r") if os.path.getsize(path) else np.zeros(0, np.uint8)  # `memmap` refuses empty files
    try:
        with translate_os_errors():
            tokens = map_npy(path)
    except UnfitArrayFile as error:
        raise DataError(str(error)) from error
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise DataError(f"tokens are integers in one axis, and it has {tokens.dtype} {list(tokens.shape)}")
    return tokens
