"""What netc writes as ONNX comes back as the model that it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from frontends.onnx_parity import same

import netc

SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize("spec", ["seed/mlp.net", "seed/neuron.net"])
def test_the_first_models(spec: str) -> None:
    model = netc.compile_file(SPECS / spec)
    assert set(same(model.onnx(seed=1)).weights) == set(model.parameters)


@pytest.mark.long
def test_resnet() -> None:
    model = netc.compile_file(SPECS / "vision/resnet.net", model="resnet18")
    made = same(model.onnx(seed=1), sizes={"H": (64, 96), "W": (96, 64)})
    assert set(made.weights) == set(model.parameters)


@pytest.mark.long
def test_gpt() -> None:
    model = netc.compile_file(SPECS / "gpt.net")
    made = same(model.onnx(seed=1), limits={"tokens": 200})
    assert made.notes[0] == "It is assumed that T <= 128: an operator needs it."
