"""`netc import` compares the spec in JAX too, where jax is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.importing import jax_proof

pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("flax", reason="flax is not installed")

MODULES = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


class Wide(nn.Module):
    def forward(self, x):
        return x * 3 + 2**40
"""


def run_import(name: str, declared: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    (folder / "modules_in_jax.py").write_text(MODULES, encoding="utf-8")
    torch.manual_seed(0)
    done = CliRunner().invoke(cli, ["import", f"modules_in_jax:{name}", "--input", declared, "-o", "net.net", "--force"])
    assert done.exit_code == 0, done.output
    return done.stderr


@pytest.mark.parametrize(("name", "declared"), [("Net", "3xHxW"), ("Wide", "x=[4] int64"), ("Wide", "x=[4] float64")])
def test_the_difference_is_reported(name: str, declared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run_import(name, declared, tmp_path, monkeypatch)
    difference = report.partition("JAX ")[2].split("\n")[0].split(";")[0]
    assert float(difference) < 1e-5


def test_an_operator_without_a_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch has no module that imports as `match`, so another model takes the place of the imported one."""
    lacking = netc.compile("cost = input [3, 4]; cost -> match")
    monkeypatch.setattr(jax_proof, "make_jax_run", lambda model, weights: lacking.flax())
    report = run_import("Net", "3xHxW", tmp_path, monkeypatch)
    assert "ONNX Runtime" in report
    assert "not compared in JAX: " in report
    assert "match" in report


def test_a_difference_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec is proved in PyTorch and ONNX Runtime, and the report says what JAX gives."""
    real = jax_proof.make_jax_run
    monkeypatch.setattr(jax_proof, "make_jax_run", lambda *given: lambda inputs: [np.add(one, 0.5) for one in real(*given)(inputs)])
    report = run_import("Net", "3xHxW", tmp_path, monkeypatch)
    assert "not compared in JAX: " in report
    assert "JAX 5" not in report
