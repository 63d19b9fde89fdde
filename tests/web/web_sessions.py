"""Runs a model in ONNX Runtime Web in Chromium, and returns the results with the nodes that WebGPU lacks.

In: a folder with models and cases. Out: a `WebRun` for each. Always: Chromium loads everything from the folder.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netc.dsl.record import Record
from tests.prediction.test_example_page import CHROMIUM, Quiet
from tests.prediction.test_examples import NODE_MODULES


class WebRun(Record):
    """The results of a model by name, as flat arrays, or the problem. `lacks`: operators and names of nodes without a WebGPU kernel."""

    outputs: Mapping[str, np.ndarray[Any, Any]]
    lacks: frozenset[tuple[str, str]]
    problem: str


def write_case(folder: Path, name: str, feeds: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Write the inputs of a model as files, and return its case."""
    inputs = []
    for index, (key, array) in enumerate(feeds.items()):
        file = f"{name}_{index}.bin"
        np.ascontiguousarray(array).tofile(folder / file)
        inputs.append({"name": key, "file": file, "dtype": str(array.dtype), "shape": list(array.shape)})
    return {"name": name, "inputs": inputs}


def run_cases(folder: Path, cases: list[dict[str, Any]], provider: str) -> dict[str, WebRun]:
    """Run the models of a folder with `webgpu` or `wasm`."""
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "cases.json").write_text(json.dumps(cases))
    script = shutil.copy(Path(__file__).with_name("run_models.mjs"), folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ["node", script, f"http://127.0.0.1:{server.server_address[1]}/", str(folder / "cases.json"), provider]
        environment = os.environ | {"CHROMIUM": CHROMIUM}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=1800, check=False)
        server.shutdown()
    assert done.returncode == 0, done.stderr[-3000:]
    runs = map(json.loads, filter(None, done.stdout.split("\n")))
    return {run["name"]: _read_run(run) for run in runs}


def _read_run(run: dict[str, Any]) -> WebRun:
    outputs = {name: np.array([float(text) for text in texts]) for name, texts in run.get("outputs", {}).items()}
    return WebRun(outputs, frozenset((op_type, node) for op_type, node in run["lacks"]), run.get("problem", ""))
