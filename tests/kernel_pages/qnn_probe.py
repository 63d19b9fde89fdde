"""Asks the package onnxruntime-qnn which nodes its HTP backend takes: `pip install onnxruntime-qnn`, on Linux on x86-64 or ARM64.

In: texts of models. Out: the operators with the element types of the nodes that were taken. Always: a process runs the models, and the next
one goes on after a model that ends it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime

import netc
from netc.compiler.backends.backend import GraphOptions
from netc.compiler.backends.onnx.kernels.operator_table import find_main_type
from netc.compiler.backends.onnx.kernels.typed_nodes import list_nodes
from netc.compiler.backends.onnx.messages import ModelProto
from netc.compiler.backends.onnx.onnx_model import build_graph
from netc.compiler.ops import Operator
from netc.compiler.types.tensor_types import DTYPES
from netc.errors import CompileError

_SIZES = (4, 8, 6, 16)
"""The sizes that symbols get: the first of which a model compiles."""
_INPUT = re.compile(r"\binput (\[[^\]]*\]|[\w]+)(?= *(?:->|;|$))")
"""An input of the default element type."""
_INTEGERS = ("int64", "int32", "uint8")
"""The integers that the examples get in place of floats."""
_VERDICT = re.compile(r"LogNodeSupport\] Validation (PASSED|FAILED).*?Node name: (\S+)", re.DOTALL)


def read_operators() -> dict[str, Any]:
    """Return the version of the package, and the element types of the nodes that QNN took, by operator."""
    texts = [text for _, operator in sorted(Operator.registry.items()) for text in operator.examples]
    taken: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        log.touch()
        done = 0
        while done < len(texts):
            command = [sys.executable, "-m", "kernel_pages.qnn_probe", str(log), json.dumps(texts[done:])]
            subprocess.run(command, capture_output=True, check=False)
            done += max(log.read_text().count("start\n") - done, 1)
        for line in log.read_text().splitlines():
            if line != "start":
                op_type, dtype = line.split()
                taken.setdefault(op_type, set()).add(dtype)
    order = list(DTYPES)
    operators = {op_type: ",".join(sorted(dtypes, key=order.index)) for op_type, dtypes in sorted(taken.items())}
    return {"version": version("onnxruntime-qnn"), "operators": operators}


def find_verdicts(model: ModelProto) -> dict[str, bool]:
    """Return which nodes QNN takes, by name."""
    import onnxruntime_qnn

    if not any(device.ep_name == onnxruntime_qnn.get_ep_name() for device in onnxruntime.get_ep_devices()):
        onnxruntime.register_execution_provider_library(onnxruntime_qnn.get_ep_name(), onnxruntime_qnn.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == onnxruntime_qnn.get_ep_name()]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 0
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_provider_for_devices(devices[:1], {"backend_path": onnxruntime_qnn.get_qnn_htp_path()})
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options)
        except Exception:  # without a device, large graphs are not completed; the verdicts come before
            pass
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        log.seek(0)
        text = log.read().decode(errors="replace")
    # The second pass is about other nodes: a layout of the provider's own.
    return {name: verdict == "PASSED" for verdict, name in reversed(_VERDICT.findall(text))}


def fix_sizes(text: str, dtype: str | None) -> netc.Model | None:
    """Compile a text with numbers for all sizes. None if that fails."""
    try:
        symbols = netc.compile(text, dtype=dtype).program.symbols
    except CompileError:
        return None
    for size in _SIZES:
        try:
            return netc.compile(text, dtype=dtype, dims={symbol: 2 if symbol == "N" else size for symbol in symbols})
        except CompileError:
            continue
    return None


def list_taken(text: str) -> Iterator[str]:
    """List the operators and the element types of the nodes of a model that QNN takes."""
    variants = [(text, None), (text, "float16"), *((_INPUT.sub(rf"input \1 {dtype}", text), None) for dtype in _INTEGERS)]
    for variant, dtype in dict.fromkeys(variants):
        model = fix_sizes(variant, dtype)
        if model is None:
            continue
        try:
            given = model.backend_input(None, 0, GraphOptions())
            nodes = list_nodes(build_graph(given.program, given.open_arrays(), given.name))
        except CompileError:  # ONNX has no such operator
            continue
        verdicts = find_verdicts(model.onnx(seed=0))
        for node in nodes:
            # QNN refuses float64 at its inputs, and says nothing about it in between.
            if verdicts.get(node.name) and find_main_type(node) not in (None, "float64"):
                yield f"{node.op_type} {find_main_type(node)}"


def main(path: str, texts: Sequence[str]) -> None:
    with Path(path).open("a") as log:
        for text in texts:
            print("start", file=log, flush=True)
            for line in list_taken(text):
                print(line, file=log, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
