"""Modules of one class that differ by an optional tensor are one block with an optional input. The judge of keys and numbers is the proof
of the import; a text with two blocks would be right too, so the text is searched for `given(`."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import netc

pytestmark = pytest.mark.filterwarnings("ignore")


def import_text(module: nn.Module, *inputs: Tensor) -> tuple[list[str], str]:
    """The names of the blocks, and the text."""
    text = netc.from_torch(module, inputs).spec()
    return re.findall(r"^block (\w+)", text, re.MULTILINE), text


class Added(nn.Module):
    """`y + skip` in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = self.conv(x)
        if skip is not None:
            y = y + skip
        return torch.relu(y)


class AddedLast(Added):
    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = torch.relu(self.conv(x))
        return y if skip is None else skip + y


class AddedFirst(Added):
    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        if skip is not None:
            x = x - skip
        return torch.relu(self.conv(x)) * x


class AddedTwice(Added):
    """Two places, with a stage between them."""

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = x.exp() if skip is None else x.exp() + skip
        y = torch.relu(self.conv(y).tanh())
        return (y if skip is None else y * skip).sigmoid()


class Projected(Added):
    """Stages with parameters that only the optional tensor goes through."""

    def __init__(self) -> None:
        super().__init__()
        self.proj, self.norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = self.conv(x)
        if skip is not None:
            y = y + self.norm(self.proj(skip))
        return torch.relu(y)


class Scaled(Added):
    """A parameter of the module itself, and several tensors made of the optional one."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(4, 1, 1))
        self.film = nn.Conv2d(4, 8, 1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = self.conv(x).tanh().exp()
        if skip is not None:
            scale, shift = self.film(skip * self.gain).chunk(2, 1)
            y = y * (1 + scale) + shift
        return torch.relu(y).sqrt()


class Joined(Added):
    """Both tensors together, then a stage that gives the old width."""

    def __init__(self) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = self.conv(x)
        if skip is not None:
            y = self.fuse(torch.cat([y, skip], 1))
        return torch.relu(y)


class Another(Added):
    """Another stage where nothing is given."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, bias=False)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = self.conv(x).tanh()
        y = self.one(y) if skip is None else self.two(skip) * y
        return torch.relu(y).exp()


class Swapped(Added):
    """The optional tensor comes first."""

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        return self.inner(skip, x)

    def inner(self, skip: Tensor | None, x: Tensor) -> Tensor:
        y = self.conv(x)
        return torch.relu(y if skip is None else torch.maximum(skip.abs(), y))


class TwoResults(Added):
    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        return sum(self.both(x, skip))

    def both(self, x: Tensor, skip: Tensor | None) -> tuple[Tensor, Tensor]:
        y = self.conv(x)
        return torch.relu(y if skip is None else y.sub(skip, alpha=2)), y.tanh()


class Long(Added):
    """A list of layers and a sequence, which only the optional tensor goes through, and a dropout that both go through."""

    def __init__(self) -> None:
        super().__init__()
        self.path = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1))
        self.layers = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(3))
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        x = self.drop(self.conv(x))
        if skip is not None:
            skip = self.path(skip)
            for layer in self.layers:
                skip = layer(skip).relu()
            x = x + self.drop(skip)
        return x.sigmoid()


class Uses(nn.Module):
    """A class with its optional tensor and without it."""

    def __init__(self, made: Callable[[], nn.Module], given: str) -> None:
        super().__init__()
        self.units = nn.ModuleList(made() for _ in given)
        self.given = given

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        for unit, given in zip(self.units, self.given, strict=True):
            x = unit(x, skip) if given == "1" else unit(x)
        return x


UNITS = [Added, AddedLast, AddedFirst, AddedTwice, Projected, Scaled, Joined, Another, Swapped, TwoResults, Long]


@pytest.mark.parametrize("given", ["01", "1001"])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.sample(3)
def test_what_an_optional_tensor_does_is_in_an_if(unit: type[nn.Module], given: str) -> None:
    names, text = import_text(Uses(unit, given), torch.rand(2, 4, 6, 6), torch.rand(2, 4, 6, 6))
    assert len(names) == 1, text
    assert text.count("if given(") == 1 + (unit is AddedTwice), text
    assert "?: [...]" in text


class Remembered(nn.Module):
    """It also returns one half of a `chunk`, and the optional tensor changes that half."""

    def __init__(self) -> None:
        super().__init__()
        self.halves, self.mix, self.last = nn.Linear(8, 16), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor, first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        key, own = self.halves(x).chunk(2, -1)
        value = own
        if first is not None:
            share = self.mix(x).sigmoid()
            value = value * share + first * (1 - share)
        return self.last(key.softmax(-1) * value), own


class Layers(nn.Module):
    """The first layer's half for all others."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Remembered() for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x, first = self.layers[0](x)
        for layer in self.layers[1:]:
            x, _ = layer(x, first)
        return x


def test_a_half_that_the_optional_tensor_changes_and_that_is_a_result_too() -> None:
    """Searching for the twin of one half must not end at the other half for ever."""
    names, text = import_text(Layers(), torch.randn(2, 8))
    assert names == ["remembered"]
    assert "given(first)" in text


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (layer(x).unflatten(-1, (2, 4)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        scores = q @ k.transpose(-1, -2) / 2
        if mask is not None:
            scores = scores.masked_fill(mask, -1e9)
        return self.o((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """It passes its mask on, and uses it itself."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.attn = nn.LayerNorm(8), SelfAttention()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x + self.attn(self.norm(x), mask)


@pytest.mark.parametrize("made", [SelfAttention, Layer])
@pytest.mark.parametrize("given", ["01", "0110"])
@pytest.mark.sample(1)
def test_attention_with_a_mask_and_without_one(made: type[nn.Module], given: str) -> None:
    names, text = import_text(Uses(made, given), torch.randn(2, 5, 8), torch.rand(2, 1, 5, 5) > 0.5)
    assert names == ["self_attention", "layer"][: 1 + (made is Layer)], text
    assert "if given(" in text


class Wide(nn.Module):
    """It has widths of its own, and a shortcut if that is asked for."""

    def __init__(self, inner: int, outer: int, *, shortcut: bool = False) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(inner, outer, 1) if shortcut else None
        self.conv, self.norm = nn.Conv2d(inner, outer, 3, padding=1), nn.BatchNorm2d(outer)
        self.proj = nn.Conv2d(3, outer, 1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        y = self.norm(self.conv(x))
        if skip is not None:
            y = y + self.proj(skip)
        return torch.relu(y) + (x.mean() if self.shortcut is None else self.shortcut(x).mean())


class Widths(nn.Module):
    def __init__(self, *, shortcut: bool) -> None:
        super().__init__()
        self.a, self.b = Wide(3, 8), Wide(8, 16)
        self.c, self.d = Wide(16, 8, shortcut=shortcut), Wide(8, 4, shortcut=shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return self.d(self.c(self.b(self.a(x), x)), x)


@pytest.mark.parametrize("shortcut", [False, True])
def test_widths_on_the_optional_path_are_parameters(shortcut: bool) -> None:
    """The block also has the flag of a shortcut, which another half of its uses has."""
    names, text = import_text(Widths(shortcut=shortcut), torch.rand(2, 3, 6, 6))
    assert names == ["wide"], text
    assert "if given(" in text


class Other(nn.Module):
    """Too little of it is the same with the tensor and without it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        if other is None:
            return self.a(self.b(x).tanh()).relu()
        return self.a(self.c(x).exp() * self.d(other).sigmoid())


def test_what_differs_in_most_is_two_blocks() -> None:
    names, text = import_text(Uses(Other, "01"), torch.rand(2, 4), torch.rand(2, 4))
    assert len(names) == 2, text
