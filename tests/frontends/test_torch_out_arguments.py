"""Operators with an `out` argument change a tensor, and all views of it: PyTorch's own results are the judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.written import Of
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed

pytestmark = pytest.mark.filterwarnings("ignore")


def _into_a_view(_: Any, x: Tensor) -> Tensor:
    y = x.clone()
    torch.add(x[:, :1], 1, out=y[:, :1])
    return y


def _read_through_a_view(_: Any, x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    flat = y.view(-1)
    torch.add(x, 1, out=y)
    return flat.sum() + y


def _into_another_type(_: Any, x: Tensor) -> Tensor:
    y = torch.zeros_like(x, dtype=torch.float64)
    column = y[:, 0]
    torch.mul(x, 3, out=y)
    return column + y.sum()


def _twice(_: Any, x: Tensor) -> Tensor:
    y = x * 2
    row = y[:1]
    torch.exp(y, out=y)
    torch.cat([x, x], 0, out=torch.zeros(2 * x.shape[0], x.shape[1]))
    return row + y


@pytest.mark.parametrize("function", [_into_a_view, _read_through_a_view, _into_another_type, _twice])
def test_views_of_an_out_argument_change(function: Callable[..., Tensor]) -> None:
    module = Of(function).eval()
    model = netc.from_torch(module, torch.rand(2, 4), verify=False)
    x = torch.rand(5, 4)
    torch.testing.assert_close(model.module().eval()(x), module(x))


def test_vectors_of_spectral_norm_change_in_training() -> None:
    layer = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
    with pytest.raises(ImportFailed, match=r"`parametrizations.weight.0._u`, in training, is changed by"):
        netc.from_torch(layer, torch.rand(2, 4), train=True)


def test_results_that_are_no_tensors_are_named() -> None:
    model = netc.from_torch(Of(lambda _, x: {"y": x + 1, "k": 3, "nothing": None, "name": "a"}), torch.rand(2, 4))
    assert list(model.outputs) == ["y"]
    assert "# The module also returns 3 and 'a', which are no tensors: the spec leaves them out." in model.spec()
