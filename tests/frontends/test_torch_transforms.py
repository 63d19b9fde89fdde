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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    def function(m: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", dtype=dtype):
            y = torch.relu(m.norm(m.conv(x)))
            with torch.autocast("cpu", enabled=False):
                z = m.head(y.float().mean((2, 3)))
            w = m.layer_norm(m.head(y.mean((2, 3))))
        return z, w

    parts = {"conv": nn.Conv2d(3, 8, 3), "norm": nn.BatchNorm2d(8), "head": nn.Linear(8, 3), "layer_norm": nn.LayerNorm(3)}
    module = Of(function, **parts).eval()
    with torch.no_grad():
        # Numbers with more digits than a 16-bit float: a spec that rounds them where the module does not would differ.
        module.norm.weight.add_(torch.rand(8) / 3)
        module.norm.running_mean.add_(torch.rand(8) / 3)
    model = netc.from_torch(module, torch.rand(2, 3, 8, 8))
    assert {info.dtype.name for info in model.parameters.values() if info.dtype.is_float} == {"float32"}
    x = torch.rand(5, 3, 8, 8)
    with torch.no_grad():
        for result, expected in zip(model.module().eval()(x), module(x), strict=True):
            assert result.dtype == expected.dtype
            torch.testing.assert_close(result, expected, rtol=2 * torch.finfo(dtype).eps, atol=2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_half_child(dtype: torch.dtype) -> None:
    def function(m: Any, x: Tensor) -> Tensor:
        return m.last(m.inner(torch.relu(m.first(x)).to(dtype)).to(x.dtype))

    module = Of(function, first=nn.Linear(4, 64), inner=nn.Linear(64, 64).to(dtype), last=nn.Linear(64, 3)).eval()
    model = netc.from_torch(module, torch.rand(2, 4))
    x = torch.rand(50, 4)
    with torch.no_grad():
        torch.testing.assert_close(model.module().eval()(x), module(x))


def test_a_wrong_text_of_a_half_child_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    from netc.compiler.frontends.torch.aten_table import READERS
    from netc.importing.output_judge import NotProved

    monkeypatch.setitem(READERS, "relu", lambda site: site.apply_op("softplus", site.tensor("self")))
    module = Of(lambda m, x: m.last(torch.relu(m.inner(x.half())).float()), inner=nn.Linear(4, 8).half(), last=nn.Linear(8, 3)).eval()
    with pytest.raises(NotProved):
        netc.from_torch(module, torch.rand(2, 4))
