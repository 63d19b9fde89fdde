"""Decide which files a spec may read: by a `use`, or as the data of a train section.

In: a path with its links resolved. Out: the reason why it is forbidden, or nothing. Always: an allowed file is in a folder that the caller
allowed, and is not one of the kernel's. A file of a `use` is named `.net`. The answer does not depend on whether the file exists, so a
spec cannot find out which files there are.

    >>> explain_forbidden_use("/models/lib.net", ["/models"]), explain_forbidden_use("/etc/passwd", ["/models"])
    ('', 'only `.net` files can be used')
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

SUFFIX = ".net"
OUTSIDE = "it is outside of the folder of the first file"
_KERNEL = ("/proc", "/sys", "/dev")
"""Folders of the kernel, whose files are never read, even if `/` is allowed."""


def explain_forbidden_use(real: str, folders: Sequence[str], suffix: str = SUFFIX) -> str:
    """Return the reason why a `use` may not read a file, or an empty string. The links in `folders` are resolved too."""
    if not real.lower().endswith(suffix):
        return f"only `{suffix}` files can be used"
    return explain_forbidden_data(real, folders)


def explain_forbidden_data(real: str, folders: Sequence[str]) -> str:
    """Return the reason why a train section may not read data there, or an empty string."""
    if os.name == "posix" and is_within(real, _KERNEL):
        return "it is a file of the system's kernel"
    if not is_within(real, folders):
        return OUTSIDE
    return ""


def is_within(real: str, folders: Sequence[str]) -> bool:
    """Whether a file is in one of the folders, at any depth."""
    path = os.path.normcase(real)
    # with a separator at its end, because `/data2` is not in `/data`
    return any(path == folder or path.startswith(os.path.join(folder, "")) for folder in map(os.path.normcase, folders))


def open_regular(path: str, flags: int) -> int:
    """An `opener` for regular files alone. It does not wait for the writer of a FIFO, and refuses devices and links."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(path)
    raise OSError(errno.EINVAL, "it is no regular file")
