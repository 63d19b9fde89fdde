"""Files of gigabytes, which are written without the system's cache."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from mmap import PAGESIZE
from pathlib import Path

import numpy as np
import pytest

from netc.compiler.backends.onnx import direct
from netc.compiler.backends.onnx.direct import DirectFile

CONTENT = np.random.default_rng(0).integers(0, 256, 10 * PAGESIZE + 77, np.uint8).tobytes()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_BLOCK", 2 * PAGESIZE)


def written(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    with DirectFile(path) as file:
        for chunk in chunks:
            file.write(chunk)


def pieces(size: int) -> Iterator[bytes | memoryview]:
    for begin in range(0, len(CONTENT), size):
        yield memoryview(CONTENT)[begin : begin + size]


@pytest.mark.parametrize("size", [777, PAGESIZE, 2 * PAGESIZE, 5 * PAGESIZE + 1, len(CONTENT)])
def test_the_file_has_what_was_written(tmp_path: Path, size: int) -> None:
    written(tmp_path / "a", [*pieces(size), b""])
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [0, 1, PAGESIZE, 2 * PAGESIZE, 4 * PAGESIZE])
def test_sizes_of_blocks_and_less(tmp_path: Path, size: int) -> None:
    written(tmp_path / "a", [CONTENT[:size]])
    assert (tmp_path / "a").read_bytes() == CONTENT[:size]


@pytest.mark.parametrize("block", [777, PAGESIZE + 1])
def test_a_file_system_that_refuses_is_written_to_as_usual(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those on disks refuse blocks that are not of pages."""
    monkeypatch.setattr(direct, "_BLOCK", block)
    written(tmp_path / "a", pieces(PAGESIZE + 3))
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_full_disk_is_an_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        written(full, pieces(PAGESIZE))


def test_an_error_in_between_ends_the_file(tmp_path: Path) -> None:
    """What raises is raised, and no thread is left that writes."""

    def interrupted() -> Iterator[bytes]:
        yield CONTENT
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a", interrupted())
    assert threading.active_count() == before
