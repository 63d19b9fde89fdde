"""Additive masks of the lowest finite number, which ONNX Runtime's Attention takes for -inf: PyTorch's softmax gives a mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import netc

LOWEST = float(np.finfo(np.float32).min)
MASKS = (LOWEST, float(np.nextafter(np.float32(LOWEST), np.float32(0))), LOWEST / 2, -1e4, -np.inf)
TEXTS = (
    "x = input [T, 8]; m = input [T, T]; (x, x, x) -> attention mask=m",
    "x = input [2, T, 8]; m = input [1, T, T]; (x, x, x) -> attention mask=m",
    "x = input [T, 8]; m = input [T, T]; x -> multihead_attention 1 attn_mask=m",
    "x = input [T, 8]; m = input [T]; x -> multihead_attention 2 key_padding_mask=m",
)


@pytest.mark.parametrize("number", MASKS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_session_agrees_with_pytorch(text: str, number: float) -> None:
    model = netc.compile(text)
    generator = torch.Generator().manual_seed(0)
    shapes = [[size if isinstance(size, int) else 4 for size in declared.shape[1:]] for declared in model.inputs.values()]
    x, m = (torch.randn(3, *shape, generator=generator) for shape in shapes)
    m[0] = number  # all keys of a sample, some of another, and none of the last one
    m[1, ..., 1:] = number
    wanted = model.module(seed=0).train()(x, m).detach().numpy()  # in evaluation, PyTorch's fast path of its own attention may differ
    np.testing.assert_allclose(model.session(seed=0)(x.numpy(), m.numpy()), wanted, atol=1e-5)
