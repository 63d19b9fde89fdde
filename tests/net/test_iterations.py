"""Lists of modules that are applied in turn without a call of their own are a `repeat`. The judge is the proof of the import, which
compares keys, shapes and numbers with the module: a text that is written is the module."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import netc

WIDTH = 8


def spec(module: nn.Module, *inputs: Tensor) -> str:
    return netc.from_torch(module.eval(), inputs).spec()


class Unit(nn.Module):
    def __init__(self, width: int = WIDTH, inner: int = 12) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.fc2(torch.tanh(self.fc1(x)))


class Pairs(nn.Module):
    """As vit-pytorch writes its transformers."""

    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleList([nn.LayerNorm(WIDTH), Unit()]) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for norm, unit in self.layers:
            x = norm(x) + x
            x = (unit(x) * 0.5).sin() + x
        return x.sin()


class Direct(nn.Module):
    """Calls that no hook sees."""

    def __init__(self, inner: tuple[int, ...] = (12, 16, 20, 24)) -> None:
        super().__init__()
        self.units = nn.ModuleList(Unit(inner=n) for n in inner)

    def forward(self, x: Tensor) -> Tensor:
        for unit in self.units:
            x = unit.forward(x.abs())
        return x


class Within(nn.Module):
    """Lists of lists of lists."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.ModuleList(nn.ModuleList([nn.Linear(WIDTH, WIDTH)]) for _ in range(3)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for stage in self.stages:
            for (fc,) in stage:  # type: ignore[misc]
                x = x + fc(x).tanh()
            x = x.cos()
        return x


class Conditioned(nn.Module):
    """What all iterations read comes from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleDict({"a": nn.Linear(WIDTH, WIDTH), "b": nn.Linear(WIDTH, WIDTH)}) for _ in range(3))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        for block in self.blocks:
            x = block["a"](x) * c + block["b"](c)  # type: ignore[index]
        return x


@pytest.mark.parametrize(("module", "loops"), [(Pairs(), 1), (Direct(), 1), (Within(), 2)], ids=["pairs", "direct", "within"])
def test_a_list_is_a_loop(module: nn.Module, loops: int) -> None:
    text = spec(module, torch.randn(2, WIDTH))
    assert text.count("repeat") == loops, text
    assert "layers.1" not in text
    assert "units.1" not in text


def test_a_tensor_from_outside() -> None:
    text = spec(Conditioned(), torch.randn(2, WIDTH), torch.randn(2, WIDTH))
    assert text.count("repeat") == 1, text


def test_the_length_does_not_depend_on_the_depth() -> None:
    assert len(spec(Pairs(4), torch.randn(2, WIDTH)).splitlines()) == len(spec(Pairs(9), torch.randn(2, WIDTH)).splitlines())


class TwoStates(Pairs):
    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, unit in self.layers:
            x, y = norm(x) + y, unit(y)
        return x + y


class Kept(Pairs):
    """A result of an iteration that is read after the loop."""

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for norm, unit in self.layers:
            x = unit(norm(x))
            kept.append(x)
        return torch.cat(kept, -1)


class Uneven(Pairs):
    def forward(self, x: Tensor) -> Tensor:
        for at, (norm, unit) in enumerate(self.layers):
            x = unit(norm(x)).exp() if at == 2 else unit(norm(x)).sin()
        return x


class Backwards(Pairs):
    def forward(self, x: Tensor) -> Tensor:
        for norm, unit in reversed(self.layers):
            x = unit(norm(x))
        return x


class Tied(Pairs):
    """A weight within an iteration that another module has too."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 12, bias=False)
        self.head.weight = self.layers[1][1].fc1.weight  # type: ignore[index, union-attr]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(super().forward(x))


@pytest.mark.parametrize("module", [TwoStates(), Kept(), Uneven(), Backwards(), Tied()], ids=lambda module: type(module).__name__)
def test_others_are_proved_too(module: nn.Module) -> None:
    assert spec(module, torch.randn(2, WIDTH))
