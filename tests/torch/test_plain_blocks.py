"""A block of one operator that keeps nothing is that operator where it is used, and no class of its own."""

from __future__ import annotations

import ast

import pytest

import netc
from tests.parity import agree

PLAIN = {
    "an operator": 'block split(h) { rearrange "n t (h d) -> n h t d" h=h }; input [T, 8] -> dense 8 -> split 2 -> relu',
    "in a sequence": "block act { relu }; input 4 -> (dense 3 -> act -> dense 2 -> act) as tail",
    "two inputs": "block both(a: [N, D], b: [N, E]) { concat(a, b, 1) }; x = input 3; y = input 4; (y, x) -> both -> dense 2",
    "two results": "block halves { chunk 2 axis=1 }; x = input 4; (a, b) = x -> halves; a * b",
    "a constant": "block places { table (t) [in.shape[1]] = t }; x = input [5, 8]; y = input [T, 8]; "
    "out (x -> places -> embedding 5 8) + x, y * (y -> places -> unsqueeze 1)",
}
OWN = {
    "a label": "block act { relu }; input 4 -> act as bend",
    "weights": "block layer { dense 4 }; input 4 -> layer",
    "two operators": "block act { in * sigmoid(in) }; input 4 -> act",
    "a constant in a sequence": "block places { table (t) [in.shape[1]] = t }; input [5, 8] -> (places -> embedding 5 8) as e",
    "a buffer": "block places { table (t) [in.shape[1]] = t as ids }; input [5, 8] -> places",
}


def classes(text: str) -> int:
    return sum(isinstance(node, ast.ClassDef) for node in ast.parse(netc.compile(text).source()).body)


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_no_class_of_its_own(text: str) -> None:
    agree(netc.compile(text))
    assert classes(text) == 1


@pytest.mark.parametrize("text", OWN.values(), ids=OWN)
def test_a_class_of_its_own(text: str) -> None:
    agree(netc.compile(text))
    assert classes(text) > 1


def test_an_error_behind_it_points_at_its_use() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile('block merge { rearrange "n h t d -> n t (h d)" }\nx = input [2, 3, 4]\ny = x -> merge\ny + (x -> flatten)')
    (told,) = caught.value.diagnostics
    assert [mark.span.text for mark in told.marks] == ["merge", "flatten"]
