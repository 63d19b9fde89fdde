"""Weights inside of shared stages, by their paths: `critic.0.weight`. The judge is the arithmetic in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

import netc

TEXTS = {
    "a name": "shared critic = (dense 8 tanh -> dense 1 as last)\nscores = x -> critic\nPENALTY",
    "another label": "shared critic = (dense 8 tanh -> dense 1 as last) as judge\nscores = x -> critic\nPENALTY",
    "a block": "block two(d) { dense d tanh as 0 -> dense 1 as last }\nshared critic = two 8\nscores = x -> critic\nPENALTY",
    "read in a block": "shared critic = (dense 8 tanh -> dense 1 as last)\nscores = x -> critic\npenalty = x -> (PENALTY_) as inner",
}
SUM = "(critic.0.weight -> square -> sum) + (critic.last.bias -> sum)"


def make_text(name: str) -> str:
    body = TEXTS[name].replace("PENALTY_", f"{SUM} + 0 * (in -> sum)").replace("PENALTY", f"penalty = {SUM}")
    return f"x = input [T, 4]\n{body}\nout (scores -> squeeze 2) + penalty"


def by_hand(x: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    first, bias, last, last_bias = weights.values()
    scores = torch.tanh(x @ first.T + bias) @ last.T + last_bias
    return scores.squeeze(2) + first.square().sum() + last_bias.sum()


@pytest.mark.parametrize("name", TEXTS)
def test_all_targets(name: str) -> None:
    """The module with its gradients, ONNX, and the text that is written of the graph."""
    model = netc.compile(make_text(name))
    module = model.module(seed=1)
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    weights = {key: p.detach().clone().requires_grad_() for key, p in module.named_parameters()}
    found, wanted = module(x), by_hand(x, weights)
    torch.testing.assert_close(found, wanted)
    found.square().sum().backward()
    wanted.square().sum().backward()
    for key, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[key].grad)
    state = module.state_dict()
    np.testing.assert_allclose(model.session(state)(x.numpy()), wanted.detach().numpy(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(netc.compile(model.spec()).module(state)(x), wanted)


def test_in_a_train_section() -> None:
    text = f"x = input 4\n{TEXTS['a name'].replace('PENALTY', '')}\ntrain {{ loss = {SUM} + (scores -> mean) }}"
    objective = netc.compile(text).training(seed=1)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    loss, _ = objective({"x": x})
    weights = dict(objective.model.named_parameters())
    torch.testing.assert_close(loss, by_hand(x[:, None], weights).mean())
