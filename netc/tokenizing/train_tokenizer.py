"""Train a tokenizer on texts: byte-level BPE, by the package `tokenizers`.

In: the paths of texts, and the size of the vocabulary. Out: the `tokenizer.json`. Always: the vocabulary has all 256 bytes, so every text
has tokens, and the token `<|endoftext|>` with the number 0.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.txt")
    ...     with open(path, "w") as file:
    ...         _ = file.write("the cat, the dog, the cow " * 20)
    ...     tokenizer, size = train_tokenizer([path], 270)
    >>> size
    268
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..training.data.data_source import DataError
from ..training.data.text_windows import list_text_files, read_text
from .text_tokenizer import BYTE_COUNT, END_TOKENS, import_tokenizers


def train_tokenizer(paths: list[str], size: int) -> tuple[str, int]:
    """Train a tokenizer. Return its file and the size of its vocabulary, which is smaller than `size` if no pair of tokens is left.

    The smallest `size` is 257: all bytes, and the end of a text. `paths` are files, folders of `.txt` files, or patterns such as `*.txt`.
    Raises `DataError` and `TokenizerError`.
    """
    tokenizers = import_tokenizers()
    files = [file for path in paths for file in _list_files(path)]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    # The package reserves memory for the tokens, and a huge number ends the process. Each token beyond the bytes joins two tokens of the
    # text, so there are at most as many as the text has bytes.
    most = BYTE_COUNT + 1 + sum(os.path.getsize(file) for file in files)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=min(size, most),
        special_tokens=[END_TOKENS[0]],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_read_parts(files), trainer)
    return tokenizer.to_str(pretty=True), tokenizer.get_vocab_size()


def _list_files(path: str) -> list[str]:
    try:
        return list_text_files(path)
    except DataError as error:
        raise DataError(f"cannot read `{path}`: {error}", error.remedy) from None


def _read_parts(files: list[str]) -> Iterator[str]:
    """Yield the texts of the files. One file may have many, with the end token between them, which must not become letters to merge."""
    for file in files:
        yield from read_text(file).split(END_TOKENS[0])
