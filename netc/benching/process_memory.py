"""The memory of this process, in bytes; None where the system does not say."""

from __future__ import annotations

import sys


def used_memory() -> int | None:
    """What it has now."""
    return _of_linux("VmRSS")


def peak_memory() -> int | None:
    """The most that it has had."""
    found = _of_linux("VmHWM")
    if found is not None:
        return found
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _of_linux(name: str) -> int | None:
    """A line of the process's status: a child begins with the peak of its parent in `getrusage`, and not here."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            found = next(line for line in status if line.startswith(f"{name}:"))
    except (OSError, StopIteration):
        return None
    return int(found.split()[1]) * 1024
