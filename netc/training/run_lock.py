"""Lock the folder of a run, so that only one training at a time uses it.

In: a folder that exists. Out: a context that holds the lock, or a `RunError` that names the process that has it. Always: the lock is the
operating system's, so that a killed process holds none, and child processes do not inherit it. On a file system without locks, the context
does nothing.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, lock_folder(Path(folder)):
    ...     (Path(folder) / LOCK).exists()
    True
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netc.compiler.errors.run_errors import RunError, RunLocked

LOCK = ".lock"
"""The file of the lock, in the folder of the run. It names the process that holds the lock, as JSON."""
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_BYTE = 1 << 20
"""The byte that is locked. It lies after the content, because Windows does not let others read locked bytes."""
_locked_folders: set[str] = set()
"""The folders that this process has locked. The system lets a process take a lock twice, and then releases it at the first release."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the lock for the duration of the context. Raises `RunError` if another training has it."""
    key = os.path.realpath(folder)
    if key in _locked_folders:
        raise RunError(RunLocked(os.fspath(folder), os.getpid()))
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # writing into the folder will report why it cannot be written
        yield
        return
    try:
        _acquire_lock(descriptor, folder)
        _locked_folders.add(key)
        yield
    finally:
        _locked_folders.discard(key)
        os.close(descriptor)


def _acquire_lock(descriptor: int, folder: Path) -> None:
    try:
        _lock_byte(descriptor)
    except OSError as error:
        if error.errno in _TAKEN:
            raise RunError(_read_holder(descriptor, folder)) from None
        return
    # The text of an earlier process may be longer.
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps({"process": os.getpid(), "host": socket.gethostname()}).encode())


if sys.platform == "win32":
    import msvcrt

    def _lock_byte(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock_byte(descriptor: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _BYTE, os.SEEK_SET)


def _read_holder(descriptor: int, folder: Path) -> RunLocked:
    """Return the error with the process that holds the lock, as far as the file names it."""
    process, host = 0, ""
    with suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads(os.read(descriptor, 4096))
        process, host = int(content["process"]), str(content["host"])
    return RunLocked(os.fspath(folder), process, "" if host == socket.gethostname() else host)
