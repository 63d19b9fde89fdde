"""Checks of free disk space and memory before a large file or array is made.

In: a number of bytes. Out: nothing, or an `OSError` or `MemoryError` with the bytes that are needed and those that are free. Always: the
check passes if the operating system does not report what is free.

    >>> format_bytes(13_500_000_000)
    '13.5 GB'
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_UNCHECKED = 64 << 20
"""Bytes below which memory is not checked: a process without 64 MB left fails anyway."""
_CGROUP_FILES = (("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),)
"""Files in which Linux reports the limit of a container's memory and its use. `/proc/meminfo` reports the host's memory instead."""


def check_disk(folder: str | Path, needed: int, what: str = "it takes") -> None:
    """Raise OSError unless the disk of a folder has that number of bytes left. `what` is a clause: `it takes`."""
    try:
        free = shutil.disk_usage(folder).free
    # A network drive may not report its free space; writing will find out.
    except OSError:
        return
    if needed > free:
        raise OSError(errno.ENOSPC, f"{what} {format_bytes(needed)}, and the disk has {format_bytes(free)} left")


def check_memory(needed: int, what: str) -> None:
    """Raise MemoryError if that number of bytes is not available. `what` is a clause: `the parameters take`."""
    if needed < _UNCHECKED:
        return
    free = min(_read_available_memory(), default=None)
    if free is not None and needed > free:
        raise MemoryError(f"{what} {format_bytes(needed)} of memory, and {format_bytes(free)} are left")


def _read_available_memory() -> Iterator[int]:
    with suppress(OSError, ValueError, KeyError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        yield sum(int(lines[name].split()[0]) << 10 for name in ("MemAvailable", "SwapFree"))
    # A limit of "max" is no number, which `suppress` turns into no limit.
    for limit, used in _CGROUP_FILES:
        with suppress(OSError, ValueError):
            yield int(Path(limit).read_text()) - int(Path(used).read_text())


def format_bytes(size: int) -> str:
    """Format a number of bytes for people: `13.5 GB`."""
    units = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
    return next((f"{size / scale:.1f} {unit}" for unit, scale in units if size >= scale), f"{size} bytes")
