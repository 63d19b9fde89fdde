"""Operators of PyTorch that are imported as others, or with conversions: in place, with constants of other element types, without axes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from frontends.written import Of
from torch import Tensor

import netc

CONSTANTS = [torch.tensor(number, dtype=dtype) for number in (0.3, 2) for dtype in (torch.float64, torch.float16, torch.int32)]


@pytest.mark.parametrize("constant", CONSTANTS, ids=str)
@pytest.mark.parametrize("x", [torch.arange(4), torch.tensor(3), torch.tensor([True, False]), torch.tensor(0.5).half()], ids=str)
def test_constants_of_another_element_type(x: torch.Tensor, constant: torch.Tensor) -> None:
    """A number in the place of the constant is float32 or int64 with integers, so the tensor is converted to what PyTorch computes in."""
    for function in (torch.add, torch.mul, torch.true_divide, torch.pow, torch.gt, partial(torch.where, torch.tensor(True))):
        for module in (Of(lambda m, x, f=function: f(x, constant)), Of(lambda m, x, f=function: f(constant, x))):
            wanted, found = module(x), netc.from_torch(module, x, {}).module()(x)
            assert found.dtype == wanted.dtype
            torch.testing.assert_close(found, wanted, rtol=1e-3 if wanted.dtype == torch.float16 else 1e-6, atol=0, equal_nan=True)


def _change_a_view(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 1:].sinc_()
    y[0].eq_(x[-1])
    return y


REWRITTEN = {
    "no reader, in place": lambda x: x.clone().sinc_().addcdiv_(x, x.exp()).xlogy_(x.exp()),
    "a comparison in place": lambda x: x.clone().gt_(0.5).logical_or_(x),
    "integers, compared in place": lambda x: x.long().eq_(1),
    "parts": _change_a_view,
    "the other of a number and NaN": lambda x: torch.fmax(torch.where(x > 1, torch.nan, x), x.flip(0)) - torch.fmin(x, x.flip(1) / 0),
    "decimals": lambda x: torch.round(x * 1000, decimals=2) + torch.round(x * 1000, decimals=-1),
    "sums of products": lambda x: torch.addbmm(x[:1], x[:, :, None], x[:, None]),
    "no difference": lambda x: torch.diff(x, n=0, prepend=x),
    "no axis": lambda x: torch.take_along_dim(x, torch.tensor([1, 0, 2])),
    "no axes": lambda x: x[None].squeeze([]),
    "one way of two": lambda x: torch.cdist(x, x + 1, compute_mode="donot_use_mm_for_euclid_dist"),
    "without axes": lambda x: torch.heaviside(x.sum(), x[0, 0]),
}


@pytest.mark.parametrize("function", REWRITTEN.values(), ids=REWRITTEN.keys())
def test_operators_by_others(function: Any) -> None:
    """What PyTorch computes for fixed sizes, and for a symbolic one."""
    module, x = Of(lambda m, x: function(x)), torch.tensor([[0.0, 1.0, -2.0], [1.5, 1.0, -0.25], [0.0, 3.25, 1e4]])
    for dims in ({}, {0: "N"}):
        model = netc.from_torch(module, x, {0: dims})
        wanted, found = module(x), model.module()(x)
        assert found.dtype == wanted.dtype
        torch.testing.assert_close(found, wanted, equal_nan=True)
        torch.testing.assert_close(torch.from_numpy(model.session()(x.numpy())), wanted, rtol=1e-5, atol=1e-5, equal_nan=True)
