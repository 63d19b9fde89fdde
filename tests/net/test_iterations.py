"""Lists of modules that are applied in turn without a call of their own are a `repeat`. The judge is the proof of the import, which
compares keys, shapes and numbers with the module: a text that is written is the module."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

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


class Anchored(nn.Module):
    """The first iteration gets the tensor that all iterations read."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleDict({"a": nn.Linear(WIDTH, WIDTH)}) for _ in range(3))

    def forward(self, start: Tensor) -> Tensor:
        x = start
        for block in self.blocks:
            x = block["a"](start - 2 * x) * x  # type: ignore[index]
        return x


def test_a_tensor_that_the_first_iteration_gets_twice() -> None:
    text = spec(Anchored(), torch.randn(2, WIDTH))
    assert text.count("repeat") == 1, text


def test_the_length_does_not_depend_on_the_depth() -> None:
    assert len(spec(Pairs(4), torch.randn(2, WIDTH)).splitlines()) == len(spec(Pairs(9), torch.randn(2, WIDTH)).splitlines())


class Residual(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x).relu())


class Pyramid(nn.Module):
    """Two lists in parallel, as in PoolFormer. The first embedding has other arguments."""

    def __init__(self, widths: tuple[int, ...], inner: tuple[int, ...]) -> None:
        super().__init__()
        self.embeds = nn.ModuleList(nn.Conv2d(a, b, *((3, 2, 1) if i else (7, 4, 2))) for i, (a, b) in enumerate(pairwise((3, *widths))))
        self.blocks = nn.ModuleList(nn.ModuleList([Residual(width, n)]) for width, n in zip(widths, inner, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        for embed, blocks in zip(self.embeds, self.blocks, strict=True):
            x = embed(x)
            for block in blocks:  # type: ignore[union-attr]
                x = block(x)
        return x


@pytest.mark.parametrize(
    ("module", "head"),
    [
        (Pyramid((8, 16, 16, 16), (12,) * 4), "repeat i in 1..4 as _"),
        (Pyramid((8, 16, 16, 16), (12, 16, 20, 24)), "repeat (i, channels) in enumerate([16, 20, 24]) as _"),
    ],
    ids=["without a list", "with a list"],
)
def test_a_loop_after_the_first_members_of_the_lists(module: nn.Module, head: str) -> None:
    assert head in spec(module, torch.randn(2, 3, 64, 64))


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
@pytest.mark.sample(2)
def test_others_are_proved_too(module: nn.Module) -> None:
    assert spec(module, torch.randn(2, WIDTH))


class Lists(nn.Module):
    """Two lists of modules and one of parameters side by side, as `zip` or an index has them."""

    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.units = nn.ModuleList(Unit() for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(depth))
        self.scales = nn.ParameterList(nn.Parameter(torch.rand(WIDTH)) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for unit, norm, scale in zip(self.units, self.norms, self.scales, strict=True):
            x = x + scale * unit(norm(x))
        return x.sin()


class Widening(nn.Module):
    """Numbers that differ are a list of the loop."""

    def __init__(self, widths: tuple[int, ...] = (WIDTH, 12, 16, 20)) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(one, other) for one, other in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths[1:])

    def forward(self, x: Tensor) -> Tensor:
        for i in range(len(self.norms)):
            x = self.norms[i](self.layers[i](x)).relu()
        return x


class Added(nn.Module):
    """One list, whose members are not all that an iteration does."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, 12), nn.Tanh(), nn.Linear(12, WIDTH)) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for unit in self.units:
            x = x + unit(x)
        return x


def test_several_lists_are_one_loop_that_keeps_their_names() -> None:
    text = spec(Lists(), torch.randn(2, WIDTH))
    assert text.count("repeat i in 0..4 as _") == text.count(".{i}") // 3 == 1, text
    assert "as units.{i}" in text
    assert "as norms.{i}" in text
    assert "as scales.{i}" in text


def test_several_lists_with_numbers_that_differ() -> None:
    text = spec(Widening(), torch.randn(2, WIDTH))
    assert "repeat (i, units) in enumerate([12, 16, 20]) as _ {" in text
    assert "dense units as layers.{i} -> batch_norm relu as norms.{i}" in text


def test_a_list_whose_members_are_added_to_their_input() -> None:
    text = spec(nn.Sequential(Added(), Added()), torch.randn(2, WIDTH))
    assert text.count("repeat i in 0..4 as _") == 1, text
    assert text.count("dense") == 2


def test_several_lists_whose_members_differ_are_written_one_after_the_other() -> None:
    module = Lists(3)
    module.units[1] = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())
    text = spec(module, torch.randn(2, WIDTH))
    assert "repeat" not in text
    assert "norms.1" in text


def test_several_lists_of_one_length_after_each_other() -> None:
    class Twice(Lists):
        def forward(self, x: Tensor) -> Tensor:
            for unit in self.units:
                x = unit(x).cos()
            for norm, scale in zip(self.norms, self.scales, strict=True):
                x = norm(x) * scale
            return x

    text = spec(Twice(), torch.randn(2, WIDTH))
    assert text.count("repeat i in 0..4 as _") == 2, text


class Counting(nn.Module):
    """A mixture of experts as people write it: each expert has its number."""

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        self.first = first
        self.experts = nn.ModuleList(Unit() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            y = y + expert(x) * (x > i + self.first)
        return y


def test_writes_the_number_of_an_iteration_as_the_variable_of_its_loop() -> None:
    text = spec(Counting(), torch.randn(2, WIDTH))
    assert "repeat i in 0..4" in text
    assert "x > i" in text
    assert "repeat (i, by) in enumerate([1, 2, 3, 4])" in spec(Counting(1), torch.randn(2, WIDTH))


class Scaled(nn.Module):
    """Each iteration has its number and another one."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(Unit(inner=n) for n in (12, 20, 16, 24))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            y = y + expert(x) * (x > i)
        return y


def test_lists_only_what_the_variable_of_a_loop_does_not_say() -> None:
    assert "in enumerate([12, 20, 16, 24])" in spec(Scaled(), torch.randn(2, WIDTH))


class TemporalBlock(nn.Module):
    """A block of a temporal convolutional network. The weight of a layer is computed by a block with several sizes."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.first = weight_norm(nn.Conv1d(width, channels, 3, padding=1))
        self.second = weight_norm(nn.Conv1d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).relu()).relu()


def test_gives_a_block_one_parameter_for_a_size_that_the_blocks_in_it_call_by_other_names() -> None:
    text = spec(nn.Sequential(TemporalBlock(6, 8), TemporalBlock(8, 8), TemporalBlock(8, 16)), torch.randn(2, 6, 10))
    assert "block temporal_block(channels) {" in text
