"""Which files a spec may read: those of a `use`, and the data of a train section.

In: a path, links resolved. Out: nothing, or what is allowed. Always: what passes is in a folder that the caller allowed, and is none of
the kernel's; what a `use` reads is named `.net`; the answer does not depend on whether the file exists.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

SUFFIX = ".net"
OUTSIDE = "it is outside of the folder of the first file"
_KERNEL = ("/proc", "/sys", "/dev")
"""Folders whose files are no text of anybody's, wherever they are allowed from."""


def explain_forbidden_use(real: str, folders: Sequence[str], suffix: str = SUFFIX) -> str:
    """What forbids it; empty if nothing does. `folders` have their links resolved too; `suffix` is what its name must end with."""
    if not real.lower().endswith(suffix):
        return f"only `{suffix}` files can be used"
    return explain_forbidden_data(real, folders)


def explain_forbidden_data(real: str, folders: Sequence[str]) -> str:
    """What forbids to read data there; empty if nothing does."""
    if os.name == "posix" and is_within(real, _KERNEL):
        return "it is a file of the system's kernel"
    if not is_within(real, folders):
        return OUTSIDE
    return ""


def is_within(real: str, folders: Sequence[str]) -> bool:
    """Whether one of the folders has the file, at any depth."""
    path = os.path.normcase(real)
    return any(path == folder or path.startswith(os.path.join(folder, "")) for folder in map(os.path.normcase, folders))


def open_regular(path: str, flags: int) -> int:
    """An `opener` that does not wait for the writer of a FIFO, and opens neither that nor a device nor a link."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(path)
    raise OSError(errno.EINVAL, "it is no regular file")
