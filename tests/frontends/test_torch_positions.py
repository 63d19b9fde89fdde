"""An embedding of positions says how long a sequence may be. The judge is PyTorch, which refuses a longer one at run time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import netc


class Positions(nn.Module):
    """Embeddings for positions that count from `first`."""

    def __init__(self, number: int, first: int = 0) -> None:
        super().__init__()
        self.first = first
        self.words, self.pos = nn.Embedding(11, 8), nn.Embedding(number, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.words(x) + self.pos(torch.arange(x.shape[1])[None] + self.first)


class Both(nn.Module):
    """Two of them, for the same sequence."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.a, self.b = parts

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) * self.b(x)


def condition(module: nn.Module, dims: dict[str | int, list[str]] | None = None) -> str:
    """What is stated of the input of the imported spec, which is proved."""
    text = netc.from_torch(module.eval(), torch.randint(0, 11, (2, 2)), dims={0: ["N", "T"]} if dims is None else dims).spec()
    line = next(line for line in text.splitlines() if line.startswith("x = input"))
    return line.partition(" where ")[2]


def refuses(module: nn.Module, length: int) -> bool:
    try:
        module(torch.zeros(1, length, dtype=torch.int64))
    except IndexError:
        return True
    return False


@pytest.mark.parametrize(("number", "first", "most"), [(64, 0, 64), (3, 0, 3), (9, 2, 7), (2, 0, 2)])
def test_the_length_is_at_most_the_number_of_positions(number: int, first: int, most: int) -> None:
    module = Positions(number, first)
    assert (refuses(module, most), refuses(module, most + 1)) == (False, True)
    assert condition(module) == f"T <= {most}"


def test_of_several_the_fewest_count() -> None:
    assert condition(Both(Positions(9, 4), Positions(7))) == "T <= 5"


def test_a_length_that_is_known_needs_no_condition() -> None:
    assert condition(Positions(2), dims={}) == ""


def test_other_indices_say_nothing() -> None:
    assert condition(Both(nn.Embedding(11, 8), nn.Embedding(11, 8))) == ""


def test_a_longer_sequence_is_refused_with_the_condition() -> None:
    model = netc.from_torch(Positions(3).eval(), torch.randint(0, 11, (2, 2)), dims={0: ["N", "T"]})
    with pytest.raises(Exception, match="T <= 3"):
        model.session()(torch.zeros(1, 4, dtype=torch.int64).numpy())
