"""`netc import` compares the spec in JAX and MLX too, where they are installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.importing import further_proofs

INSTALLED = [target for target, (packages, _) in further_proofs.TARGETS.items() if all(map(find_spec, packages))]
pytestmark = pytest.mark.skipif(not INSTALLED, reason="neither flax nor mlx is installed")

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


@pytest.mark.share(2)
@pytest.mark.parametrize("target", INSTALLED)
@pytest.mark.parametrize(("name", "declared"), [("Net", "3xHxW"), ("Wide", "x=[4] int64"), ("Wide", "x=[4] float64")])
def test_the_difference_is_reported(name: str, declared: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(further_proofs, "TARGETS", {target: further_proofs.TARGETS[target]})
    report = run_import(name, declared, tmp_path, monkeypatch)
    difference = report.partition(f"{target} ")[2].split("\n")[0].split(";")[0]
    assert float(difference) < 1e-5


@pytest.mark.parametrize(("target", "method"), [("JAX", "flax"), ("MLX", "mlx")])
def test_an_operator_without_a_form(target: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch has no module that imports as `match`, so another model takes the place of the imported one."""
    if target not in INSTALLED:
        pytest.skip(f"{target} is not installed")
    lacking = netc.compile("cost = input [3, 4]; cost -> match")
    packages, _ = further_proofs.TARGETS[target]
    monkeypatch.setattr(further_proofs, "TARGETS", {target: (packages, lambda model, weights: getattr(lacking, method)())})
    report = run_import("Net", "3xHxW", tmp_path, monkeypatch)
    assert "ONNX Runtime" in report
    assert f"not compared in {target}: " in report
    assert "match" in report


@pytest.mark.sample(1)
@pytest.mark.parametrize("target", INSTALLED)
def test_a_difference_is_no_failure(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec is proved in PyTorch and ONNX Runtime, and the report says what the target gives."""
    packages, make_run = further_proofs.TARGETS[target]

    def make_wrong_run(*given: object) -> object:
        run = make_run(*given)
        return lambda inputs: [np.add(one, 0.5) for one in run(inputs)]

    monkeypatch.setattr(further_proofs, "TARGETS", {target: (packages, make_wrong_run)})
    report = run_import("Net", "3xHxW", tmp_path, monkeypatch)
    assert f"not compared in {target}: " in report
    assert f"{target} 5" not in report
