"""Modules of one class that are one block of the text, though they are given different tensors or share what they have. The judge of keys
and numbers is the proof of the import."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import netc

pytestmark = pytest.mark.filterwarnings("ignore")


def blocks(module: nn.Module, *inputs: Tensor) -> tuple[list[str], str]:
    """The names of the blocks, and the text."""
    text = netc.from_torch(module, inputs).spec()
    return re.findall(r"^block (\w+)", text, re.MULTILINE), text


class Biased(nn.Module):
    """The first of several has the bias that all of them add."""

    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.proj = nn.Linear(8, 8)
        self.places = nn.Embedding(5, 8) if first else None

    def forward(self, x: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if bias is None:
            assert self.places is not None
            bias = self.places(torch.arange(5)).unsqueeze(0)
        return self.proj(x + bias) + bias, bias


class Layer(nn.Module):
    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.inner = Biased(first=first)

    def forward(self, x: Tensor, other: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, bias = self.inner(self.norm(x), bias)
        return x + y * other, bias


class Stack(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(first=at == 0) for at in range(depth))

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        bias = None
        for layer in self.layers:
            x, bias = layer(x, other, bias)
        return x


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_what_the_first_layer_gives_to_the_others_is_an_optional_input(depth: int) -> None:
    names, text = blocks(Stack(depth), torch.randn(2, 5, 8), torch.randn(2, 5, 8))
    assert names == ["biased", "layer"]
    assert text.count("if given(") == 1
    assert ("repeat" in text) == (depth > 2)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.inner = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.norm(self.inner(x)))


def test_blocks_with_a_shared_stage_are_one_block() -> None:
    names, text = blocks(nn.Sequential(*(Twice() for _ in range(3))), torch.randn(2, 4))
    assert names == ["twice"]
    assert "{ twice }" in text


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        source = x if source is None else source
        q, k, v = (layer(one).unflatten(-1, (2, 4)).transpose(1, 2) for layer, one in ((self.q, x), (self.k, source), (self.v, source)))
        return self.o(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Linear(Attention):
    """Attention without a softmax: of one class with the others if its name says so, and nothing like them."""

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        q, k, v = (layer(x).unflatten(-1, (2, 4)).exp() for layer in (self.q, self.k, self.v))
        return (self.o(torch.relu(q * k.tanh() - v.cos()).flatten(2)).sigmoid() ** 3).abs().sqrt().sin()


Linear.__name__ = Linear.__qualname__ = "Attention"


class DecoderLayer(nn.Module):
    def __init__(self, *others: nn.Module) -> None:
        super().__init__()
        self.own, self.cross, self.norm = Attention(), Attention(), nn.LayerNorm(8)
        self.others = nn.Sequential(*others)

    def forward(self, x: Tensor, states: Tensor) -> Tensor:
        x = self.others(x + self.own(self.norm(x)))
        return x + self.cross(x, states)


@pytest.mark.parametrize("others", [(), (Linear(),)], ids=len)
def test_attention_to_itself_and_to_something_else_is_one_block(others: tuple[nn.Module, ...]) -> None:
    names, text = blocks(DecoderLayer(*others), torch.randn(2, 5, 8), torch.randn(2, 7, 8))
    assert len(names) == 1 + len(others)
    assert "source = if given(states) { states } else { x }" in text


class Stage(nn.Module):
    """With several equal layers in a row, or one, or others."""

    def __init__(self, *layers: int) -> None:
        super().__init__()
        self.before, self.norm, self.after = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, size, padding=size // 2), nn.BatchNorm2d(4)) for size in layers))

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.blocks(self.norm(self.before(x))))


@pytest.mark.parametrize("second", [(3, 3), (3, 3, 3)])
def test_a_sequence_of_one(second: tuple[int, ...]) -> None:
    """Its member has a number, also where others of its class have a loop."""
    names, text = blocks(nn.Sequential(Stage(3), Stage(*second)), torch.rand(2, 4, 8, 8))
    assert names == ["stage"], text


MEMBERS = {
    "c": lambda: nn.Conv2d(4, 4, 1),
    "n": lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)),
    "r": lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()),
    "s": lambda: nn.Sequential(nn.Conv2d(4, 4, 1)),
    "p": nn.ReLU,
}


@pytest.mark.parametrize("members", ["cnnn", "nnn", "nnnc", "crrr", "rrr", "csss", "cpcpcp", "ncncnc", "rprprp", "nnnrrr", "ccc", "pccc"])
@pytest.mark.sample(2)
def test_sequences_in_a_sequence(members: str) -> None:
    """Each has a number, whether it is written in a loop or not: the keys are compared."""
    inner = nn.Sequential(*(MEMBERS[member]() for member in members))
    blocks(inner, torch.rand(2, 4, 8, 8))
    blocks(nn.Sequential(OrderedDict(net=inner)), torch.rand(2, 4, 8, 8))


class Activated(nn.Module):
    """Two results of a ReLU, which a second use of the class has not."""

    def __init__(self, *, active: bool) -> None:
        super().__init__()
        self.first, self.second = (nn.ModuleList(nn.Linear(8, 8) for _ in range(3)) for _ in range(2))
        self.act = nn.ReLU() if active else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.first[0](x) + self.first[1](x) + self.first[2](x))
        z = self.act(self.second[0](y) + self.second[1](y) + self.second[2](y))
        return y * z


def test_a_tensor_is_not_called_as_a_stage_that_begins_a_branch() -> None:
    """In `if extended { relu }` a tensor `relu` would be that tensor."""
    names, text = blocks(nn.Sequential(Activated(active=True), Activated(active=False)), torch.randn(2, 8))
    assert names == ["activated"]
    assert "{ relu }" in text


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.relu(self.fc1(x)))


class OfConstants(nn.Module):
    """Layers of one class, of which one is given a constant, and the other what flows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", torch.arange(16.0).reshape(2, 8), persistent=False)
        self.bias, self.mlp = Mlp(), Mlp()

    def forward(self, x: Tensor) -> Tensor:
        return self.bias(self.places) + self.mlp(x)


def test_what_flows_is_not_optional() -> None:
    blocks(OfConstants(), torch.randn(3, 2, 8))


class Filled(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value, self.fc = value, nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.masked_fill(x > 1, self.value).amax(1, keepdim=True).clamp(-2, 2) + x)


def test_infinite_numbers_are_no_arguments_of_blocks() -> None:
    """`inf` is a word that operators and tables know, and no value of the language."""
    module = nn.Sequential(*(Filled(value) for value in (float("-inf"), -1.0, float("-inf"), 0.5, float("inf"))))
    model = netc.from_torch(module, torch.randn(2, 3, 4))
    x = torch.randn(3, 3, 4)
    torch.testing.assert_close(model.module()(x), module(x))


def test_infinite_tables_of_a_round_trip(tmp_path: Path) -> None:
    spec = """
x = input [5, 4] batch=false
index = input [5, 4] int64 batch=false
zeros = table (i, j) [3, 4] = 0.0
out (zeros, index, x) -> scatter_reduce 0 amin include_self=false, (zeros, index, x) -> scatter_reduce 0 amax include_self=false,
    (zeros, index, x) -> scatter_reduce 0 prod include_self=false
"""
    model = netc.compile(spec)
    model.save(tmp_path / "net.onnx")
    again = netc.from_onnx(tmp_path / "net.onnx")
    x, index = torch.randn(5, 4), torch.randint(0, 2, (5, 4))
    for result, reduce in zip(again.module()(x, index), ("amin", "amax", "prod"), strict=True):
        torch.testing.assert_close(result, torch.zeros(3, 4).scatter_reduce(0, index, x, reduce, include_self=False))
