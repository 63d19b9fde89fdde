"""Write files completely, or not at all.

In: a path, and content or a function that writes it. Out: the file and the files that it refers to, or an `OSError` whose `filename` is the
caller's path. Always: the previous content stays until all of the new content is on the disk, and nothing half-written remains. SIGTERM and
SIGHUP end the process only then. The temporary folder of a killed process is removed by the next process that writes to the same folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(os.path.join(folder, "a.txt"), b"whole")
    ...     os.listdir(folder)
    ['a.txt']
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
_QUOTED_NUMBER = re.compile(r"\(os error (\d+)\)")
"""How Rust's standard library ends the text of an error of the system."""
_TRIES = 10
_PROBE_BYTES = 1 << 20
"""Bytes to write to find out whether a disk is full."""


def write_bytes(path: str, content: bytes) -> None:
    """Write one file. `-` is standard output. Devices and pipes cannot be replaced, so they are written to directly."""
    if path == STANDARD_OUTPUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    elif is_stream(path):
        with name_path_in_errors(path), open(path, "wb") as stream:
            stream.write(content)
    else:
        write_files(path, lambda temporary: _write_content(temporary, content))


def is_stream(path: str) -> bool:
    """Whether the path exists and is not a regular file or folder: a device, a pipe, standard output."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_writable(path: str, marker: str | None = None) -> None:
    """Raise the `OSError` that writing the file would raise, so that no work is done in vain. It creates and removes a temporary folder, as
    `write_files` does, so the folder is the same afterwards. With `marker`, the output is a folder, as for `write_folder`."""
    if is_stream(path):
        return
    with name_path_in_errors(path), _open_temporary_folder(os.path.dirname(_resolve_target(path, marker))):
        pass


def _resolve_target(path: str, marker: str | None = None) -> str:
    """Return the file to write: a link stays a link, and the file that it leads to is replaced. With `marker`, return the folder to write,
    which may replace only a folder that contains a file of this name."""
    target = os.path.realpath(path)
    if marker is not None and os.path.lexists(target) and not os.path.isfile(os.path.join(target, marker)):
        raise OSError(errno.EEXIST, f"it exists already, and contains no {marker}", path)
    if marker is None and os.path.isdir(target):
        raise OSError(errno.EISDIR, "it is a directory", path)
    # the folder's rights alone would allow replacing a file that is write-protected
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise _make_os_error(errno.EACCES, path)
    return target


def write_files(path: str, write: Callable[[str], None], parts: str | None = None) -> None:
    """Call `write` with a path of the same name in a temporary folder next to it, then move all files of the folder into place.

    `parts` is a regular expression for the names of files that belong to this one: it matches the rest after the file's own name. Such a
    file of an earlier version is removed if it was not written again.
    """
    with name_path_in_errors(path):
        target = _resolve_target(path)
        home = os.path.dirname(target)
        with _open_temporary_folder(home) as folder:
            _call_writer(write, os.path.join(folder, os.path.basename(target)))
            _sync_files(folder)
            with _lock_home(home):
                _move_into_place(folder, home, os.path.basename(target), parts)


def write_folder(path: str, write: Callable[[str], None], marker: str) -> None:
    """Call `write` with a path of the same name in a temporary folder next to it, then move the folder that it made into place.

    `marker` is the name of a file in every such folder. A folder without it is never replaced.
    """
    with name_path_in_errors(path):
        target = _resolve_target(path, marker)
        home, name = os.path.split(target)
        with _open_temporary_folder(home) as folder:
            new, old = os.path.join(folder, name), os.path.join(folder, f"{_PREFIX}old")
            _call_writer(write, new)
            _set_default_modes(new, _get_default_mode(folder))
            _sync_files(new)
            with _lock_home(home):
                if os.path.lexists(target):
                    os.rename(target, old)
                try:
                    os.rename(new, target)
                except OSError:
                    if os.path.lexists(old):
                        os.rename(old, target)
                    raise


def _set_default_modes(folder: str, mode: int) -> None:
    """Give a folder and its content the access rights of new files: a library may have created them for their owner alone."""
    for root, _, files in os.walk(folder):
        os.chmod(root, mode | (mode & 0o444) >> 2)
        for name in files:
            os.chmod(os.path.join(root, name), mode)


def _call_writer(write: Callable[[str], None], path: str) -> None:
    """Call `write`. Libraries in other languages raise their own errors for a full disk. Those in Rust quote the system's number, as
    `safetensors` does for a limit of the size of a file. After others, a write of our own asks the system for its reason."""
    try:
        write(path)
    except OSError:
        raise
    except Exception as error:
        quoted = _QUOTED_NUMBER.search(str(error))
        if quoted:
            raise _make_os_error(int(quoted[1]), path) from error
        with open(path, "ab") as file:
            file.write(bytes(_PROBE_BYTES))
            os.fsync(file.fileno())
        raise


def _sync_files(folder: str) -> None:
    """Wait until all files of the folder are on the disk: a rename may reach it before the content does."""
    for root, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(root, name), "r+b") as file:
                os.fsync(file.fileno())


def _move_into_place(folder: str, home: str, name: str, parts: str | None) -> None:
    """Move the files into place, the main file last: the files that it refers to are there before it, and the files that only its
    predecessor refers to are removed after it."""
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
    """Keep other processes from moving files to this folder at the same time: one that writes the same name would remove the files of this
    one as its predecessor's. A temporary folder, which is locked already, needs no lock."""
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
    """Return the access rights of a new file under the umask: some libraries create files that only their owner can read."""
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
    """Create a folder in `home`, which is locked while it is in use. A folder without a lock belongs to a process that was killed."""
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
    """Create a folder, and lock it if the file system has locks."""
    for _ in range(_TRIES):  # between the two calls, another process may remove the folder, since it is not locked yet
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=home)
        lock = _try_lock(folder)
        if lock is not None or fcntl is None:
            return folder, lock
        shutil.rmtree(folder, ignore_errors=True)
    return tempfile.mkdtemp(prefix=_PREFIX, dir=home), None


def _remove_leftovers(home: str) -> None:
    """Remove the temporary folders of processes that were killed: the operating system has released their locks."""
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
    """Return a descriptor that holds the only lock of the folder, or None if another process has the lock or has removed the folder."""
    if fcntl is None:
        return None
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # another process may have removed the folder between the two calls
        if os.path.samestat(os.fstat(lock), os.stat(folder)):
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


@contextmanager
def name_path_in_errors(path: str) -> Iterator[None]:
    """Make errors within the context name the caller's path, not the path of a temporary file."""
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
