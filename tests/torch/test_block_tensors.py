"""Blocks with optional tensors, any number of tensors, or none: what they compute, and their classes."""

from __future__ import annotations

import ast

import pytest

import netc
from tests.parity import agree

ATTEND = (
    "block attend(x: [N, T, D], context?: [N, S, _], mask?: [N, S], heads=2) { "
    "memory = if given(context) { context -> dense D as memory } else { x }; "
    "(x, memory) -> multihead_attention heads key_padding_mask=mask as attention }; "
    "block layer(x: [N, T, D], mask?: [N, T]) { x + attend(x, mask=mask) -> layer_norm }; "
    "x = input [T, 8]; c = input [S, 6]; m = table (i) [T] = i > 3; lengths = input 1; p = m > lengths * lengths; "
)
JOIN = "block join(x: [N, C, ...], others...) { (x, others) -> concat axis=1 -> conv C 1x1 }; x = input 4x5x5; y = input 6x5x5; "
POSITIONS = (
    "block positions(in: none, length, width) { table (i, k) [length, width] = sin(i / 100 ** (k / width)) -> dense width as proj }; "
    "block gain(in: none, width) { param [width] init=ones as weight }; "
)
SAMPLES = {
    "optional": ATTEND + "out attend(x, c), attend(x, mask=p), attend(x), x -> layer mask=p -> layer, x -> attend as _",
    "optional, passed through a loop": "block inner(x: [N, D], f?: [N, D]) { x -> if given(f) { in * f } -> dense D tanh }; "
    "block outer(x: [N, D], f?: [N, D]) { x -> repeat 3 as layers { inner(in, f=f) -> relu } }; "
    "x = input 4; out x -> outer, x -> outer f=x, x -> outer f=(x * 2)",
    "optional and many": "block f(x: [N, D], m?: [N, D], others...) { "
    "y = x -> if given(m) { in * m } -> dense 3; y -> if given(others) { (in, others) -> concat axis=1 } }; "
    "x = input 4; out x -> f, (x, x) -> f, (x, x, x, x) -> f, x -> f others=x",
    "many": JOIN + "out x -> join, (x, y) -> join, join(x, y, y), x -> join others=y, (x, y, y) -> join as _",
    "many, in a loop": "block last(x: [N, D], kept...) { y = (x, kept) -> concat axis=1 -> dense 4; out y, x, kept }; "
    "(h, kept...) = input 4 -> repeat 3 as layers { last }; (h, kept) -> concat axis=1 -> dense 2",
    "many, of an operator": "block all(xs...) { xs -> stack axis=0 -> sum axis=0 }; x = input 4; (a, b) = x -> chunk 2 axis=1; "
    "parts = x -> chunk 2 axis=1; out (a, b) -> all, parts -> all, a -> all",
    "none": POSITIONS + "x = input [T, 8]; x * gain(8) + positions(T, 8) -> dense 4",
    "none, in none": POSITIONS + "block both(in: none, n) { (positions n 8 as a -> relu) * gain(8) }; x = input [T, 8]; "
    "z = input [S, 8]; (x + both(T) -> dense 4) + (z + both(S) -> mean axis=1 keepdim=true -> dense 4)",
    "none, in a loop": POSITIONS + "x = input [T, 8]; x -> repeat 3 as layers { in + positions(in.shape[1], 8) -> dense 8 }",
    "none, shared": POSITIONS + "shared offset = gain 8; x = input 8; x + offset -> relu -> dense 8 -> if true { in + offset }",
    "none, of known size": POSITIONS + "x = input [5, 8]; x + (positions 5 8 as pos)",
}


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_agrees(text: str) -> None:
    agree(netc.compile(text))


def classes(text: str) -> list[str]:
    return [node.name for node in ast.parse(netc.compile(text).source()).body if isinstance(node, ast.ClassDef)]


def test_classes_are_called_after_the_tensors_that_they_take() -> None:
    assert classes(SAMPLES["optional"]) == ["AttendContext", "AttendMask", "Attend", "LayerMask", "Layer", "Net"]


def test_any_number_of_tensors_is_one_class() -> None:
    assert classes(SAMPLES["many"]) == ["Join", "Net"]
    assert "def forward(self, x: Tensor, others: tuple[Tensor, ...]) -> Tensor:" in netc.compile(SAMPLES["many"]).source()


@pytest.mark.long
def test_what_has_no_tensors_takes_one_for_its_device() -> None:
    text = netc.compile(SAMPLES["none"]).source()
    assert "def forward(self, length: int, like: Tensor) -> Tensor:" in text
    assert '"""-> [length, width]."""' in text
    assert "def forward(self) -> Tensor:" in text
