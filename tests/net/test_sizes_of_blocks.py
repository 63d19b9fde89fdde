"""Sizes in a block that follow from its input or from another parameter are computed in the block. The judge is the proof of the import,
which compares the text with the module at sizes of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import netc
from netc.compiler.backends.net.literal_columns import BlockParameter, SizeOfInput, find_size_formula
from netc.compiler.backends.net.spec_tree import Binary, Literal
from netc.compiler.dims import make_symbol

pytestmark = pytest.mark.filterwarnings("ignore")
AXIS, WINDOW, HEADS = SizeOfInput(0, 2, 4), BlockParameter(0), BlockParameter(1)
N, H = make_symbol("N"), make_symbol("H")


class Windows(nn.Module):
    """Attention in windows, whose sizes are all made of the side of a window and the width."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.fc = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        s = self.window
        x = x.reshape(n, c, h // s, s, w // s, s).permute(0, 2, 4, 3, 5, 1).reshape(n * (h // s) * (w // s), s * s, c)
        x = self.fc(x).softmax(1)
        return x.reshape(n, h // s, w // s, s, s, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)


class Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = Windows(4, 2), Windows(8, 4), Windows(8, 3)
        self.down = nn.Conv2d(4, 8, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.third(self.second(self.down(self.first(x))))


def test_sizes_are_computed_in_the_block() -> None:
    text = netc.from_torch(Pyramid().eval(), torch.randn(2, 4, 48, 48)).spec()
    head = next(line for line in text.splitlines() if line.startswith("block windows"))
    assert head.count("shape") == 2, head
    assert "in.shape[2] // shape" in text
    assert "N * shape * shape" in text


@pytest.mark.parametrize(
    ("sizes", "formula"),
    [
        ([4, 9], Binary("*", WINDOW, WINDOW)),
        ([6, 15], Binary("*", WINDOW, HEADS)),
        ([12, 8], Binary("//", AXIS, WINDOW)),
        ([6, 7], None),
        ([N * 4, N * 9], Binary("*", Binary("*", Literal(N), WINDOW), WINDOW)),
        ([H * 4, H * 9], None),
        ([24, H], None),
        ([N, N * 2], None),
    ],
)
def test_a_formula_holds_at_every_use(sizes: list[object], formula: object) -> None:
    found = find_size_formula(sizes, [(AXIS, [24, 24])], [(WINDOW, [2, 3]), (HEADS, [3, 5])])  # type: ignore[arg-type]
    assert found == formula


def test_sizes_that_are_symbols_are_compared_as_such() -> None:
    """24 // 4 is 6, but H // 4 is not 6 because an example has H = 24."""
    axes = [(AXIS, [4 * H, 8 * H])]
    assert find_size_formula([H, 2 * H], axes, []) == Binary("//", AXIS, Literal(4))
    assert find_size_formula([H, H], axes, []) is None
    assert find_size_formula([6, 12], axes, []) is None
