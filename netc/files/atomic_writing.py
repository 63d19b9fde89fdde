"""Writing files: whole, or not at all.

In: a path, and content or a function that writes it. Out: the file, and files that it refers to, or an `OSError` whose `filename` is the
path that was asked for. Always: the previous content stays until all of the new is on the disk, and nothing half-written remains.
SIGTERM and SIGHUP
end the process once that is so. What a process that was killed has left is removed by the next one that writes to the same folder.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..interrupts import delay_termination

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

STANDARD_OUTPUT = "-"
_PREFIX = ".netc-"
_TEMPORARY_NAME = re.compile(r"\.netc-[a-z0-9_]{8}")
"""Names of temporary folders."""
_TRIES = 10
_PROBE_BYTES = 1 << 20
"""The bytes that show whether a disk is full."""


def write_bytes(path: str, content: bytes) -> None:
    """Writes one file. `-` is standard output; devices and pipes are written to as they are."""
    if path == STANDARD_OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    elif is_stream(path):
        with name_path_in_errors(path), open(path, "wb") as stream:
            stream.write(content)
    else:
        write_files(path, lambda temporary: _write_content(temporary, content))


def is_stream(path: str) -> bool:
    """Whether the path is something that exists and is no regular file: a device, a pipe, standard output."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_writable(path: str) -> None:
    """Raises the `OSError` of a file that cannot be written there, as far as that is known before: no work is done in vain. It does what
    `write_files` begins with, and leaves nothing."""
    if is_stream(path):
        return
    with name_path_in_errors(path), _open_temporary_folder(os.path.dirname(_resolve_target(path))):
        pass


def _resolve_target(path: str) -> str:
    """The file that is written, where links lead."""
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise OSError(errno.EISDIR, "it is a directory", path)
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise _make_os_error(errno.EACCES, path)
    return target


def write_files(path: str, write: Callable[[str], None], parts: str | None = None) -> None:
    """Calls `write` with a path of the same name in a new folder next to it, then moves everything written there into place.

    `parts` is the regular expression of what follows the name in those of files that belong to it; such a file that was not written now
    is removed.
    """
    with name_path_in_errors(path):
        target = _resolve_target(path)
        home = os.path.dirname(target)
        with _open_temporary_folder(home) as folder:
            _call_writer(write, os.path.join(folder, os.path.basename(target)))
            _sync_files(folder)
            with _lock_home(home):
                _move_into_place(folder, home, os.path.basename(target), parts)


def _call_writer(write: Callable[[str], None], path: str) -> None:
    """Libraries in other languages raise errors of their own for a full disk: then the system is asked again what it says."""
    try:
        write(path)
    except OSError:
        raise
    except Exception:
        with open(path, "ab") as file:
            file.write(bytes(_PROBE_BYTES))
            os.fsync(file.fileno())
        raise


def _sync_files(folder: str) -> None:
    """All files of the folder are on the disk."""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "r+b") as file:
            os.fsync(file.fileno())


def _move_into_place(folder: str, home: str, name: str, parts: str | None) -> None:
    """The main file comes last: what it refers to is there before it, and what only its predecessor refers to is removed after it."""
    others = [part for part in os.listdir(folder) if part != name]
    usual = _get_default_mode(folder)
    for part in [*others, name]:
        new, old = os.path.join(folder, part), os.path.join(home, part)
        os.chmod(new, stat.S_IMODE(os.stat(old).st_mode) if os.path.exists(old) else usual)
        os.replace(new, old)
    if parts is None:
        return
    stale = re.compile(re.escape(name) + f"(?:{parts})")
    for part in os.listdir(home):
        if part not in others and stale.fullmatch(part):
            with suppress(OSError):
                os.unlink(os.path.join(home, part))


@contextmanager
def _lock_home(home: str) -> Iterator[None]:
    """No other process moves files to this folder meanwhile: it would take what the file refers to that comes last for what is left of
    its predecessor. In a temporary folder, which is locked already, there is no other."""
    lock = None
    if fcntl is not None and not _TEMPORARY_NAME.fullmatch(os.path.basename(home)):
        with suppress(OSError):  # a file system without locks, or a folder that may not be read
            lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _get_default_mode(folder: str) -> int:
    """That of a new file: libraries that write may leave nobody else any rights."""
    path = os.path.join(folder, f"{_PREFIX}mode")
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
        os.unlink(path)


def _write_content(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


@contextmanager
def _open_temporary_folder(home: str) -> Iterator[str]:
    """A new folder in `home`, locked while it is used: so others see that it is not one that was left."""
    _remove_leftovers(home)
    with delay_termination():
        folder, lock = _create_locked_folder(home)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def _create_locked_folder(home: str) -> tuple[str, int | None]:
    """A new folder and its lock, if the file system has locks."""
    for _ in range(_TRIES):  # another process may take a folder that is not locked yet for one that was left
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=home)
        lock = _try_lock(folder)
        if lock is not None or fcntl is None:
            return folder, lock
        shutil.rmtree(folder, ignore_errors=True)
    return tempfile.mkdtemp(prefix=_PREFIX, dir=home), None


def _remove_leftovers(home: str) -> None:
    """Removes the temporary folders of processes that have ended."""
    if fcntl is None:
        return
    try:
        leftovers = [
            entry.path for entry in os.scandir(home) if _TEMPORARY_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    except OSError:
        return
    for folder in leftovers:
        lock = _try_lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _try_lock(folder: str) -> int | None:
    """A descriptor that holds the only lock of the folder; None if another process has it, or has removed the folder."""
    if fcntl is None:
        return None
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), os.stat(folder)):
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


@contextmanager
def name_path_in_errors(path: str) -> Iterator[None]:
    """Errors name the path that was asked for, not that of a temporary file."""
    if "\0" in path:
        raise _make_os_error(errno.EINVAL, path)
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from None


def _make_os_error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
