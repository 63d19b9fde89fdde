"""An operator that divides a size suggests a `where`, which is all that the spec lacks."""

from __future__ import annotations

import re

import pytest

import netc

TEXTS = {
    "glu": "input [3, S]; x -> glu",
    "glu of another axis": "input [S, 3]; x -> glu axis=1",
    "chunk": "input [S, 3]; x -> chunk 4 axis=1",
    "rearrange": 'input [S, 3]; x -> rearrange "n (a b) c -> n a b c" a=5',
    "reshape": "input [S]; x -> reshape [N, -1, 3]",
    "pixel_shuffle": "input [S, 8, 8]; x -> pixel_shuffle 3",
    "pixel_unshuffle": "input [3, S, 6]; x -> pixel_unshuffle 3",
    "channel_shuffle": "input [S, 8, 8]; x -> channel_shuffle 5",
    "rotary": "input [2, 5, S]; x -> rotary",
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_suggested_condition_is_enough(name: str) -> None:
    text = f"x = {TEXTS[name]}"
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    (problem,) = caught.value.diagnostics
    (condition,) = re.findall(r"`where (.*?)`", " ".join(problem.help))
    netc.compile(text.replace(";", f" where {condition};", 1))
