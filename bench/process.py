"""Processes of the benchmarks, and their costs.

In: the words of a Python command line. Out: its `Figures`. Always: netc and its peers run on the same Python in the same surroundings, with
compiled modules and netc's grammar in a folder of the benchmark's own, which a first, unmeasured run fills.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Figures(NamedTuple):
    """The cost of a process: wall-clock seconds, CPU seconds, and the peak of its memory in bytes."""

    wall: float
    cpu: float
    peak: int


class Failed(Exception):
    """A measured process failed, so there is no result."""


class Sandbox:
    """A temporary folder for a run of the benchmarks, and the environment that its processes share."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XDG_", "NETC_"))}
        self.environment = kept | {
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": self.file("bytecode"),
            "XDG_CACHE_HOME": self.file("cache"),
        }

    def file(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, name: str, text: str) -> str:
        """Writes a file here and returns its path."""
        path = self.file(name)
        Path(path).write_text(text, encoding="utf-8")
        return path

    def run(self, words: Sequence[str]) -> Figures:
        """Runs `python WORDS` here and waits for it."""
        before = time.perf_counter()
        cpu, peak = self._finish(self._start(words, subprocess.DEVNULL), words)
        return Figures(time.perf_counter() - before, cpu, peak)

    def ask(self, words: Sequence[str]) -> str:
        """Runs `python WORDS` here and returns its standard output."""
        process = self._start(words, subprocess.PIPE)
        assert process.stdout is not None
        said = process.stdout.read().decode()
        self._finish(process, words)
        return said

    def _start(self, words: Sequence[str], output: int) -> subprocess.Popen[bytes]:
        with open(self.file("errors"), "wb") as errors:
            return subprocess.Popen([sys.executable, *words], cwd=self.folder, env=self.environment, stdout=output, stderr=errors)

    def _finish(self, process: subprocess.Popen[bytes], words: Sequence[str]) -> tuple[float, int]:
        """Waits for the process and returns its CPU seconds and its peak memory."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said = Path(self.file("errors")).read_text(errors="replace")
            raise Failed(f"`python {' '.join(words)}` ended with {process.returncode}:\n{said}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="netc-bench-") as folder:
        yield Sandbox(folder)
