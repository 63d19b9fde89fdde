"""Windows over a sequence of tokens, for next-token prediction.

In: the path of a text, or of a `.npy` file with token numbers in one axis; a folder or a pattern for several. The tokens of a text are its
bytes, or the tokens of a tokenizer. Out: a `WindowSource` with the columns `tokens` and `next`, both `[samples, length]`: all but the last
token of a window of `length + 1` tokens, and all but the first. Always: window i begins at token `i * stride`. Several files are one
sequence, in the order of their names. One file of bytes or of token numbers is memory-mapped.

>>> windows = WindowSource(np.frombuffer(b"abcde", np.uint8), length=2, stride=2)
>>> {name: array.tolist() for name, array in windows.read(("tokens", "next"), np.array([0, 1])).items()}
{'tokens': [[97, 98], [99, 100]], 'next': [[98, 99], [100, 101]]}
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping

import numpy as np

from netc.compiler.types.tensor_types import TensorType
from netc.compiler.weights.numpy_files import UnfitArrayFile, map_npy

from ...tokenizing.text_tokenizer import FileTokenizer, TokenizerError, read_tokenizer
from .data_paths import check_regular_file, list_files, translate_os_errors
from .data_source import Array, DataError, Indices, TableColumn

TOKENS, NEXT = "tokens", "next"
ENDINGS = (".txt",)
"""The endings of texts in a folder."""
ARRAY_ENDING = ".npy"


class WindowSource:
    """Windows over one sequence of tokens. `tokenizer` made them; None for bytes, and for numbers in a file."""

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, tokens: Array, length: int, stride: int, tokenizer: FileTokenizer | None = None) -> None:
        self.tokens, self.length, self.stride, self.tokenizer = tokens, length, stride, tokenizer
        self.columns = {name: TableColumn(name, (length,), np.dtype(np.int64)) for name in (TOKENS, NEXT)}

    def __len__(self) -> int:
        return (len(self.tokens) - self.length - 1) // self.stride + 1

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        windows = np.asarray(self.tokens)[indices[:, None] * self.stride + np.arange(self.length + 1)].astype(np.int64)
        return {name: windows[:, :-1] if name == TOKENS else windows[:, 1:] for name in names}


def open_text(
    path: str, wanted: Mapping[str, TensorType], length: int | None = None, stride: int | None = None, tokenizer: str | None = None
) -> WindowSource:
    """Open the windows. By default, `length` is the inputs' declared size, and `stride` is the length, so windows do not overlap.
    `tokenizer` is the path of a `tokenizer.json`. Raises `DataError`."""
    files = list_text_files(path)
    length = length or _find_declared_length(wanted)
    if length is None:
        raise DataError("the length of a sample is not known", "say it: `length=64`, or fix the dimension: `--dim T=64`")
    reader = None if tokenizer is None else open_tokenizer(tokenizer)
    parts = [_map_tokens(file) if reader is None else _encode_file(file, reader) for file in files]
    tokens = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if len(tokens) <= length:
        raise DataError(f"it has {len(tokens)} tokens, and a sample of the length {length} needs {length + 1}", "say a smaller `length`")
    return WindowSource(tokens, length, stride or length, reader)


def find_tokenizer(source: object) -> FileTokenizer | None:
    """Return the tokenizer that made the numbers of a source, if there is one."""
    found = getattr(source, "tokenizer", None)
    return found if isinstance(found, FileTokenizer) else find_tokenizer(source.source) if hasattr(source, "source") else None


def open_tokenizer(path: str) -> FileTokenizer:
    """Read a tokenizer. Raises `DataError`."""
    try:
        return read_tokenizer(check_regular_file(path))
    except (TokenizerError, DataError) as error:
        raise DataError(f"its tokenizer `{path}` cannot be read: {error}", error.remedy) from error


def list_text_files(path: str) -> list[str]:
    """Return the file itself, the texts of a folder, or the files of a pattern such as `*.txt`, sorted by name. Raises `DataError`."""
    if not is_pattern(path):
        return list_files(path, ENDINGS)
    with translate_os_errors():
        files = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))
    if not files:
        raise DataError("no file has a name of this pattern")
    return files


def is_pattern(path: str) -> bool:
    """Whether a path is a pattern for several files. A file whose name has brackets is itself."""
    return glob.has_magic(path) and not os.path.lexists(path)


def read_text(path: str) -> str:
    """Read a text in UTF-8, with its line endings as they are. Raises `DataError`."""
    with translate_os_errors(), open(check_regular_file(path), "rb") as file:
        content = file.read()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"line {line} of `{os.path.basename(path)}` is not UTF-8", "save the text as UTF-8") from None


def _encode_file(path: str, tokenizer: FileTokenizer) -> Array:
    if path.lower().endswith(ARRAY_ENDING):  # the tokens that this tokenizer has made before
        return _map_tokens(path)
    tokens = tokenizer.encode(read_text(path))
    # Each file is a text, so its end is a token to predict, if the tokenizer has one.
    ended = tokens if tokenizer.end is None or tokens[-1:].tolist() == [tokenizer.end] else np.append(tokens, tokenizer.end)
    return ended.astype(np.uint16 if tokenizer.size <= 1 << 16 else np.uint32)


def _find_declared_length(wanted: Mapping[str, TensorType]) -> int | None:
    sizes = (wanted[name].shape[-1] for name in (TOKENS, NEXT) if name in wanted and wanted[name].rank == 2)
    return next((size for size in sizes if isinstance(size, int)), None)


def _map_tokens(path: str) -> Array:
    check_regular_file(path)
    if not path.lower().endswith(ARRAY_ENDING):
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
