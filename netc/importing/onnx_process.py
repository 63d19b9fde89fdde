"""Runs an untrusted ONNX file in ONNX Runtime, in a process of its own.

In: the path of a file or the bytes of a model, and arrays by name. Out: its outputs, or `CannotLoad`, `CannotRun` or `Crashed`. Always: a
crash of ONNX Runtime does not end netc. Some of its kernels divide by zero, and others read beyond arrays (an LSTM of float16). Starting
Python takes longer than most models, so a worker process stays when its model is no longer used, and forks itself for the next one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.onnx.runtime_failures import runtime_message

from . import onnx_worker

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array


CRASHED = "its process ended with"


class RuntimeFailure(Exception):
    """ONNX Runtime failed; the text is the reason, on one line."""


class CannotLoad(RuntimeFailure):
    """ONNX Runtime refuses the file."""


class CannotRun(RuntimeFailure):
    """The file was loaded, and fails on these inputs."""


class Crashed(RuntimeFailure):
    """The process of ONNX Runtime ended."""


class OnnxProcess:
    """A loaded file. Raises `CannotLoad` or `Crashed`."""

    def __init__(self, source: str | bytes, *, optimize: bool = True) -> None:
        self._worker = _take_worker()
        self._process = self._worker.process
        # The worker becomes free at the end of the object, without a `close` that callers could forget.
        weakref.finalize(self, _free_worker, self._worker).atexit = False
        header = {"path": source if isinstance(source, str) else "", "bytes": len(source), "optimize": optimize}
        self._worker.has_answered = False
        try:
            onnx_worker.write_message(self._stdin, header, *([source] if isinstance(source, bytes) else []))
        except BrokenPipeError:
            raise self._crash_error() from None
        self._read_answer(CannotLoad)
        self._worker.has_answered = True

    def run_model(self, feeds: Mapping[str, Array], wanted: Sequence[str] | None = None) -> list[Array]:
        """Run the model, and return its outputs, or the `wanted` ones in order. Raises `CannotRun` or `Crashed`."""
        self._worker.has_answered = False
        try:
            onnx_worker.write_arrays(self._stdin, dict(feeds), wanted=wanted)
        except BrokenPipeError:
            raise self._crash_error() from None
        results = list(onnx_worker.read_arrays(self._stdout, self._read_answer(CannotRun)).values())
        self._worker.has_answered = True
        return results

    @property
    def _stdin(self) -> Any:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        assert self._process.stdout is not None
        return self._process.stdout

    def _read_answer(self, failure: type[RuntimeFailure]) -> dict[str, Any]:
        # An incomplete line means that the worker died while it wrote.
        line = self._stdout.readline()
        if not line.endswith(b"\n"):
            raise self._crash_error()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            self._worker.has_answered = True
            raise failure(runtime_message(answer["error"])[:300])
        return answer

    def _crash_error(self) -> Crashed:
        code = self._process.wait()
        if code < 0:
            return Crashed(f"{CRASHED} {signal.Signals(-code).name}")
        return Crashed(f"{CRASHED} exit code {code}")


class _Worker:
    """A process that runs onnx_worker.py. `has_answered`: no answer is outstanding."""

    def __init__(self) -> None:
        # -P keeps the working directory out of sys.path: a file there must not shadow a module.
        command = [sys.executable, "-P", onnx_worker.__file__]
        # A group of its own: whoever ends the worker ends the process of its model too.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=onnx_worker.FORKS
        )
        self.has_answered = True
        weakref.finalize(self, _end_process, self.process)


_FREE: dict[int, list[_Worker]] = {}
"""Workers without a model, by the process that started them: a fork of netc must not write into the same pipes."""


def _take_worker() -> _Worker:
    """Return a worker without a model, a new one if there is none."""
    free = _FREE.get(os.getpid(), [])
    while free:
        worker = free.pop()
        assert worker.process.stdout is not None
        if worker.process.stdout.readline():  # empty: the process of its last model crashed at its end
            return worker
    return _Worker()


def _free_worker(worker: _Worker) -> None:
    """Keep a worker for the next model. One that still computes is ended, as its last reference goes."""
    if not onnx_worker.FORKS or not worker.has_answered:
        return
    assert worker.process.stdin is not None
    with suppress(OSError):
        onnx_worker.write_message(worker.process.stdin, onnx_worker.END)
        _FREE.setdefault(os.getpid(), []).append(worker)


def _end_process(process: subprocess.Popen[bytes]) -> None:
    if onnx_worker.FORKS and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # closing flushes, and nobody reads any more
                stream.close()
