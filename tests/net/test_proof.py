"""The proof says where a text that is not the model begins to differ."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from netc.dsl.record import replace
from netc.importing.module_origin import make_module_origin
from netc.importing.output_judge import NotProved
from netc.importing.run_import import import_spec


class Layer(nn.Module):
    def __init__(self, act: Callable[[Tensor], Tensor] = torch.relu, shift: float = 0.0) -> None:
        super().__init__()
        self.lin, self.out, self.act, self.shift = nn.Linear(8, 8), nn.Linear(8, 8), act, shift

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.act(self.lin(x))) + self.shift


class Net(nn.Module):
    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.act(self.head(self.norm(x)))


def difference(one: nn.Module, other: nn.Module) -> str:
    """What is said of one module that was taken for another one."""
    origins = [make_module_origin(module, (torch.randn(2, 8),), {}, None, "a module") for module in (one, other)]
    with pytest.raises(NotProved) as failed:
        import_spec(replace(origins[1], imported=origins[0].imported))
    return failed.value.what


def test_within_a_layer() -> None:
    said = difference(Net(Layer(), Layer()), Net(Layer(), Layer(torch.tanh)))
    assert said.endswith("what `layers.1.out` is given differs first, after `layers.1.lin`")
    assert re.match(r"`output` in PyTorch with N=\d differs by", said)


def test_at_the_end_of_a_layer() -> None:
    said = difference(Net(Layer(), Layer(), Layer()), Net(Layer(shift=1.0), Layer(), Layer()))
    assert said.endswith("; the first stage that differs is `layers.0`")


def test_a_module() -> None:
    other = Net(Layer())
    other.norm.eps = 0.1
    assert difference(Net(Layer()), other).endswith("; the first stage that differs is `norm`")


def test_after_the_last() -> None:
    other = Net(Layer())
    other.act = nn.Tanh()
    assert difference(Net(Layer()), other).endswith("; it differs after `head`")
