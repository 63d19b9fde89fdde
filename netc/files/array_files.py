"""Read files of arrays.

In: a path, and a function that reads it. Out: arrays, or an `UnreadableArrays` whose message is a sentence. Always: nothing in a file is
executed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .source_files import format_reason

T = TypeVar("T")


class UnreadableArrays(ValueError):
    """The file cannot be read, or has no arrays of numbers."""


def read_arrays(path: str, read: Callable[[str], T], ending: str) -> T:
    """Return the result of `read` for a file with this ending. Raises `UnreadableArrays`."""
    from netc.compiler.weights.numpy_files import UnfitArrayFile

    try:
        return read(path)
    except FileNotFoundError:
        raise UnreadableArrays(f"cannot read `{path}`: there is no such file") from None
    except OSError as error:
        raise UnreadableArrays(f"cannot read `{path}`: {format_reason(error)}") from None
    except UnfitArrayFile as error:
        raise UnreadableArrays(f"cannot read `{path}`: it is not a {ending} file of numbers: {error}") from None
