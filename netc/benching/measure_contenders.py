"""Measure contenders in turns.

In: jobs. Out: a `Measurement` for each, in order. Always: each contender is a process of its own. In each round all have a turn, every
other round in the opposite order, so that other load on the machine affects all of them. A ratio is the median of the ratios to the first
contender in each round.

For example, two contenders A and B run in the order A B, B A, A B, and so on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from types import TracebackType
from typing import Any

from netc.dsl.record import Record

from .job import Job

_MAX_RUNS = 10_000
"""The most runs of a turn."""
_WARM_UP_ROUNDS = 3
"""The first rounds, which do not count."""


class Measurement(Record):
    """The result of a contender. `runs`, `load` and `first` are in seconds, `peak` and `base` in bytes.

    `first` is the first run. `ratio` compares the latency with the first contender's. `base` is the memory of the libraries alone, and both
    are None where the system does not report memory. `difference` is the largest difference from the first contender's results, relative to
    the largest value, or None if the number or the shapes of the results differ.
    """

    what: str
    runs: tuple[float, ...]
    load: float
    first: float
    ratio: float
    peak: int | None
    base: int | None
    difference: float | None


class ContenderFailed(Exception):
    """A contender cannot be measured."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


class Contender:
    """The process of a job. It ends with the context."""

    def __init__(self, job: Job) -> None:
        self.job = job
        code = "from netc.benching.worker import main; main()"
        self._process = subprocess.Popen(
            # -P: with `-c` alone, a file in the current folder would replace a module of its name, such as `json`
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_make_environment(),
            start_new_session=True,  # Ctrl-C in the terminal interrupts this process alone, which then ends the other
        )

    def __enter__(self) -> Contender:
        self.base: int | None = self.ask(self.job.to_json())["base"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command, and return the answer. Raises `ContenderFailed`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended, and the missing answer is reported below
        line = self._process.stdout.readline()
        if not line:
            raise ContenderFailed(self.job.what, f"its process ended with {self._process.wait()}, perhaps for lack of memory")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContenderFailed(self.job.what, answer["error"])
        return answer


def _make_environment() -> dict[str, str]:
    """Return the environment of this process, with its module path: a contender may be a module in the current folder."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}


def export_model(job: Job) -> None:
    """Let a process write an ONNX file with torch.onnx.export. Raises `ContenderFailed`."""
    with Contender(job) as contender:
        contender.ask("load")


def measure_in_turns(jobs: Sequence[Job], rounds: int, folder: str) -> list[Measurement]:
    """Measure all contenders. The results of the models are written to `folder`, to compare them. Raises `ContenderFailed`."""
    results = [os.path.join(folder, f"results{index}.npz") for index in range(len(jobs))]
    with ExitStack() as stack:
        contenders = [stack.enter_context(Contender(job)) for job in jobs]
        loads = [contender.ask("load")["seconds"] for contender in contenders]
        firsts = [contender.ask(f"first {path}")["seconds"] for contender, path in zip(contenders, results, strict=True)]
        turns: list[list[list[float]]] = [[] for _ in jobs]
        peaks: list[int | None] = [None] * len(jobs)
        for round_ in range(-min(_WARM_UP_ROUNDS, rounds), rounds):
            order = range(len(jobs))
            for index in order if round_ % 2 else reversed(order):
                answer = contenders[index].ask(f"turn {_MAX_RUNS}")
                peaks[index] = answer["peak"]
                if round_ >= 0:
                    turns[index].append(answer["seconds"])
    middles = [[median(turn) for turn in medians_of] for medians_of in turns]
    return [
        Measurement(
            job.what,
            tuple(seconds for turn in turns[index] for seconds in turn),
            loads[index],
            firsts[index],
            median(latency / first_latency for latency, first_latency in zip(middles[index], middles[0], strict=True)),
            peaks[index],
            contenders[index].base,
            _compare_results(results[index], results[0]),
        )
        for index, job in enumerate(jobs)
    ]


def _compare_results(path: str, other: str) -> float | None:
    import numpy as np

    from ..importing.array_difference import measure_difference

    with np.load(path) as mine, np.load(other) as theirs:
        pairs = [(mine[name], theirs[name]) for name in mine.files if name in theirs.files]
        if len(pairs) != max(len(mine.files), len(theirs.files)) or any(a.shape != b.shape for a, b in pairs):
            return None
        return max((measure_difference(a, b) for a, b in pairs), default=0.0)
