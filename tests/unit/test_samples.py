"""Sizes that are drawn for a model: none leaves a tensor within it empty, and the batches differ."""

from __future__ import annotations

import netc
from netc.samples import several_shapes


def sizes(text: str) -> list[dict[str, int]]:
    return [found for found, _ in several_shapes(netc.compile(text).program, 2)]


def test_no_tensor_within_is_empty() -> None:
    assert sizes("x = input 3xHxW -> max_pool 30") == [{"N": 2, "H": 30, "W": 31}, {"N": 3, "H": 31, "W": 32}]


def test_the_usual_sizes() -> None:
    assert sizes("x = input 4 -> dense 3") == [{"N": 2}, {"N": 3}]
    assert sizes("x = input [N, T] batch=false where N == 4") == [{"T": 8}, {"T": 9}]
