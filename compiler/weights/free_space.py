"""Whether there is room for what is about to be made.

In: a number of bytes. Out: nothing, or an `OSError` or `MemoryError` that says what is needed and what there is. Always: where the system
does not say what it has, there is room.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SPARE = 64 << 20
"""Bytes below which nothing is asked: they are there, or everything fails."""
_LIMITS = (("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),)
"""Where Linux says what a container may use, and what it uses."""


def check_disk(folder: str | Path, needed: int, what: str = "it takes") -> None:
    """Raises OSError unless the disk of a folder has that number of bytes left. `what` is a clause: `it takes`."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if needed > free:
        raise OSError(errno.ENOSPC, f"{what} {shown(needed)}, and the disk has {shown(free)} left")


def check_memory(needed: int, what: str) -> None:
    """Raises MemoryError if that number of bytes cannot be had. `what` is a clause: `the parameters take`."""
    if needed < _SPARE:
        return
    free = min(_available(), default=None)
    if free is not None and needed > free:
        raise MemoryError(f"{what} {shown(needed)} of memory, and {shown(free)} are left")


def _available() -> Iterator[int]:
    with suppress(OSError, ValueError, KeyError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        yield sum(int(lines[name].split()[0]) << 10 for name in ("MemAvailable", "SwapFree"))
    for limit, used in _LIMITS:
        with suppress(OSError, ValueError):
            yield int(Path(limit).read_text()) - int(Path(used).read_text())


def shown(size: int) -> str:
    """Bytes for people: `13.5 GB`."""
    units = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
    return next((f"{size / one:.1f} {unit}" for unit, one in units if size >= one), f"{size} bytes")
