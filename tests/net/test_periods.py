"""Members of a sequence that come again are loops of the text. The judge of keys and numbers is the proof of the import; that the text has
a loop, and which one, is read off the module."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

import netc

pytestmark = pytest.mark.filterwarnings("ignore")


def sequence(members: str) -> nn.Sequential:
    """`4 4 p 8 p`: layers with that many outputs, each with a ReLU, and `p` for a layer that divides the width by two."""
    made: list[nn.Module] = []
    width = 4
    for member in members.split():
        if member == "p":
            made.append(nn.AvgPool1d(2))
            width //= 2
        else:
            made += [nn.Linear(width, int(member)), nn.ReLU()]
            width = int(member)
    return nn.Sequential(*made)


@pytest.mark.parametrize(
    ("members", "loop"),
    [
        ("8 p 16 p 32 p", "repeat units in [8, 16, 32] {"),
        ("8 p 16 16 p 32 32 p", "repeat (depth, units) in [[1, 8], [2, 16], [2, 32]] {"),
        ("8 8 8", "repeat 3 {"),
        ("16 8 8 8 2", "repeat (depth, units) in [[1, 16], [3, 8], [1, 2]] {"),
        ("8 p p 16 p p 32 p p", "repeat units in [8, 16, 32] {"),
    ],
)
def test_members_that_come_again(members: str, loop: str) -> None:
    text = netc.from_torch(nn.Sequential(sequence(members)), (torch.randn(2, 4),)).spec()
    assert loop in text
    assert len(re.findall(r"dense", text)) == 1


@pytest.mark.parametrize("members", ["8 16", "8 p", "8 p 16", "8 p p 16 p"])
def test_members_that_no_loop_makes_shorter(members: str) -> None:
    text = netc.from_torch(nn.Sequential(sequence(members)), (torch.randn(2, 4),)).spec()
    assert "repeat" not in text
    assert len(re.findall(r"dense", text)) == sum(member != "p" for member in members.split())
