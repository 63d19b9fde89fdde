"""Layers of which some parameters are frozen, and parameters that layers with numbers for names share."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

import netc

NOTE = "Some layers have frozen parameters and trained ones, such as `0`: in the spec, none of their parameters is trained."


@pytest.mark.parametrize("frozen", [["weight"], ["bias"], ["weight", "bias"], []])
def test_a_layer_is_trained_as_a_whole(frozen: list[str]) -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    for name in frozen:
        getattr(module[0], name).requires_grad_(False)
    model = netc.from_torch(module.eval(), torch.randn(2, 4))
    assert (NOTE in model.spec()) == (len(frozen) == 1)
    trained = {name: parameter.requires_grad for name, parameter in model.module().named_parameters()}
    assert trained == {"0.weight": not frozen, "0.bias": not frozen, "1.weight": True, "1.bias": True}


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.randn(4), requires_grad=False), nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.shift


def test_a_frozen_parameter_that_no_layer_owns_is_not_trained() -> None:
    module = Scaled()
    copy = netc.from_torch(module, torch.randn(2, 4)).module()
    assert [name for name, _ in copy.named_parameters()] == ["shift"]
    assert set(copy.state_dict()) == {"scale", "shift"}


def share_bias(first: nn.Linear, second: nn.Linear) -> tuple[nn.Linear, nn.Linear]:
    second.bias = first.bias
    return first, second


@pytest.mark.parametrize("names", [("0", "1", "2"), ("first", "relu", "second")])
def test_a_bias_that_is_shared(names: tuple[str, str, str]) -> None:
    """A text cannot read parameters of a stage whose name is a number: then they are parameters of the model."""
    first, second = share_bias(nn.Linear(4, 4), nn.Linear(4, 4))
    module = nn.Sequential(OrderedDict(zip(names, (first, nn.ReLU(), second), strict=True)))
    x = torch.randn(3, 4)
    model = netc.from_torch(module, torch.randn(2, 4))
    torch.testing.assert_close(model.module()(x), module(x))
    assert sum(parameter.numel() for parameter in model.module().parameters()) == 4 * 4 + 4 * 4 + 4
