"""The process of a contender.

In: a job as the first line of standard input, then a command in each line. Out: an answer to each as a line of JSON, or an `error`. Always:
standard output has the answers alone, and the output of the model's own code goes to standard error. The process ends when its input ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.onnx.runtime_failures import is_runtime_error, runtime_message

from .job import job_from_json
from .runners import RUNNERS, Runner, WrongModel

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

MIN_TURN_SECONDS = 0.05
"""The least seconds of a turn, so that a turn of a small model has many runs."""


def main() -> None:
    """Answer commands until standard input ends."""
    # file descriptor 1 itself is redirected, because libraries in C print too
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        for answer in _answer_commands():
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    except BrokenPipeError:  # the parent process has ended
        os._exit(1)


def _answer_commands() -> Iterator[dict[str, Any]]:
    try:
        commands = Commands(sys.stdin.readline())
        yield {"base": commands.base}
        for line in sys.stdin:
            command, _, rest = line.rstrip("\n").partition(" ")
            yield COMMANDS[command](commands, rest)
    except Exception as error:  # the user's model and its libraries may raise anything
        yield {"error": _describe_error(error)}


def _describe_error(error: Exception) -> str:
    message = runtime_message(error)[:600]
    if is_runtime_error(error):
        return f"ONNX Runtime: {message}"
    return message if isinstance(error, WrongModel | ValueError) and message else f"{type(error).__name__}: {message}"


class Commands:
    """The commands of a contender's process."""

    def __init__(self, line: str) -> None:
        job = job_from_json(line)
        self.runner: Runner = RUNNERS[job.kind](job)
        self.base = get_used_memory()
        self.run: Callable[[], object] | None = None

    def load_model(self, _: str) -> dict[str, Any]:
        """Load the model."""
        begun = time.perf_counter()
        self.runner.load()
        return {"seconds": time.perf_counter() - begun}

    def run_first(self, path: str) -> dict[str, Any]:
        """Run the model for the first time, and save its results to a file."""
        begun = time.perf_counter()
        results = self.runner.compute_results()
        seconds = time.perf_counter() - begun
        _save_results(results, path)
        return {"seconds": seconds}

    def run_turn(self, most: str) -> dict[str, Any]:
        """Run the model for a while, at most `most` times, and return the seconds of each run."""
        # inputs are bound once, so that a run measures nothing but the model
        run = self.run = self.run or self.runner.bind_inputs()
        seconds: list[float] = []
        while not seconds or (len(seconds) < int(most) and sum(seconds) < MIN_TURN_SECONDS):
            begun = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - begun)
        return {"seconds": seconds, "peak": get_peak_memory()}


def _save_results(results: list[Array], path: str) -> None:
    import numpy as np

    # a file of NumPy loses the type bfloat16, and float32 holds all its values
    wide = [array.astype(np.float32) if array.dtype.itemsize < 4 and array.dtype.kind in "fV" else array for array in results]
    np.savez(path, *wide)


COMMANDS: dict[str, Callable[[Commands, str], dict[str, Any]]] = {
    "load": Commands.load_model,
    "first": Commands.run_first,
    "turn": Commands.run_turn,
}


def get_used_memory() -> int | None:
    """Return the memory of this process in bytes, or None if the system does not report it."""
    return _read_linux_status("VmRSS")


def get_peak_memory() -> int | None:
    """Return the most memory that this process has had in bytes, or None if the system does not report it."""
    peak = _read_linux_status("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _read_linux_status(name: str) -> int | None:
    """Return a number of bytes from the process's status. In `getrusage`, a child begins with the peak of its parent."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            entry = next(line for line in status if line.startswith(f"{name}:"))
    except (OSError, StopIteration):
        return None
    return int(entry.split()[1]) * 1024
