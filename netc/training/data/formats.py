"""The formats of data: which one a path is in, and the source that reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from netc.dsl.record import Record

from .base import DataError, Source


def _npz(path: str) -> Source:
    from .npz import open_npz

    return open_npz(path)


def _sklearn(path: str) -> Source:
    from .sklearn import open_sklearn

    return open_sklearn(path)


OPENERS: dict[str, Callable[[str], Source]] = {"npz": _npz, "sklearn": _sklearn}
"""What opens each format. Modules are imported when they are needed."""
SUFFIXES = {".npz": "npz"}


class Place(Record):
    """A format and a path."""

    format: str
    path: str

    def __str__(self) -> str:
        return f"{self.format}:{self.path}"


def place_of(text: str) -> Place:
    """`FORMAT:PATH`, or a path whose ending says the format. Raises `DataError`."""
    format, colon, path = text.partition(":")
    if colon and format in OPENERS:
        return Place(format, path)
    suffix = PurePath(text).suffix.lower()
    if suffix in SUFFIXES:
        return Place(SUFFIXES[suffix], text)
    known = ", ".join(f"`{name}:`" for name in OPENERS)
    raise DataError(f"its format is not known; put one of {known} in front of the path")


def open_source(place: Place) -> Source:
    """Opens the data, reading headers only. Raises `DataError`."""
    if place.format not in OPENERS:
        raise DataError(f"`{place.format}` is no format of data; there are " + ", ".join(OPENERS))
    source = OPENERS[place.format](place.path)
    if not len(source):
        raise DataError("there are no samples in it")
    return source
