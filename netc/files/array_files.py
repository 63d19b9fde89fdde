"""Read files of arrays.

In: a path, and a function that reads it. Out: arrays, or an `UnreadableArrays` whose message is a sentence. Always: nothing in a file is
executed.

    >>> make_member_name("encoder.weight"), make_member_name("/layer/out")
    ('encoder.weight', '%2Flayer%2Fout')
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from .source_files import format_reason

T = TypeVar("T")
_LONGEST_NAME = 10_000
"""The most bytes of an array's name. The zip format stores its length in two bytes."""


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


def make_member_name(name: str) -> str:
    """Return the name of an array in an `.npz` file. Characters that would make it a path are percent-encoded: `/layer/out` is
    `%2Flayer%2Fout`. Raises `ValueError` for a name that is too long."""
    member = "".join(quote(c, safe="", errors="backslashreplace") if c in "/\\:%" or not c.isprintable() else c for c in name)
    if len(member.encode()) > _LONGEST_NAME:
        raise ValueError(f"an output has a name of {len(name)} characters, which is too long for a file")
    return member
