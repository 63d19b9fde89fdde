"""Tokenizers: from a text to the numbers of its tokens, and back while tokens arrive.

In: a `tokenizer.json` of the package `tokenizers`, as transformers saves it, or nothing. Out: a `FileTokenizer`, or the `BYTES` of UTF-8.
Always: the tokens of a text are only the tokens of its characters. Tokens that a model of another task would add in front, truncation and
padding, which the file may ask for, are turned off; only the prompt of a published model begins as its file says. A file that is no
tokenizer raises `TokenizerError`.

>>> BYTES.encode("Aß").tolist()
[65, 195, 159]
>>> decoder = BYTES.make_decoder()
>>> [decoder.decode(token) for token in (65, 195, 159)], decoder.finish()
(['A', '', 'ß'], '')
"""

from __future__ import annotations

import codecs
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netc.compiler.errors.optional_packages import format_install_command

from ..files.source_files import format_reason

if TYPE_CHECKING:
    from tokenizers import Tokenizer as PackageTokenizer

TOKENIZER = "tokenizer.json"
"""The usual name of a tokenizer's file, and its name in the folder of a run."""
END_TOKENS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>")
"""The tokens that end a text, by their usual names: `tokenizer.json` does not say which of its tokens has this meaning. `netc tokenizer`
uses the first."""
BYTE_COUNT = 256


class TokenizerError(Exception):
    """A tokenizer that cannot be used. `remedy` says what to do."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


class TokenDecoder(Protocol):
    """Turns tokens into text while they arrive. A character that several tokens share comes with the last of them."""

    def decode(self, token: int) -> str: ...

    def finish(self) -> str:
        """Return the text of an incomplete character at the end."""
        ...


class Tokenizer(Protocol):
    """`size`: tokens are numbers below it. `end`: the token that ends a text, if there is one. `ends`: all tokens that do."""

    size: int
    end: int | None
    ends: frozenset[int]

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the tokens of a text. Raises `UnicodeEncodeError` for a text that is not Unicode."""
        ...

    def encode_prompt(self, text: str) -> NDArray[np.int64]:
        """Return the tokens of the beginning of a text, with those that the model expects in front."""
        ...

    def make_decoder(self) -> TokenDecoder: ...


class ByteTokenizer:
    """The bytes of UTF-8 as tokens."""

    size = BYTE_COUNT
    end: int | None = None
    ends: frozenset[int] = frozenset()

    def encode(self, text: str) -> NDArray[np.int64]:
        return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8).astype(np.int64)

    def encode_prompt(self, text: str) -> NDArray[np.int64]:
        return self.encode(text)

    def make_decoder(self) -> TokenDecoder:
        return _ByteDecoder()


class _ByteDecoder:
    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def decode(self, token: int) -> str:
        # A vocabulary may be larger than the bytes that it uses; such a token has no text.
        return self._decoder.decode(bytes((token,))) if token < BYTE_COUNT else "\ufffd"

    def finish(self) -> str:
        return self._decoder.decode(b"", final=True)


BYTES = ByteTokenizer()


class FileTokenizer:
    """A tokenizer of the package `tokenizers`. `content` is its file, and `digest` the hash of it."""

    adds_special = False
    """Whether a prompt gets the tokens that the file adds, such as the one that begins a text. Runs of netc are trained without them."""

    def __init__(self, content: bytes, tokenizer: PackageTokenizer) -> None:
        self.content, self._tokenizer = content, tokenizer
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        self.digest = hash_content(content)
        self.size = max(vocabulary.values(), default=-1) + 1
        self.end: int | None = next((vocabulary[name] for name in END_TOKENS if name in vocabulary), None)
        self.ends = frozenset() if self.end is None else frozenset({self.end})

    def encode(self, text: str) -> NDArray[np.int64]:
        return self._encode(text, add_special=False)

    def encode_prompt(self, text: str) -> NDArray[np.int64]:
        return self._encode(text, add_special=self.adds_special)

    def _encode(self, text: str, add_special: bool) -> NDArray[np.int64]:
        # `encode_batch_fast` leaves out the positions of tokens in the text, which take ten times the memory of their numbers.
        try:
            (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=add_special)
        except TypeError:  # how the package refuses halves of surrogate pairs, which are also Python's form of bytes that are not UTF-8
            text.encode("utf-8")
            raise
        return np.array(encoding.ids, np.int64)

    def make_decoder(self) -> TokenDecoder:
        return _FileDecoder(self._tokenizer)


class _FileDecoder:
    """Decodes by the package's `DecodeStream`, which keeps back the bytes of an incomplete character."""

    def __init__(self, tokenizer: PackageTokenizer) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer, self._stream = tokenizer, DecodeStream(skip_special_tokens=True)
        self._tokens: list[int] = []
        """The tokens after the last complete character."""

    def decode(self, token: int) -> str:
        self._tokens.append(token)
        text: str | None = self._stream.step(self._tokenizer, token)
        if text is None:
            return ""
        self._tokens.clear()
        return text

    def finish(self) -> str:
        return str(self._tokenizer.decode(self._tokens, skip_special_tokens=True)) if self._tokens else ""


def hash_content(content: bytes) -> str:
    """Return the hash of a tokenizer's file, as `config.json` has it."""
    return blake2b(content, digest_size=16).hexdigest()


def import_tokenizers() -> Any:
    """Import the package `tokenizers`. Raises `TokenizerError`."""
    try:
        import tokenizers
    except ImportError:
        raise TokenizerError("the package tokenizers is not installed", f"run `{format_install_command('tokenizers')}`") from None
    return tokenizers


def read_tokenizer(path: str) -> FileTokenizer:
    """Read a `tokenizer.json`. Raises `TokenizerError`, whose text completes "cannot read `path`: ..."."""
    tokenizers = import_tokenizers()
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        raise TokenizerError(format_reason(error) if isinstance(error, OSError) else "no file can have this name") from None
    try:
        tokenizer = tokenizers.Tokenizer.from_buffer(content)
    except Exception as error:  # the package raises whatever its reader of JSON says
        what = str(error).removeprefix("Cannot instantiate Tokenizer from buffer: ")
        remedy = "pass the `tokenizer.json` of a model, or train one: `netc tokenizer FILES -o tokenizer.json`"
        raise TokenizerError(f"it is no tokenizer: {what}", remedy) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    result = FileTokenizer(content, tokenizer)
    if not result.size:
        raise TokenizerError("its vocabulary is empty")
    return result
