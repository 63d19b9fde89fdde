"""Files of gigabytes, which are written without the system's cache."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from io import FileIO
from mmap import PAGESIZE
from pathlib import Path

import numpy as np
import pytest

from netc.compiler.backends.onnx import direct_io
from netc.compiler.backends.onnx.direct_io import DirectFile

CONTENT = np.random.default_rng(0).integers(0, 256, 10 * PAGESIZE + 77, np.uint8).tobytes()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_io, "_BLOCK", 2 * PAGESIZE)


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
    monkeypatch.setattr(direct_io, "_BLOCK", block)
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


class Disk:
    """A file whose writes do what is asked for, one after the other: an error, or a number of bytes."""

    def __init__(self, file: FileIO, answers: list[int | OSError]) -> None:
        self.file, self.answers = file, answers

    def write(self, content: memoryview) -> int:
        answer = self.answers.pop(0) if self.answers else len(content)
        if isinstance(answer, OSError):
            raise answer
        return self.file.write(content[:answer])

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()


def written_on(path: Path, answers: list[int | OSError]) -> tuple[FileIO, bool]:
    """Writes the content there; the file, and whether it was written directly in the end."""
    with DirectFile(path) as file:
        real = file._file
        file._file = Disk(real, answers)  # type: ignore[assignment]
        for piece in pieces(PAGESIZE + 3):
            file.write(piece)
        direct_yet = is_direct(real)
    return real, direct_yet


def is_direct(file: FileIO) -> bool:
    fcntl = pytest.importorskip("fcntl")
    return bool(fcntl.fcntl(file, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0))


def writes_directly(folder: Path) -> bool:
    """Whether the file system takes blocks that are not the cache's."""
    try:
        place = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
    except (AttributeError, OSError):
        return False
    os.close(place)
    return True


def test_it_is_written_directly(tmp_path: Path) -> None:
    if not writes_directly(tmp_path):
        pytest.skip("the file system of the temporary folder has no direct writing")
    real, direct_yet = written_on(tmp_path / "a", [])
    assert direct_yet
    assert real.closed
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_refusal_is_no_error(tmp_path: Path, number: int) -> None:
    if not writes_directly(tmp_path):
        pytest.skip("the file system of the temporary folder has no direct writing")
    _, direct_yet = written_on(tmp_path / "a", [OSError(number, os.strerror(number))])
    assert not direct_yet
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_what_was_not_written_is_written_next(tmp_path: Path) -> None:
    written_on(tmp_path / "a", [PAGESIZE, PAGESIZE, 2 * PAGESIZE, PAGESIZE])
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_disk_that_becomes_full_is_an_error(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        written_on(tmp_path / "a", [2 * PAGESIZE, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
    assert threading.active_count() == before
