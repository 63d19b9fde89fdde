"""Importing modules that compute with `torch.distributions`, which check the values of their parameters and samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.imported import agree
from frontends.written import Of, batches
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, MixtureSameFamily, Normal, kl_divergence

import netc


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: Independent(Normal(m.scale(x), m.scale(x).exp()), 1).log_prob(x),
        lambda m, x: kl_divergence(Normal(x, 0.1 + x**2), Normal(torch.zeros_like(x), torch.ones_like(x))).sum(-1),
        lambda m, x: Categorical(logits=m.scale(x)).log_prob(x.argmax(-1)) + Categorical(logits=x).entropy(),
        lambda m, x: Bernoulli(logits=x).log_prob((x > 0).float()),
        lambda m, x: MixtureSameFamily(Categorical(logits=x), Normal(m.scale(x), 2 + x.cos())).log_prob(x[:, 0]),
    ],
)
def test_formulas(function: Callable[[Any, Tensor], Tensor]) -> None:
    agree(Of(function, scale=nn.Linear(4, 4)), *batches(4))
    assert Distribution._validate_args


class Prior(nn.Module):
    """Its buffer must be positive, and the numbers that the proof draws may not be."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.rand(64) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return Normal(0.0, self.scale).log_prob(x)


def test_drawn_parameters_may_be_out_of_range() -> None:
    module, x = Prior(), torch.randn(3, 64)
    model = netc.from_torch(module, torch.randn(2, 64))
    torch.testing.assert_close(model.module(model.weights)(x), module(x))
