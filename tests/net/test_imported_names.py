"""Imported modules whose keys need a label in the text: members of sequences, and weights that several modules read. The judge is the
proof of the import, which compares keys, shapes and numbers with the module."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import netc
from netc.compiler.backends.net.tensor_names import BodyNames
from netc.compiler.frontends.graph_builder import make_empty_span
from netc.compiler.ir.graph_values import Value
from netc.compiler.types.tensor_types import FLOAT32, TensorType

pytestmark = pytest.mark.filterwarnings("ignore")


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.tanh(self.fc2(torch.tanh(self.fc1(x))))


def spec(module: nn.Module, *inputs: Tensor) -> str:
    return netc.from_torch(module, inputs).spec()


def test_sequences_of_one_member_are_a_level_of_names() -> None:
    stages = [nn.Sequential(Residual(4)) for _ in range(4)]
    text = spec(nn.Sequential(*stages), torch.randn(2, 4))
    assert "{ residual as 0 }" in text


def test_depths_that_differ() -> None:
    text = spec(nn.Sequential(*(nn.Sequential(*(Residual(4) for _ in range(depth))) for depth in (3, 2, 4))), torch.randn(2, 4))
    assert "[3, 2, 4]" in text


class Mixed(nn.Sequential):
    """A sequence whose members are no modules alone: what is between them has no number."""

    def forward(self, x: Tensor) -> Tensor:
        *blocks, norm = self
        for block in blocks:
            x = block(x)
        return norm(x.transpose(1, 2)).transpose(1, 2)


def test_what_a_sequence_does_between_its_members_has_no_number() -> None:
    module = nn.Sequential(Mixed(Residual(4), Residual(4), Residual(4), nn.LayerNorm(5)), nn.Linear(4, 3))
    spec(module, torch.randn(2, 5, 4))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.proj = nn.Embedding(9, 4), nn.Linear(4, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.proj(self.embed(ids))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Words(), Words()
        self.decoder.embed.weight = self.encoder.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.decoder(ids) * self.encoder(ids)


class Tied(nn.Module):
    """`model` is a word of other languages, and the weight is read by what contains it, by another part of it, and around it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Pair()
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.model.encoder.embed.weight

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        h = self.model(ids)
        return self.head(h), F.linear(h * 2, self.model.encoder.embed.weight)


def test_a_weight_that_is_read_inside_of_the_module_that_has_it() -> None:
    text = spec(Tied(), torch.randint(0, 9, (2, 5)))
    assert text.count("embedding 9 4 as embed") == 1


class Numbered(nn.Module):
    """A weight that is read has a number in its path."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for layer in self.layers:
            h = layer(h).relu()
        return h + F.linear(x, self.layers[0].weight)


def test_a_weight_that_is_read_of_a_numbered_stage() -> None:
    assert "layers.0.weight" in spec(Numbered(), torch.randn(2, 4))


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.lin(x))


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.lin = Gate(), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.lin(self.gate(x)))


def test_a_shared_module_with_the_name_of_its_class() -> None:
    text = spec(Gated(), torch.randn(2, 4))
    assert "shared gate2 = gate as gate" in text
    assert "shared gate2 = gate as gate" in spec(nn.Sequential(Gated(), Gated()), torch.randn(2, 4))


def test_names_that_end_in_a_digit_are_told_apart() -> None:
    """The number of another tensor of the name is no part of it: `e1` and `e1_2`, where `e12` would be a twelfth."""
    names = BodyNames(())
    span = make_empty_span("x")
    values = [Value(TensorType(FLOAT32, (2,)), span, name) for name in ("e1", "e1", "e1", "e", "e", "e1_2")]
    assert [names.bind_input(value, "x") for value in values] == ["e1", "e1_2", "e1_3", "e", "e2", "e1_2_2"]
