"""Outputs keep their names in a text that netc writes, even if several are one tensor."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.backends.net.spec_source import write_program

TEXTS = {
    "one tensor twice": "x = input 3\nh = x -> relu\nk = h\nout h, k",
    "in another order": "x = input 3\nh = x -> dense 3 as a\nk = h\nl = k\nout k, h -> sin, l, h",
    "an input": "x = input 3\nk = x\nout x, k",
    "without names": "x = input 3\nout x -> sin, x -> cos",
    "the input alone": "input 3",
    "from one stage": "x = input 4\n(a, b) = x -> split [2, 2] axis=-1\nc = a\nout a, b, c",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_names_of_outputs(text: str) -> None:
    model = netc.compile(text)
    written = write_program(model.program, [])
    again = netc.compile(written)
    assert list(again.outputs) == list(model.outputs)
    assert write_program(again.program, []) == written
    assert "output =" not in written
