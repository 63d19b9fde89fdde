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
    "function",
    [
        lambda x, y: x / y + 3 - y / 2,
        lambda x, y: x * (2 - 1j) - 1j * y + (1 - x) * -1j,
        lambda x, y: (x.real * 2j + x.imag * (1 + 1j)) * y,
        lambda x, y: torch.exp(0.1 * x) + (y**2) + y.square() * torch.reciprocal(y + 5),
        lambda x, y: x[:, :4] @ y.mT[:, :, :4] + torch.einsum("nij,njk->nik", x[..., :4], y[:, :4].mH[:, :4]),
        lambda x, y: torch.einsum("nij->nji", y[..., :4]) + torch.nn.functional.linear(x, y[0]),
        lambda x, y: torch.cat((x, y[:, :2]), -2)[:, :4] + torch.stack((x, y.conj()), -1)[..., 1],
        lambda x, y: torch.roll(x, 1, -1) + y.flip(-1) + torch.stack(torch.unbind(x, 1), -2) + torch.cat(y.chunk(2, -1), -1),
        lambda x, y: torch.where(x.real > 0, x, y) + y.masked_fill(y.imag > 1, 2),
    ],
)
def test_operators_of_two_tensors(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    def compute(m: Of, x: Tensor) -> Tensor:
        transformed = torch.fft.fft(x)
        return torch.view_as_real(function(transformed, transformed * transformed[:, :1] / 8 + 1))

    agree(Of(compute), *batches(4, 6), close=1e-4)


def test_parts_are_written() -> None:
    def compute(m: Of, x: Tensor) -> Tensor:
        y = torch.zeros(x.shape[0], 4, 9, dtype=torch.cfloat)
        y[:, :, :3] = torch.fft.rfft(x)[..., :3]
        y[:, 1:3, -2:] = 2j * torch.ones(9, dtype=y.dtype)[:2]
        return torch.fft.irfft(y, n=16)

    agree(Of(compute), *batches(4, 16))


class Spectral(nn.Module):
    """A layer with a complex parameter, one with a complex buffer, and a complex `nn.Linear`."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6, 5, dtype=torch.cfloat))
        self.register_buffer("scale", torch.randn(5, dtype=torch.cfloat))
        self.mix = nn.Linear(6, 3, dtype=torch.cfloat)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("bix,iox->box", torch.fft.rfft(x) * self.scale, self.weight)
        return torch.fft.irfft(self.mix(y.transpose(1, 2)).transpose(1, 2), n=8)


def test_complex_parameters_are_pairs() -> None:
    module = Spectral()
    model = netc.from_torch(module, torch.randn(2, 4, 8), {0: ["N"]})
    assert tuple(model.parameters["weight"].shape) == (4, 6, 5, 2)
    # The keys stay, so the module's own state dict loads.
    imported, x = netc.compile(model.spec()).module(module.state_dict()), torch.randn(3, 4, 8)
    expected = module(x)
    torch.testing.assert_close(imported(x), expected)
    for output in (imported(x), expected):
        output.square().sum().backward()
    torch.testing.assert_close(imported.get_parameter("weight").grad, torch.view_as_real(module.weight.grad))


def test_a_module_keeps_its_complex_parameters() -> None:
    module = Spectral()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    netc.from_torch(module, torch.randn(2, 4, 8), train=True)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x**3, "raises complex numbers to a power"),
        (lambda x: x.tanh(), "works on complex numbers"),
        (lambda x: torch.einsum("ab,ab,ab->ab", x, x, x), "more than two complex tensors"),
        (lambda x: x.roll(1), "rolls all elements"),
    ],
)
def test_other_arithmetic_is_refused(function: Callable[[Tensor], Tensor], why: str) -> None:
    with pytest.raises(ImportFailed, match=why):
        netc.from_torch(Of(lambda m, x: function(torch.fft.rfft(x)).real), torch.randn(2, 8))
