"""One training at a time in the folder of a run.

In: a folder that exists. Out: a lock for as long as the context lasts, or a `RunError` that says who has it. Always: the lock is the
operating system's, so that a process that is killed has none, and a child process does not inherit it. Where the file system has no locks,
nothing is locked.
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

from netc.compiler.errors.running import RunError, RunLocked

LOCK = ".lock"
"""The file of the lock, in the folder of the run: who has the lock, as JSON."""
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_BYTE = 1 << 20
"""The byte that is locked, after the content: others may read that."""
_own: set[str] = set()
"""The locks of this process: the system lets it take one twice, and gives back both at once."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Holds the lock. Raises `RunError` if another training has it."""
    key = os.path.realpath(folder)
    if key in _own:
        raise RunError(RunLocked(os.fspath(folder), os.getpid()))
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # what follows says why the folder cannot be written
        yield
        return
    try:
        _acquire_lock(descriptor, folder)
        _own.add(key)
        yield
    finally:
        _own.discard(key)
        os.close(descriptor)


def _acquire_lock(descriptor: int, folder: Path) -> None:
    try:
        _lock_byte(descriptor)
    except OSError as error:
        if error.errno in _TAKEN:
            raise RunError(_read_holder(descriptor, folder)) from None
        return
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
    """Who has the lock, as far as the file says."""
    process, host = 0, ""
    with suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads(os.read(descriptor, 4096))
        process, host = int(found["process"]), str(found["host"])
    return RunLocked(os.fspath(folder), process, "" if host == socket.gethostname() else host)
