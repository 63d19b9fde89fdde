"""Runs ONNX files in ONNX Runtime, as the worker process of onnx_process.py.

In: on standard input, messages of a line of JSON and the bytes that it announces: first a model, then arrays for each run, and `END` before
the next model. Out: on standard output, a message for each. Always: it imports nothing of netc, so that it starts quickly, and ends when
its input ends. The worker forks itself for each model, so that no model finds memory that another one damaged. If that process crashes, the
worker ends in the same way. Where a fork is not safe, the worker runs one model.

    >>> get_dtype("float32").itemsize, get_dtype("bfloat16").itemsize
    (4, 2)
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import IO, Any, BinaryIO

import numpy as np

FORKS = sys.platform == "linux"
"""Whether a worker serves one model after another. Apple's libraries may crash in a fork, and Windows has none."""
END: dict[str, Any] = {"end": True}
"""The message that ends the runs of a model."""


def write_message(stream: IO[bytes], header: dict[str, Any], *bodies: Any) -> None:
    """Write a message: a line with the header, then the bytes."""
    stream.write(json.dumps(header).encode() + b"\n")
    for body in bodies:
        stream.write(body)
    stream.flush()


def write_arrays(stream: BinaryIO, arrays: dict[str, Any], **more: Any) -> None:
    """Write arrays by name."""
    # `ascontiguousarray` makes an array of one axis from a number, so its shape is restored
    kept = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    listed = [[name, array.dtype.name, array.shape] for name, array in kept.items()]
    write_message(stream, {"arrays": listed, **more}, *(array.tobytes() for array in kept.values()))


def read_arrays(stream: BinaryIO, header: dict[str, Any]) -> dict[str, Any]:
    """Read the arrays that a header announces."""
    arrays: dict[str, Any] = {}
    for name, dtype, shape in header["arrays"]:
        kind = get_dtype(dtype)
        count = int(np.prod(shape, dtype=np.int64)) if shape else 1
        # a bytearray makes the array writable, as arrays usually are
        arrays[name] = np.frombuffer(bytearray(stream.read(count * kind.itemsize)), kind).reshape(shape)
    return arrays


def get_dtype(name: str) -> Any:
    """Return the type with this name, from ml_dtypes if NumPy does not have it."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


def main() -> None:
    """Serve models until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the output of libraries must not mix with the answers
    requests = sys.stdin.buffer
    for line in requests:
        header = json.loads(line)
        source = header["path"] or requests.read(header["bytes"])
        if not FORKS:
            _serve_model(source, header["optimize"], requests, answers)
            return
        # ONNX Runtime starts threads when it is imported, and a fork has none of them: only the new process imports it.
        child = os.fork()
        if not child:
            _serve_model(source, header["optimize"], requests, answers)
            os._exit(0)
        del source
        _end_like(os.waitpid(child, 0)[1])
        # Nobody sends the next model before this answer, so no process read a part of it.
        write_message(answers, END)


def _end_like(status: int) -> None:
    """End this process if a process with this status has crashed: in the same way, by which the crash is explained."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with suppress(OSError):  # SIGKILL takes no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    if code:
        os._exit(code)


def _serve_model(source: str | bytes, optimize: bool, requests: BinaryIO, answers: BinaryIO) -> None:
    """Load the model, and run it for each message until `END` or the end of the input."""
    try:
        session = _make_session(source, optimize)
        write_message(answers, {})
    except Exception as error:
        session = None
        write_message(answers, {"error": str(error)})
    for line in requests:
        header = json.loads(line)
        if header == END:
            return
        feeds = read_arrays(requests, header)
        try:
            results = session.run(header["wanted"], feeds)
            write_arrays(answers, {str(number): np.asarray(array) for number, array in enumerate(results)})
        except Exception as error:
            write_message(answers, {"error": str(error)})


def _make_session(source: str | bytes, optimize: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised as well
    # Between runs netc computes, and threads that wait for work without sleeping would take a processor from it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
