"""Importing changes of elements that a mask selects. The judge is the module itself, also where the mask selects nothing or everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.imported import agree
from frontends.written import Of
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed

Function = Callable[[Any, Tensor], Any]
DIMS = {0: ["N", "T", None]}


def make(function: Function) -> Of:
    torch.manual_seed(0)
    mlp = nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.LayerNorm(9), nn.Linear(9, 6))
    return Of(function, mlp=mlp, token=nn.Embedding(1, 6))


def inputs() -> list[Tensor]:
    some = [torch.randn(n, t, 6) * 3 for n, t in ((2, 8), (1, 4), (3, 9))]
    return [*some, some[0].abs(), -some[1].abs()]


def scaled(m: Any, x: Tensor) -> Tensor:
    y = x.clone()
    y[x > 0] *= 2
    return y


def copied(m: Any, x: Tensor) -> Tensor:
    y, mask = torch.zeros_like(x), x > 1
    y[mask] = x[mask]
    return y


def opposite(m: Any, x: Tensor) -> Tensor:
    y, mask = x.clone(), x > 0
    y[~mask] = torch.exp(y[~mask])
    y[mask] = torch.log1p(x[mask]) / x[mask]
    return y


def through_layers(m: Any, x: Tensor) -> Tensor:
    y, mask = x.clone(), x.sum(-1) > 0
    y[mask] = m.mlp(x[mask]) * m.token.weight[0] + x[mask]
    return y


def compared_again(m: Any, x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = x[x < 0] * 0.1
    x[x > 1] = x[x > 1] - 3
    return x


def weighted(m: Any, x: Tensor) -> Tensor:
    """As an expert of a mixture: its output by the weight of each token."""
    y, mask, weights = torch.zeros_like(x), x.sum(-1) > 0, x.sigmoid().mean(-1)
    y[mask] = m.mlp(x[mask]) * weights[mask].unsqueeze(-1)
    y[~mask] = x[~mask] * weights[~mask].unsqueeze(1) + weights[~mask, None]
    return y


def one_vector(m: Any, x: Tensor) -> Tensor:
    y, mask = x.clone(), x.sum(-1) > 0
    y[mask] = m.token.weight[0]
    y[y[..., 0] > 1] = m.token.weight * 2
    y[y > 2] = m.token.weight[0, :1]
    return y


def changed_between(m: Any, x: Tensor) -> Tensor:
    y, mask = x.clone(), x > 0
    kept = y[mask]
    y[mask] = 0
    kept += 1
    y[mask] = kept * 2
    return y


def of_a_view(m: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    y, mask = x.clone(), x.sum(-1) > 0
    y[mask, :3] = x[mask, 3:]
    turned = y.transpose(1, 2)
    turned[(x > 0).transpose(1, 2)] -= 3
    return y, turned


def sums(m: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mask = x.sum(-1) > -1e9
    return x[x > -5].sum(), (m.mlp(x[mask]) - m.token.weight).square().mean(), x[mask].mean()


FUNCTIONS = [scaled, copied, opposite, through_layers, weighted, compared_again, one_vector, changed_between, of_a_view, sums]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_elements_that_a_mask_selects(function: Function) -> None:
    agree(make(function), *inputs(), dims=DIMS)


@pytest.mark.parametrize("function", [opposite, through_layers, changed_between, sums])
def test_gradients(function: Function) -> None:
    """A function of an element that is not selected may have an infinite gradient there, which must not count."""
    module, x = make(function), torch.randn(2, 8, 6).mul(40).requires_grad_()
    model = netc.from_torch(module, x.detach(), DIMS)
    copy = model.module(model.weights)
    wanted, found = (torch.autograd.grad(_total(one(x)), x)[0] for one in (module, copy))
    torch.testing.assert_close(found, wanted)


def _total(results: Any) -> Tensor:
    return sum((tensor.sum() for tensor in results), torch.zeros(())) if isinstance(results, tuple) else results.sum()


def another_mask(m: Any, x: Tensor) -> Tensor:
    y = x.clone()
    y[x > 1] = x[x < 1]
    return y


def changed_mask(m: Any, x: Tensor) -> Tensor:
    y = x.clone()
    kept = y[y > 0]
    y -= 1
    y[y > -1] = kept
    return y


def one_row(m: Any, x: Tensor) -> Tensor:
    y, mask = x[..., 0].clone(), x[..., 0] > 0
    y[mask] = (y[mask].unsqueeze(0) * 2)[0]
    return y


def over_all_rows(m: Any, x: Tensor) -> Tensor:
    y, mask = x.clone(), x > 0
    y[mask] = x[mask].softmax(0)
    return y


@pytest.mark.parametrize("function", [another_mask, changed_mask, one_row, over_all_rows])
def test_what_needs_the_selected_elements_alone_is_refused(function: Function) -> None:
    with pytest.raises(ImportFailed, match="selects by a mask: the size of the result depends on the values"):
        netc.from_torch(make(function), torch.randn(2, 8, 6))
