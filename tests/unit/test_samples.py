"""Sizes that are drawn for a model: none leaves a tensor within it empty, and the batches differ."""

from __future__ import annotations

import pytest

import netc
from netc.inputs.random_inputs import choose_varied_shapes


def sizes(text: str) -> list[dict[str, int]]:
    return [found for found, _ in choose_varied_shapes(netc.compile(text).program, 2)]


def test_no_tensor_within_is_empty() -> None:
    assert sizes("x = input 3xHxW -> max_pool 30") == [{"N": 2, "H": 30, "W": 31}, {"N": 3, "H": 31, "W": 32}]


def test_the_usual_sizes() -> None:
    assert sizes("x = input 4 -> dense 3") == [{"N": 2}, {"N": 3}]
    assert sizes("x = input [N, T] batch=false where N == 4") == [{"T": 8}, {"T": 9}]


def test_sizes_that_must_be_multiples_are_different_ones() -> None:
    text = "input 3xHxW where H % 32 == 0, W % 4 == 0 -> conv 4 3"
    shapes = [shape["input"] for _, shape in choose_varied_shapes(netc.compile(text).program, 2)]
    assert sizes(text) == [{"N": n, "H": h, "W": w} for n, _, h, w in shapes]
    assert len({size for shape in shapes for size in shape[2:]}) == 4


@pytest.mark.parametrize("stage", ["slice 1 T", "slice 1 (2 * T + 3)"])
def test_sizes_of_a_piece_that_must_not_be_empty(stage: str) -> None:
    """With sizes such as P=4095 and T=1, the comparison would take minutes, and say little about T."""
    cases = sizes(f"cache = input [P, 4]; x = input [T, 4]; (cache -> {stage}, x) -> concat 1")
    assert len(cases) == 2
    assert all(1 < case["T"] < case["P"] < 64 for case in cases)
