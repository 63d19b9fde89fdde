"""Checks of a path before it is opened.

In: a path. Out: the path, or a `DataError`. Always: a FIFO or a device is never opened, because reading one may block forever; a file that
would not fit into memory is not read.

    >>> check_regular_file("missing.csv")
    Traceback (most recent call last):
    netc.training.data.data_source.DataError: there is no such file or folder
    >>> check_regular_file(".")
    Traceback (most recent call last):
    netc.training.data.data_source.DataError: it is a folder, and a file is needed
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from netc.dsl.diagnostics.suggest import find_similar_names

from ...files.source_files import format_reason
from .data_source import DataError


def check_regular_file(path: str) -> str:
    """Check that the path is a regular file, and return it."""
    mode = _read_mode(path)
    if stat.S_ISDIR(mode):
        raise DataError("it is a folder, and a file is needed")
    if not stat.S_ISREG(mode):
        raise DataError("it is no regular file")
    return path


def check_folder(path: str) -> str:
    """Check that the path is a folder, and return it."""
    if not stat.S_ISDIR(_read_mode(path)):
        raise DataError("it is a file, and a folder is needed")
    return path


def list_files(path: str, endings: tuple[str, ...]) -> list[str]:
    """Return the file itself, or the files of the folder with one of these endings, sorted by name."""
    if not stat.S_ISDIR(_read_mode(path)):
        return [check_regular_file(path)]
    with translate_os_errors():
        paths = sorted(entry.path for entry in os.scandir(path) if entry.name.lower().endswith(endings) and entry.is_file())
    if not paths:
        raise DataError(f"there is no {' or '.join(f'`{e}`' for e in endings)} file in it")
    return paths


@contextmanager
def translate_os_errors() -> Iterator[None]:
    """Turn the errors of the operating system into `DataError`."""
    try:
        yield
    except OSError as error:
        raise DataError(format_reason(error)) from error
    except MemoryError as error:
        raise DataError("it needs more memory than there is") from error


def check_memory(size: int) -> None:
    """Raise `DataError` if this many bytes are more than the machine's memory."""
    memory = _physical_memory()
    if 0 < memory < size:
        needed, there = size / 2**30, memory / 2**30
        raise DataError(
            f"it would take {needed:.1f} GiB of memory, and the machine has {there:.1f} GiB",
            "save the arrays by `np.savez`, or as `.safetensors`: these are mapped, not read",
        )


def _physical_memory() -> int:
    """Return the machine's memory in bytes, or 0 where the system does not tell (Windows has no `sysconf`)."""
    known = getattr(os, "sysconf_names", {})
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in known else 0


def _read_mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError("there is no such file or folder", _suggest_path(path)) from None
    except OSError as error:
        raise DataError(format_reason(error)) from error
    except ValueError:  # a NUL in the path
        raise DataError("no file can have this name") from None


def _suggest_path(path: str) -> str:
    parent, name = os.path.split(path)
    try:
        names = [other for other in os.listdir(parent or ".") if not other.endswith(".net")]  # a spec is never data
        alike = find_similar_names(name, names)
    except OSError:
        return ""
    return f"did you mean `{os.path.join(parent, alike[0])}`?" if alike else ""
