"""An ONNX file is served without PyTorch, which the container does not have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")

CODE = """
import asyncio, sys
for name in ("torch", "torchvision", "sklearn", "pyarrow", "PIL", "tokenizers"):
    sys.modules[name] = None
import netc.cli.serving
from netc.prediction.load_predictor import load
from netc.serving import run_server
from netc.serving.served_model import ServedModel
from netc.serving.server_options import ServerOptions
model = ServedModel(load(sys.argv[1]), "m", ServerOptions())
run_server.make_application(model, run_server.Draining())
print(asyncio.run(model.predict_rows(b'{"width": 1, "height": "2", "place": "Ulm"}')))
"""


def test_serving_imports_no_pytorch(trees: Path, tmp_path: Path) -> None:
    netc.compile_file(trees.parent / "trees.net").save(tmp_path / "trees.onnx", weights=trees)
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path / "trees.onnx")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "predicted_kind" in done.stdout
