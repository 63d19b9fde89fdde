"""Modules with `torch.vmap`, and with regions of `torch.autocast`: PyTorch's own results are the judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.written import Of
from torch import Tensor, nn

import netc

pytestmark = pytest.mark.filterwarnings("ignore")


def _ensemble(m: Any, x: Tensor) -> Tensor:
    return torch.vmap(lambda w, b: x @ w + b)(m.w, m.b).transpose(0, 1)


def _rows(m: Any, x: Tensor) -> Tensor:
    return torch.vmap(lambda row: m.layer(row).softmax(0).cumsum(0))(x)


def _nested(m: Any, x: Tensor) -> Tensor:
    return torch.vmap(torch.vmap(lambda row: row @ m.v))(torch.stack([x, -x], 1))


@pytest.mark.parametrize("function", [_ensemble, _rows, _nested])
def test_vmap(function: Callable[..., Tensor]) -> None:
    parts = {
        "w": nn.Parameter(torch.rand(3, 4, 5)),
        "b": nn.Parameter(torch.rand(3, 5)),
        "v": nn.Parameter(torch.rand(4, 2)),
        "layer": nn.Linear(4, 4),
    }
    module = Of(function, **parts).eval()
    model = netc.from_torch(module, torch.rand(2, 4))
    for samples in (1, 7):
        x = torch.rand(samples, 4)
        torch.testing.assert_close(model.module().eval()(x), module(x))
        torch.testing.assert_close(torch.from_numpy(model.session()(x.numpy())), module(x))


def test_regions_without_gradients_stay_next_to_a_transform() -> None:
    def function(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = m.layer(x)
        return y + torch.vmap(lambda row: m.layer(row) * 2)(x)

    module = Of(function, layer=nn.Linear(4, 4))
    imported = netc.from_torch(module.eval(), torch.rand(2, 4), train=True).module()
    x = torch.rand(5, 4)
    for each in (imported, module):
        each.train()(x).square().sum().backward()
    torch.testing.assert_close(imported.get_parameter("layer.weight").grad, module.layer.weight.grad)
