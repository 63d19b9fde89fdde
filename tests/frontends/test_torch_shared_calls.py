"""Importing modules that are called several times, where the calls differ or the module holds nothing that they could share."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.written import Of
from torch import Tensor, nn

import netc


class Several(nn.Module):
    """A module that computes something else where it is given something else."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self.second = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
        self.scale = nn.Parameter(torch.randn(8))
        self.only = nn.Linear(8, 8)

    def forward(self, x: Tensor, bias: Tensor | None = None, factor: float = 2.0, more: bool = False) -> Tensor:
        y = self.norm(self.first(x).relu()) * factor
        if more:
            y = self.only(self.second(y)) * self.scale
        return self.second(y) * self.scale if bias is None else self.second(y + bias)


@pytest.mark.parametrize(
    "calls",
    [
        lambda m, x, b: m.a(m.a(x), b),
        lambda m, x, b: m.a(m.a(x, b)),
        lambda m, x, b: m.a(m.a(x, b), more=True),
        lambda m, x, b: m.a(x) + m.a(b, factor=3.0),
        lambda m, x, b: m.a(x, b, more=True) + m.outer(x),
        lambda m, x, b: m.a(m.a(m.a(x, b), b * 2, 1.5), more=True),
        lambda m, x, b: m.outer(x) * m.outer(b) + m.a(x, more=True),
    ],
)
@pytest.mark.sample(2)
def test_calls_of_one_module_that_compute_differently(calls: Any) -> None:
    a = Several()
    module = Of(calls, a=a, outer=Of(lambda m, x: m.fc(m.a(x, x)) * 2, a=a, fc=nn.Linear(8, 8)))
    model = netc.from_torch(module.eval(), (torch.randn(2, 8), torch.randn(2, 8)))
    read = {key for key in model.parameters if ".second." in key or ".first." in key}
    assert len(read) == 6  # the layers are there once


ACTIVATIONS = [nn.ReLU(), nn.GELU(approximate="tanh"), nn.Dropout(0.1), nn.Sequential(nn.Tanh(), nn.Hardswish()), nn.Identity()]


@pytest.mark.parametrize("act", ACTIVATIONS, ids=lambda act: type(act).__name__)
@pytest.mark.sample(1)
def test_members_of_a_sequential_that_are_one_module(act: nn.Module) -> None:
    net = nn.Sequential(nn.Linear(8, 8), act, nn.Linear(8, 8), act)
    for module in (net, Of(lambda m, x: m.net(x), net=net), Of(lambda m, x: m.a(m.net(x)) * 2, net=net, a=act)):
        model = netc.from_torch(module.eval(), torch.randn(2, 8), train=True)
        assert len(model.parameters) == 4


def test_one_pool_between_convolutions() -> None:
    pool = nn.MaxPool2d(2)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), pool, nn.Conv2d(4, 2, 3, padding=1), pool, nn.Flatten())
    netc.from_torch(Of(lambda m, x: m.net(x), net=net).eval(), torch.randn(2, 1, 8, 8))


def test_a_class_called_sequential_that_calls_a_member_twice() -> None:
    class Sequential(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return self[1](self[2](self[1](self[0](x))))

    net = Sequential(nn.Linear(8, 8), nn.Sequential(nn.Tanh(), nn.Hardswish()), nn.Linear(8, 8))
    netc.from_torch(Of(lambda m, x: m.net(x), net=net).eval(), torch.randn(2, 8))


class Layers(nn.Module):
    """Layers that are shared among modules, each of which has a list of them, as in TabNet."""

    def __init__(self, shared: nn.ModuleList) -> None:
        super().__init__()
        self.shared = shared
        self.layers = nn.ModuleList(Of(lambda m, x: m.norm(m.fc(x)), fc=fc, norm=nn.BatchNorm1d(8)) for fc in shared)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


def test_a_layer_that_only_other_modules_than_the_first_of_its_names_call() -> None:
    shared = nn.ModuleList(nn.Linear(8, 8, bias=False) for _ in range(2))
    module = Of(lambda m, x: m.b(m.a(x)), a=Layers(shared), b=Layers(shared))
    model = netc.from_torch(module.eval(), torch.randn(2, 8))
    assert [key for key in model.parameters if key.endswith("fc.weight")] == ["a.layers.0.fc.weight", "a.layers.1.fc.weight"]


class Root(nn.Module):
    """A root mean square by hand, and something more."""

    def __init__(self, more: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8))
        self.more = more

    def forward(self, x: Tensor, *gates: Tensor) -> Tensor:
        y = self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))
        result: Tensor = self.more(y, x, *gates)
        return result


MORE = [
    lambda y, x: y + x,
    lambda y, x: torch.tanh(y),
    lambda y, x: F.dropout(y, 0.1, False) * 2,
    lambda y, x: y @ y.mT,
]


@pytest.mark.parametrize("more", MORE)
@pytest.mark.sample(2)
def test_a_norm_by_hand_next_to_other_operators(more: Any) -> None:
    for module in (Root(more), Of(lambda m, x: m.norm(x).relu(), norm=Root(more)), Of(lambda m, x: m.norm(m.norm(x)), norm=Root(MORE[0]))):
        model = netc.from_torch(module.eval(), torch.randn(2, 8))
        assert "rms_norm" in model.spec()


def test_a_gated_norm() -> None:
    gated = Root(lambda y, x, gate: y * F.silu(gate))
    module = Of(lambda m, x: m.norm(m.fc(x), x), norm=gated, fc=nn.Linear(8, 8))
    netc.from_torch(module.eval(), torch.randn(2, 8))
    netc.from_torch(gated.eval(), (torch.randn(2, 8), torch.randn(2, 8)))


def test_a_weight_of_a_module_that_calls_others() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Of(lambda m, x: (x.sin() + x).relu() * 2)
            self.weight = nn.Parameter(torch.randn(8, 8))

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(self.inner(x), self.weight)

    netc.from_torch(Of(lambda m, x: m.net(x) * 2, net=Net()).eval(), torch.randn(2, 8))


class Gated(nn.Module):
    """A cell with two states."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.kept = nn.Linear(3, 16, bias=False), nn.Linear(4, 16, bias=False)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = (self.taken(x) + self.kept(h)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


def run_cell(m: Of, x: Tensor) -> Tensor:
    h = c = x.new_zeros(x.shape[0], 4)
    hidden = []
    for at in range(x.shape[1]):
        h, c = m.cell(x[:, at], h, c)
        hidden.append(h)
    return torch.stack(hidden, 1)


@pytest.mark.parametrize("dims", [None, {0: ["N", "T", None]}])
def test_two_states_that_begin_with_one_tensor(dims: Any) -> None:
    model = netc.from_torch(Of(run_cell, cell=Gated()), torch.randn(2, 5, 3), dims)
    assert "-> scan (" in model.spec()
    assert model.spec().count("-> chunk") == 1


def test_arguments_that_are_one_tensor_in_some_calls() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.left(x) * self.right(y) + y

    def forward(m: Of, x: Tensor, y: Tensor) -> Tensor:
        return m.pair(x, x) + m.pair(x, y) + m.pair(y, y)

    text = netc.from_torch(Of(forward, pair=Pair()), (torch.randn(2, 4), torch.randn(2, 4))).spec()
    calls = re.findall(r"\(\((\w+), (\w+)\) -> pair", text)
    assert [len(set(inputs)) for inputs in calls] == [1, 2, 1], text


def test_arguments_that_are_one_tensor_in_all_calls_stay_one_input() -> None:
    text = netc.from_torch(Of(lambda m, x: run_cell(m, x[:, :1]), cell=Gated()), torch.randn(2, 5, 3)).spec()
    assert text.count("-> chunk") == 1
