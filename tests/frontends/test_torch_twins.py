"""Uses of a class that differ in the results that are read, or in sizes, become one block. PyTorch is the judge of the numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import netc


class Inner(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, width), nn.Linear(width, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.first(x))
        return self.second(hidden), hidden


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.inner, self.gate = nn.LayerNorm(8), Inner(width), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, hidden = self.inner(self.norm(x))
        return x + y * torch.sigmoid(self.gate(x)), hidden


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.early, self.late = Block(16), Block(24), Block(32)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, _ = self.stem(x)
        x, _ = self.early(torch.tanh(x))
        x, hidden = self.late(x)
        return x, hidden


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(16) for _ in range(12))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.layers:
            x, hidden = layer(x)
        return x, hidden


def check(module: nn.Module) -> str:
    model, x = netc.from_torch(module.eval(), torch.randn(2, 8)), torch.randn(5, 8)
    with torch.no_grad():
        wanted, result = module(x), model.module(model.weights).eval()(x)
    # The results are a tuple in both, in the order of the text.
    names = list(model.outputs)
    found = dict(zip(names, result, strict=True))
    for number, tensor in enumerate(wanted):
        torch.testing.assert_close(found[f"output{number + 1}"], tensor, rtol=1e-5, atol=1e-6)
    return model.spec()


def test_calls_that_read_fewer_results_use_the_same_block() -> None:
    assert check(Net()).count("block ") == 2


def test_a_loop_of_calls_stays_a_loop() -> None:
    text = check(Layers())
    assert "repeat" in text
    assert len(text.splitlines()) < 40


class StandardizedConv(nn.Conv2d):
    """Standardizes its weight, as the networks without norms of timm do."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = nn.functional.batch_norm(flat, None, None, training=True, momentum=0.0).reshape_as(self.weight)
        return nn.functional.conv2d(x, weight, self.bias, self.stride, self.padding)


def test_a_size_of_a_weight_has_the_name_of_its_kernel() -> None:
    module = nn.Sequential(StandardizedConv(3, 8, 3), nn.ReLU(), StandardizedConv(8, 8, 1), nn.ReLU(), StandardizedConv(8, 4, 5))
    model, x = netc.from_torch(module.eval(), torch.randn(2, 3, 12, 12)), torch.randn(3, 3, 12, 12)
    torch.testing.assert_close(model.module(model.weights).eval()(x), module(x), rtol=1e-4, atol=1e-5)
    (head,) = [line for line in model.spec().splitlines() if line.startswith("block ")]
    assert head.count("shape") <= 1
    assert "kernel" in head
