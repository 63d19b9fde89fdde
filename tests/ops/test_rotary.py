"""Rotary position embedding: the numbers equal the ones of the models it comes from, computed as these models do."""

from __future__ import annotations

from math import cos, sin

import pytest
import torch

import netc
from netc.compiler.analysis.model_cost import summarize_costs
from tests.parity import agree


def rotate_half(x: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def llama(x: torch.Tensor, positions: torch.Tensor, base: float, dims: int) -> torch.Tensor:
    """Llama, and with `dims` GPT-NeoX: a rotation of halves. Their powers are in float32, whose last bit not all processors agree on."""
    frequencies = (1.0 / (base ** (torch.arange(0, dims, 2).double() / dims))).float()
    angles = positions[:, None].float() * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    turned, rest = x[..., :dims], x[..., dims:]
    return torch.cat((turned * angles.cos() + rotate_half(turned) * angles.sin(), rest), dim=-1)


def gpt_j(x: torch.Tensor, positions: torch.Tensor, base: float, dims: int) -> torch.Tensor:
    """GPT-J: pairs side by side are complex numbers."""
    frequencies = 1.0 / (base ** (torch.arange(0, dims, 2).double() / dims))
    turns = torch.polar(torch.ones(len(positions), dims // 2).double(), positions[:, None].double() * frequencies)
    pairs = torch.view_as_complex(x[..., :dims].double().reshape(*x.shape[:-1], -1, 2))
    return torch.cat((torch.view_as_real(pairs * turns).flatten(-2).float(), x[..., dims:]), dim=-1)


@pytest.mark.parametrize("dims", [16, 8])
@pytest.mark.parametrize("base", [10000, 500000.0])
@pytest.mark.parametrize("offset", [0, 37])
def test_it_is_what_the_models_do(dims: int, base: float, offset: int) -> None:
    x = torch.randn(2, 3, 50, 16, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(offset, offset + 50)
    for interleaved, model in (("false", llama), ("true", gpt_j)):
        options = f"base={base} dims={dims} interleaved={interleaved}"
        text = f"x = input [3, T, 16]; at = input [T] int64 batch=false; (x, at) -> rotary {options}"
        wanted = model(x, positions, base, dims)
        torch.testing.assert_close(netc.compile(text).module()(x, positions), wanted, rtol=1e-5, atol=1e-5)
        if not offset:
            plain = netc.compile(f"input [3, T, 16] -> rotary {options}")
            torch.testing.assert_close(plain.module()(x), wanted, rtol=1e-5, atol=1e-5)


def test_far_positions_agree() -> None:
    """The angles are the same numbers in float32, not only near ones: at 30000 an angle that is one bit off is 0.002 off."""
    model = netc.compile("input [1, T, 64] -> rotary")
    x = torch.randn(1, 1, 30000, 64, generator=torch.Generator().manual_seed(0))
    found = torch.as_tensor(model.session()(x))
    torch.testing.assert_close(found, model.module()(x), rtol=0, atol=5e-6)
    torch.testing.assert_close(found, llama(x, torch.arange(30000), 10000, 64), rtol=0, atol=5e-6)


def test_flops_are_of_what_is_turned() -> None:
    assert summarize_costs(netc.compile("input 2x5x8 -> rotary dims=4").program).totals.flops == 2 * 5 * 4 * 3


@pytest.mark.parametrize("base", [0.5, 1, 7])
def test_any_positive_base(base: float) -> None:
    """Position 0 stays. At position 1, the first pair turns by an angle of 1, the second by `base ** -0.5`."""
    model = netc.compile(f"input [2, 4] -> rotary base={base}")
    found = model.module()(torch.tensor([[[1.0, 0, 1, 0], [1.0, 1, 0, 0]]]))[0]
    assert torch.equal(found[0], torch.tensor([1.0, 0, 1, 0]))
    slow = base**-0.5
    torch.testing.assert_close(found[1], torch.tensor([cos(1), cos(slow), sin(1), sin(slow)]))
    agree(model)
