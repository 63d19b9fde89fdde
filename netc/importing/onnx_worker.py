"""Runs one ONNX file in ONNX Runtime, as the worker process of onnx_process.py.

In: on standard input, messages of a line of JSON and the bytes that it announces: first the model, then arrays for each run. Out: on
standard output, a message for each. Always: it imports nothing of netc, so that it starts quickly, and ends when its input ends.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO

import numpy as np


def write_message(stream: BinaryIO, header: dict[str, Any], *bodies: Any) -> None:
    """Write a message: a line with the header, then the bytes."""
    stream.write(json.dumps(header).encode() + b"\n")
    for body in bodies:
        stream.write(body)
    stream.flush()


def write_arrays(stream: BinaryIO, arrays: dict[str, Any], **more: Any) -> None:
    """Write arrays by name."""
    kept = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    listed = [[name, array.dtype.name, array.shape] for name, array in kept.items()]
    write_message(stream, {"arrays": listed, **more}, *(array.tobytes() for array in kept.values()))


def read_arrays(stream: BinaryIO, header: dict[str, Any]) -> dict[str, Any]:
    """Read the arrays that a header announces."""
    arrays: dict[str, Any] = {}
    for name, dtype, shape in header["arrays"]:
        kind = get_dtype(dtype)
        count = int(np.prod(shape, dtype=np.int64)) if shape else 1
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
    """Load the model, and run it for each message until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the output of libraries must not mix with the answers
    requests = sys.stdin.buffer
    first = json.loads(requests.readline())
    try:
        session = _make_session(first["path"] or requests.read(first["bytes"]), first["optimize"])
    except Exception as error:
        write_message(answers, {"error": str(error)})
        return
    write_message(answers, {})
    for line in requests:
        header = json.loads(line)
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
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
