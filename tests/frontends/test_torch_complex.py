"""Importing arithmetic of complex numbers, which are pairs of real numbers in a spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.imported import agree
from frontends.written import Of, batches
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: torch.fft.irfft(torch.fft.rfft(x, n=16) * torch.fft.rfft(m.row.weight, n=16), n=16)[..., :8],
        lambda m, x: torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(x * 2 + 1).conj()),
        lambda m, x: (torch.fft.fft(x) * torch.fft.fft(x).conj()).real.sum(-1),
        lambda m, x: torch.fft.irfft(2 * torch.fft.rfft(x) / 3 * m.row.weight[:, :5] - torch.fft.rfft(-x)),
        lambda m, x: (x * torch.fft.fft(x) + x).imag + (x - torch.fft.fft(x)).real,
        lambda m, x: torch.view_as_real(-torch.fft.rfft(x)[..., 1:3].transpose(0, 1).unsqueeze(-1).squeeze(-1).permute(-1, 1, 0)),
        lambda m, x: torch.view_as_real(torch.fft.fft(x).reshape(x.shape[0], -1, 2)[:, -1].expand(3, -1, -1).clone()),
        lambda m, x: (torch.fft.fft(x).sum(-1).abs(), torch.view_as_real(torch.fft.fft(x).mean((1, 2), keepdim=True))),
        lambda m, x: torch.fft.ifft(torch.fft.fft(x, dim=1).to(torch.complex64)[:, 0]).real,
    ],
)
def test_arithmetic(function: Callable[[Any, Tensor], Any]) -> None:
    agree(Of(function, row=nn.Embedding(1, 8)), *batches(4, 8))


class Rotated(nn.Module):
    """Positions as complex numbers: a buffer, or a tensor that is no buffer."""

    def __init__(self, is_buffer: bool) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(16.0), torch.tensor([1.0, 0.1]))
        turns = torch.polar(torch.ones_like(angles), angles)
        if is_buffer:
            self.register_buffer("turns", turns, persistent=False)
        else:
            self.turns = turns

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * self.turns[: x.shape[1]]).flatten(-2)


@pytest.mark.parametrize("is_buffer", [False, True])
def test_constants_are_tables_of_pairs(is_buffer: bool) -> None:
    module = Rotated(is_buffer)
    model = netc.from_torch(module, torch.randn(2, 8, 4), {0: ["N", "T", None]})
    x = torch.randn(3, 11, 4)
    torch.testing.assert_close(model.module(model.weights)(x), module(x))


def test_constants_that_code_computes_stay_formulas() -> None:
    def rotate(m: Of, x: Tensor) -> Tensor:
        angles = torch.outer(torch.arange(16.0), torch.tensor([1.0, 0.1]))
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)[: x.shape[1]]).flatten(-2)

    text = netc.from_torch(Of(rotate), torch.randn(2, 8, 4), {0: ["N", "T", None]}).spec()
    assert "file=" not in text
    assert "-> cos" in text


@pytest.mark.parametrize(
    "function",
    [lambda m, x: torch.fft.rfft(x).abs().sum(-1), lambda m, x: torch.stft(x, 4, 2, window=None, return_complex=True).abs().sum((1, 2))],
)
def test_the_gradient_of_silence_is_zero(function: Callable[[Any, Tensor], Tensor]) -> None:
    model = netc.from_torch(Of(function), torch.randn(2, 8))
    silence = torch.zeros(2, 8, requires_grad=True)
    model.module()(silence).sum().backward()
    assert silence.grad is not None
    assert not silence.grad.any()


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x / x, "divides by complex numbers"),
        (lambda x: x + 1, "adds a number to complex numbers"),
        (lambda x: x.exp(), "works on complex numbers"),
    ],
)
def test_other_arithmetic_is_refused(function: Callable[[Tensor], Tensor], why: str) -> None:
    with pytest.raises(ImportFailed, match=why):
        netc.from_torch(Of(lambda m, x: function(torch.fft.rfft(x)).real), torch.randn(2, 8))
