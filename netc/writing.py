"""Writing files: whole, or not at all.

In: a path, and content or a function that writes it. Out: the file, and files that it refers to, or an `OSError` whose `filename` is the
path that was asked for. Always: the previous content stays until all of the new is on the disk, and nothing half-written remains.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STANDARD_OUTPUT = "-"


def write_bytes(path: str, content: bytes) -> None:
    """Writes one file. `-` is standard output; devices and pipes are written to as they are."""
    if path == STANDARD_OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    elif is_stream(path):
        with _blaming(path), open(path, "wb") as stream:
            stream.write(content)
    else:
        write_files(path, lambda temporary: _write(temporary, content))


def is_stream(path: str) -> bool:
    """Whether the path is something that exists and is no regular file: a device, a pipe, standard output."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write_files(path: str, write: Callable[[str], None]) -> None:
    """Calls `write` with a path of the same name in a new folder next to it, then moves everything written there into place."""
    with _blaming(path):
        target = os.path.realpath(path)
        if os.path.isdir(target):
            raise OSError(errno.EISDIR, "it is a directory", path)
        if os.path.exists(target) and not os.access(target, os.W_OK):
            raise _oserror(errno.EACCES, path)
        home = os.path.dirname(target)
        with _folder(home) as folder:
            write(os.path.join(folder, os.path.basename(target)))
            _flush(folder)
            _move(folder, home)


def _flush(folder: str) -> None:
    """All files of the folder are on the disk."""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "r+b") as file:
            os.fsync(file.fileno())


def _move(folder: str, home: str) -> None:
    for name in sorted(os.listdir(folder), reverse=True):  # `m.onnx.data` before `m.onnx`, which refers to it
        new, old = os.path.join(folder, name), os.path.join(home, name)
        if os.path.exists(old):
            os.chmod(new, stat.S_IMODE(os.stat(old).st_mode))
        os.replace(new, old)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


@contextmanager
def _folder(home: str) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix=".netc-", dir=home)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _blaming(path: str) -> Iterator[None]:
    """Errors name the path that was asked for, not that of a temporary file."""
    if "\0" in path:
        raise _oserror(errno.EINVAL, path)
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from None


def _oserror(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
