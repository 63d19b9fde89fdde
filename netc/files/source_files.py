"""Read the texts of specs.

In: a path, or bytes. Out: a `SourceFile`, or an `Unreadable` with a diagnostic. Always: a text is UTF-8, has no NUL, and is at most 64 MiB.

    >>> decode_source(bytes([0xEF, 0xBB, 0xBF]) + b"input 3 -> relu", "a.net").text
    'input 3 -> relu'
    >>> decode_source(bytes([0xFF]), "a.net")
    Traceback (most recent call last):
    netc.files.source_files.Unreadable: cannot read `a.net`: it is not UTF-8
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from netc.dsl.source import SourceFile, Span

from .file_problems import BinaryFile, FileProblem, FileTooLarge, MissingFile, NotAFile, NotUtf8, UnreadableFile, make_diagnostic

if TYPE_CHECKING:
    from netc.dsl.diagnostics import Diagnostic

MAX_BYTES = 64 << 20
"""The largest text, in bytes."""


class Unreadable(Exception):
    """The file cannot be read as text. `span` is the position of the mistake, or the empty beginning of the file."""

    def __init__(self, problem: FileProblem, span: Span) -> None:
        super().__init__(problem.format_message())
        self.problem = problem
        self.span = span

    @property
    def diagnostic(self) -> Diagnostic:
        return make_diagnostic(self.problem, self.span)


def read_file(path: str, name: str | None = None, opener: Callable[[str, int], int] | None = None) -> SourceFile:
    """Return the text of a file. `name` is its name in messages, by default the path. `opener` is the argument of `open`."""
    return decode_source(read_content(path, path if name is None else name, opener, MAX_BYTES), path if name is None else name)


def read_content(path: str, name: str, opener: Callable[[str, int], int] | None, limit: int) -> bytes:
    """Return the bytes of a file, at most one more than the limit. `name` is its name in messages. Raises `Unreadable`."""
    try:  # one byte beyond the limit shows that a file is too large; `/dev/zero` would never end
        with open(path, "rb", opener=opener) as file:
            return file.read(limit + 1)
    except IsADirectoryError:
        raise _make_unreadable(NotAFile(name), name) from None
    except (FileNotFoundError, NotADirectoryError):
        raise _make_unreadable(MissingFile(name, find_similar_files(path, os.path.dirname(name))), name) from None
    except OSError as error:
        raise _make_unreadable(UnreadableFile(name, format_reason(error)), name) from None
    except ValueError:  # a NUL in the path
        raise _make_unreadable(MissingFile(name), name) from None


def read_stdin() -> SourceFile:
    """Return the text on standard input."""
    name = "<stdin>"
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise _make_unreadable(UnreadableFile(name, format_reason(error)), name) from None
    return decode_source(content, name)


def decode_source(content: bytes, name: str) -> SourceFile:
    """Decode bytes, and remove a byte order mark, which some editors for Windows write."""
    if len(content) > MAX_BYTES:
        raise _make_unreadable(FileTooLarge(name, MAX_BYTES), name)
    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, where every other byte is NUL
        raise _make_unreadable(NotUtf8(name, content[0], 0), name)
    if b"\0" in content:
        raise _make_unreadable(BinaryFile(name), name)
    try:
        return SourceFile(name, content.decode())
    except UnicodeDecodeError as error:
        # the position counts characters, so it is the length of the text before the invalid byte
        source = SourceFile(name, content.decode(errors="replace"))
        index = len(content[: error.start].decode())
        raise Unreadable(NotUtf8(name, content[error.start], error.start), Span(source, index, index + 1)) from None


def format_reason(error: OSError) -> str:
    """Return the operating system's message in lower case: `permission denied`."""
    word = error.strerror or str(error) or type(error).__name__
    return word[:1].lower() + word[1:]


def find_similar_files(path: str, shown_in: str) -> tuple[str, ...]:
    """Return the files in the directory of `path` with similar names, as paths in the directory `shown_in`."""
    from netc.dsl.diagnostics.suggest import find_similar_names  # only a missing file needs it

    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except OSError:
        return ()
    stem, ending = os.path.splitext(os.path.basename(path))
    alike = [s for s, e in map(os.path.splitext, names) if e == ending]
    return tuple(os.path.join(shown_in, found + ending) for found in find_similar_names(stem, alike))


def _make_unreadable(problem: FileProblem, name: str) -> Unreadable:
    return Unreadable(problem, Span(SourceFile(name, ""), 0, 0))
