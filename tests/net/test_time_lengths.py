"""A size that a Python loop counts to may be symbolic, though torch.export reads each length alone. The judge is the proof of the import,
which runs the module at other lengths than those that were read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing.loop_lengths import generalize_texts

pytestmark = pytest.mark.filterwarnings("ignore")
WIDTH = 6


class Loop(nn.Module):
    """As users write it; `special` is a position that is treated in another way."""

    def __init__(self, special: int | None = None, *, ahead: bool = False) -> None:
        super().__init__()
        self.cell = nn.GRUCell(WIDTH * (1 + ahead), 8)
        self.head = nn.Linear(8, 3)
        self.special, self.ahead = special, ahead

    def forward(self, x: Tensor) -> Any:
        h = torch.zeros(x.shape[0], 8)
        found = []
        for t in range(x.shape[1] - self.ahead):
            step = torch.cat((x[:, t], x[:, t + 1]), 1) if self.ahead else x[:, t]
            h = self.cell(step, h)
            found.append(h.relu() if t == self.special else h)
        return self.head(torch.stack(found, 1)), h


def imported(module: nn.Module) -> netc.Model:
    return netc.from_torch(module.eval(), torch.randn(2, 9, WIDTH), {"x": ["N", "T"]})


@pytest.mark.parametrize(("ahead", "declared"), [(False, "x = input [T, 6]\n"), (True, "x = input [T, 6] where T >= 2\n")])
@pytest.mark.sample(1)
def test_a_loop_over_time_of_every_length(ahead: bool, declared: str) -> None:
    module = Loop(ahead=ahead)
    model = imported(module)
    assert declared in model.spec()
    assert "scan (h = zeros) axis=1" in model.spec()
    made = model.module(module.state_dict())
    for length in (1 + ahead, 3, 12, 100):
        x = torch.randn(4, length, WIDTH) * 3 + 5
        with torch.no_grad():
            for one, other in zip(made(x), module(x), strict=True):
                torch.testing.assert_close(one, other)


@pytest.mark.long
def test_a_first_position_that_is_treated_in_another_way_is_before_the_loop() -> None:
    assert "where T >= 2" in imported(Loop(0)).spec()


@pytest.mark.parametrize("special", [3, 20])
@pytest.mark.sample(1)
def test_a_position_that_is_treated_in_another_way_is_refused(special: int) -> None:
    with pytest.raises(ImportFailed, match="T can only be 9"):
        imported(Loop(special))


def test_a_size_that_no_loop_counts_to_is_refused_as_before() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x.shape[1] if x.shape[1] == 9 else x

    with pytest.raises(ImportFailed, match="T can only be 9"):
        imported(Fixed())


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (("input 5x6 -> slice 1 stop=4", "input 7x6 -> slice 1 stop=6"), "input [T, 6] -> slice 1 stop=(T - 1)"),
        (("input 3x5", "input 3x7"), "input 3xT"),
        (("input 5 int64", "input 7 int64"), "input [T] int64"),
        (("reshape [N, 10]", "reshape [N, 14]"), "reshape [N, (2 * T)]"),
        (("x -> pad [0, 3]", "x -> pad [0, 1]"), None),  # the number falls
        (("x -> relu", "x -> tanh"), None),
        (("a = 5", "a = 7.5"), None),
    ],
)
def test_texts_of_two_lengths(texts: tuple[str, str], wanted: str | None) -> None:
    assert generalize_texts(texts, "T") == wanted
