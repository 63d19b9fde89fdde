"""Members that an `if` of the spec decides on: one class for all uses of a block, with None where a member is absent."""

from __future__ import annotations

import re

import pytest
from parity import agree

import netc

RESIDUAL = (
    "block cell(width, stride=1) { main = in -> conv width 3x3 stride=stride padding=1 as conv; skip = in -> "
    "if stride != 1 or in.channels != width { conv width 1x1 stride=stride as down }; main + skip }; "
    "input 4x8x8 -> cell 4 -> cell 8 stride=2 -> cell 8"
)
FLAGS = (
    "block cell(width, normed=false, wide=true) { in -> dense width as fc -> if normed { layer_norm as norm } -> relu "
    "-> if not wide and width > 2 { dense 5 as out } -> dense 3 as last }; "
    "input 3 -> cell 4 -> cell 4 normed=true -> cell 6 normed=true wide=false"
)
BRANCHES = "block cell(deep) { in -> if deep { dense 3 as fc } else { relu } -> dense 3 as last }; input 3 -> cell true -> cell false"
TWO_STAGES = "block cell(deep) { in -> if deep { dense 3 -> relu } -> dense 3 as last }; input 3 -> cell true -> cell false"


def classes(text: str) -> list[str]:
    return re.findall(r"^class (\w+)", netc.compile(text).source(), re.MULTILINE)


def test_condition_of_sizes() -> None:
    source = netc.compile(RESIDUAL).source()
    assert classes(RESIDUAL) == ["Cell", "Net"]
    assert "if stride != 1 or in_channels != width\n            else None" in source
    assert "skip = x if self.down is None else self.down(x)" in source


def test_condition_of_flags() -> None:
    source = netc.compile(FLAGS).source()
    assert classes(FLAGS) == ["Cell", "Net"]
    assert "self.norm = nn.LayerNorm(width) if normed else None" in source
    assert "self.out = nn.Linear(width, 5) if not wide and width > 2 else None" in source


@pytest.mark.parametrize("text", [RESIDUAL, FLAGS, BRANCHES, TWO_STAGES])
def test_agrees(text: str) -> None:
    agree(netc.compile(text))


@pytest.mark.parametrize("text", [BRANCHES, TWO_STAGES])
def test_other_choices_are_classes(text: str) -> None:
    """What is not one stage that is there or not differs in more than a member."""
    assert len(classes(text)) == 3


def test_a_class_takes_what_makes_a_member_absent() -> None:
    scope: dict[str, object] = {}
    exec(netc.compile(RESIDUAL).source(), scope)
    cell = scope["Cell"]
    assert callable(cell)
    assert cell(5, 5).down is None
    assert cell(5, 6).down is not None
    assert cell(5, 5, stride=2).down is not None
