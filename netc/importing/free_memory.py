"""Returns memory that nothing uses any more to the system.

glibc keeps the memory of freed arrays of up to 32 MiB, because each freed array raises the size from which it asks the system for memory of
its own (`M_MMAP_THRESHOLD` in mallopt(3)). A proof makes several copies of a model's weights one after the other. Without this module, the
process kept the memory of two of them, which other frameworks cannot use.

    >>> import numpy as np
    >>> arrays = [np.ones(10_000) for _ in range(100)]
    >>> del arrays
    >>> return_free_memory()
"""

from __future__ import annotations

import ctypes
import sys


def return_free_memory() -> None:
    """Return free memory to the system. Does nothing with a C library other than glibc."""
    if not sys.platform.startswith("linux"):
        return
    # musl has no such function, and keeps no large arrays.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
