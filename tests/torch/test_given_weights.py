"""Weights that are tensors, and parameters of stages that are read: the same function in all targets, gradients, and what is emitted."""

from __future__ import annotations

import pytest
import torch

import netc
from tests.parity import agree

READ = {
    "tied": "tokens = input [T] int64\nh = tokens -> embedding 10 4 as words -> dense 4 relu\nh @ transpose(words.weight, 0, 1)",
    "in a loop": "x = input 3\nh = x -> dense 3 as first\nh -> repeat 2 as layers { in + first.bias -> dense 3 as fc }",
    "its own in a loop": "input 3 -> repeat 2 as layers { h = in -> dense 3 as fc\n h + fc.bias }",
    "in a scan": "x = input [T, 3] where T >= 1\nstart = input 3\ny = x -> dense 3 as first\n"
    "y -> scan (h = start) axis=1 { h = (in + h) @ transpose(first.weight, 0, 1) }",
    "its own in a scan": "x = input [T, 3] where T >= 1\nstart = input 3\n"
    "x -> scan (h = start) axis=1 { g = in + h -> dense 3 as fc\n h = g + fc.bias }",
    "shared": "x = input 3\nshared encoder = dense 3\ny = x -> encoder\ny -> repeat 2 { (in -> encoder) * encoder.bias }",
    "a buffer": "x = input 3x4x4\ny = x -> conv 3 1 as first -> batch_norm as norm\ny + (norm.running_var -> mean)",
    "of a block": "block mlp { dense 4 relu as first -> dense 3 as last }\nx = input 3\ny = x -> mlp as m\n"
    "y -> dense 4 weight=m.first.weight",
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_targets_agree(text: str) -> None:
    agree(netc.compile(text))


def test_gradients_of_all_uses_add_up() -> None:
    module = netc.compile(READ["tied"]).module(seed=1)
    tokens = torch.tensor([[1, 2]])
    module(tokens).sum().backward()
    used = module.words.weight.grad.abs().sum(1) > 0
    assert list(module.state_dict()) == ["words.weight", "dense1.weight", "dense1.bias"]
    assert bool(used.all()), "rows that are not looked up have gradients as columns of the last product"


def test_emitted() -> None:
    text = netc.compile(READ["tied"]).source()
    assert "h @ self.words.weight.transpose(0, 1)" in text
    given = netc.compile("x = input 3; w = input [4, 3] batch=false; b = input [4] batch=false; (x, w, b) -> dense 4").source()
    assert "return F.linear(x, w, b)" in given


def test_follows_the_type_of_the_model() -> None:
    module = netc.compile(READ["tied"]).module(seed=1).to(torch.bfloat16)
    assert module(torch.tensor([[1, 2]])).dtype == torch.bfloat16


def test_compilers_take_it() -> None:
    module = netc.compile(READ["in a loop"]).module(seed=1).eval()
    x = torch.randn(2, 3)
    torch.testing.assert_close(torch.export.export(module, (x,)).module()(x), module(x))
