"""Writes files of gigabytes past the system's page cache.

Filling the cache can take longer than writing to the disk, and files of this size evict the pages of other programs.

In: a path, then bytes. Out: the file. Always: where the system or the file system does not support direct writing, the file is written
like any other.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from mmap import PAGESIZE, mmap
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Future

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_DIRECT = getattr(os, "O_DIRECT", 0)
_REFUSED = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
"""The errors of file systems that do not support direct writing."""
_BLOCK = 1 << 24
"""The bytes that are written at once. Address, position and length of a block are multiples of a page."""


class DirectFile:
    """A new file that is written from beginning to end. While one block is written to the disk, the other is filled."""

    def __init__(self, path: Path) -> None:
        from concurrent.futures import ThreadPoolExecutor  # imported here, because most models are written without it

        # `mmap` aligns the blocks to pages, as direct writing requires.
        self._blocks = [memoryview(mmap(-1, _BLOCK)) for _ in range(2)]
        self._filled = 0
        self._size = 0
        self._thread = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None
        self._file = path.open("wb", buffering=0)
        self._set_direct(True)

    def write(self, content: bytes | memoryview) -> None:
        remaining = memoryview(content)
        self._size += len(remaining)
        while remaining:
            part, remaining = remaining[: _BLOCK - self._filled], remaining[_BLOCK - self._filled :]
            block = self._blocks[0][self._filled : self._filled + len(part)]
            np.copyto(np.frombuffer(block, np.uint8), np.frombuffer(part, np.uint8))  # releases the GIL, unlike slicing
            self._filled += len(part)
            if self._filled == _BLOCK:
                self._submit_block()

    def __enter__(self) -> DirectFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file, self._thread:
            if error is None:
                # The last block is written up to a full page, and the file cut to its size afterwards.
                self._filled += -self._filled % PAGESIZE
                self._submit_block()
                self._wait_for_block()
                self._file.truncate(self._size)

    def _submit_block(self) -> None:
        self._wait_for_block()
        self._written = self._thread.submit(self._write_block, self._blocks[0][: self._filled])
        self._blocks.reverse()
        self._filled = 0

    def _wait_for_block(self) -> None:
        """Wait until the previous block is on the disk. Raises its error."""
        if self._written is not None:
            self._written.result()

    def _write_block(self, remaining: memoryview) -> None:
        while remaining:
            remaining = remaining[self._write_some(remaining) :]

    def _write_some(self, content: memoryview) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            # The first refused write turns direct writing off, and the same bytes are written again.
            if error.errno not in _REFUSED or not self._set_direct(False):
                raise
            return self._file.write(content)

    def _set_direct(self, direct: bool) -> bool:
        """Switch direct writing on or off. Return whether that changed anything."""
        if fcntl is None or not _DIRECT:
            return False
        with suppress(OSError):
            before = fcntl.fcntl(self._file, fcntl.F_GETFL)
            after = before | _DIRECT if direct else before & ~_DIRECT
            fcntl.fcntl(self._file, fcntl.F_SETFL, after)
            return after != before
        return False
