"""The tutorial's two networks give the tutorial's numbers, 0.6140 and 0.6247, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import netc

SEED = Path(__file__).parents[2] / "specs" / "seed"


def draw() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The tutorial's random numbers, in its order; the first features of the network are drawn and not used."""
    generator_state = torch.get_rng_state()
    torch.manual_seed(7)
    features = torch.randn(1, 5)
    neuron = [features, torch.rand_like(features), torch.randn(1, 1)]
    torch.randn(1, 3)
    network = [torch.randn(1, 3), torch.randn(3, 2), torch.randn(2, 1), torch.randn(1, 2), torch.randn(1, 1)]
    torch.set_rng_state(generator_state)
    return neuron, network


def answers(model: netc.Model, weights: dict[str, torch.Tensor], features: torch.Tensor) -> tuple[float, float]:
    module = model.module(weights)
    with torch.no_grad():
        from_torch = module(features)
    return from_torch.item(), model.session(weights)(features.numpy()).item()


def test_neuron() -> None:
    (features, weights, bias), _ = draw()
    model = netc.compile_file(SEED / "neuron.net")
    given = {"dense1.weight": weights, "dense1.bias": bias[0]}
    assert answers(model, given, features) == pytest.approx((0.6140, 0.6140), abs=5e-5)


def test_network() -> None:
    _, (features, w1, w2, b1, b2) = draw()
    model = netc.compile_file(SEED / "mlp.net")
    given = {"dense1.weight": w1.T, "dense1.bias": b1[0], "dense2.weight": w2.T, "dense2.bias": b2[0]}
    assert answers(model, given, features) == pytest.approx((0.6247, 0.6247), abs=5e-5)
