"""Layers of which some parameters are frozen, and parameters that layers with numbers for names share."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed

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


def share_bias(first: nn.Linear, second: nn.Linear) -> tuple[nn.Linear, nn.Linear]:
    second.bias = first.bias
    return first, second


def test_a_bias_that_is_shared() -> None:
    first, second = share_bias(nn.Linear(4, 4), nn.Linear(4, 4))
    with pytest.raises(ImportFailed, match="a text cannot read parameters of a stage whose name is a number"):
        netc.from_torch(nn.Sequential(first, nn.ReLU(), second), torch.randn(2, 4))
    named = nn.Sequential(OrderedDict(first=first, relu=nn.ReLU(), second=second))
    x = torch.randn(3, 4)
    torch.testing.assert_close(netc.from_torch(named, torch.randn(2, 4)).module(weights=named.state_dict())(x), named(x))
