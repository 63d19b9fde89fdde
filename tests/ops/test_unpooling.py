"""What no differential test sees of pools of two tensors: windows that are drawn, and what ONNX says of them."""

from __future__ import annotations

import pytest
import torch

import netc

DRAWN = "input 3x9x9 -> fractional_max_pool 2 5"


def test_without_samples_pytorch_draws_the_windows() -> None:
    module = netc.compile(DRAWN).module().eval()
    x = torch.randn(2, 3, 9, 9)
    torch.manual_seed(0)
    found = module(x)
    torch.manual_seed(0)
    assert torch.equal(found, torch.nn.FractionalMaxPool2d(2, output_size=5)(x))
    assert not torch.equal(found, module(x))


def test_onnx_needs_samples() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(DRAWN).onnx()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "onnx-unsupported"
    assert diagnostic.span.text == "fractional_max_pool 2 5"
