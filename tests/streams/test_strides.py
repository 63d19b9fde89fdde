"""Strides along the stream: pieces of multiples of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import netc
from tests.streams.pieces import same_in_pieces

CODEC = """
block down(width, stride) { in -> pad [stride, 0] -> conv width (2 * stride) stride=(stride) elu }
block up(width, stride) { in -> conv_transpose width (2 * stride) stride=(stride) -> pad [0, -stride] -> elu }
model encoder {
  sound = input [1, T] where T % 8 == 0
  sound -> pad [6, 0] -> conv 8 7 -> down(16, 2) -> down(24, 4) -> transpose 1 2 -> lstm 24 layers=2
}
model decoder {
  codes = input [T, 24]
  codes -> transpose 1 2 -> up(16, 4) -> up(8, 2) -> pad [6, 0] -> conv 1 7
}
model codec {
  sound = input [1, T] where T % 8 == 0
  sound -> pad [6, 0] -> conv 8 7 -> down(16, 2) -> down(24, 4) -> up(16, 4) -> up(8, 2) -> pad [6, 0] -> conv 1 7
}
"""
"""Of sound and as small as can be, with the shape of SoundStream's networks, Zeghidour et al. (2021), arXiv:2107.03312."""
PADDED = "x = input [3, T] where T % 4 == 0\nx -> "


@pytest.mark.parametrize(("name", "every"), [("encoder", 8), ("decoder", 1), ("codec", 8)])
def test_a_codec_of_sound(name: str, every: int) -> None:
    stream = same_in_pieces(netc.compile(CODEC, model=name), total=48, every=every)
    assert stream.stream.rate == every


@pytest.mark.parametrize(
    "stages",
    [
        "conv 4 4 stride=4",
        "conv 4 1 stride=2",  # a window that is shorter than the stride
        "conv 4 3 stride=2 padding=1",  # its last element is in the same group
        "pad [3, 0] value=2 -> conv 4 3 stride=2 -> slice 2 stop=(T // 2)",
        "pad [5, 0] value=1 -> conv 4 3 dilation=2 stride=4 -> slice 2 stop=(T // 4)",
        "pad [1, 0] value=-3 -> max_pool 3 stride=2",
        "lp_pool 2 stride=2 p=2",
        "conv_transpose 4 2 stride=3 output_padding=1",
        "pad [2, -2] value=1 -> conv_transpose 4 5 stride=2 -> slice 2 stop=(2 * T)",
        "conv 4 2 stride=2 -> conv_transpose 3 2 stride=2 -> cumsum axis=2",
        "slice 2 step=2",
        "slice 2 start=3 step=4",  # its last element is in the same group
        "slice 2 step=4 stop=(T - 1)",
        "pad [5, 0] value=2 -> slice 2 step=2 stop=T",
        "pad [3, 0] value=1 -> slice 2 start=1 step=2 stop=T",
        "conv 4 3 padding=2 -> slice 2 stop=T -> slice 2 start=1 step=2 -> conv 2 2 stride=2",
    ],
)
def test_one_stage(stages: str) -> None:
    same_in_pieces(netc.compile(PADDED + stages), total=24, every=4)


@pytest.mark.parametrize(
    "rows",
    [
        "(x -> slice 1 step=2) + (p -> slice 0 stop=T step=2)",
        "(x -> slice 1 start=1 step=2) + (p -> slice 0 start=1 stop=(T + 1) step=2)",
        "x + (p -> slice 0 start=3 stop=(2 * T + 2) step=2)",
    ],
)
def test_every_second_row_of_a_parameter(rows: str) -> None:
    text = f"x = input [T, 4] where T % 2 == 0, T <= 12; p = param [32, 4] init=normal(1) as p; {rows}"
    same_in_pieces(netc.compile(text), total=12, every=2)


@pytest.mark.parametrize("stages", ["conv 4 5 stride=2 padding=2", "conv_transpose 4 6 stride=2 padding=1 -> slice 2 stop=(2 * T)"])
def test_what_needs_the_next_group_looks_ahead(stages: str) -> None:
    with pytest.raises(netc.CompileError, match="looks ahead"):
        netc.compile(PADDED + stages).stream("T")


def test_what_is_remembered_is_what_windows_reach_back() -> None:
    states = netc.compile(CODEC, model="codec").stream("T").states
    assert [str(s.type) for s in states] == ["[N, 1, 6]", "[N, 8, 2]", "[N, 16, 4]", "[N, 24, 1]", "[N, 16, 1]", "[N, 8, 6]"]


@pytest.mark.parametrize(("target", "zeros"), [("session", np.zeros), ("module", torch.zeros)])
def test_a_piece_of_another_length_is_refused(target: str, zeros: Any) -> None:
    run = getattr(netc.compile(CODEC, model="codec").stream("T"), target)(seed=0)
    with pytest.raises(ValueError, match=r"^`T` must be a multiple of 8, and the input `sound` has the shape \[1, 1, 12\]$"):
        run(run.begin(), sound=zeros((1, 1, 12)))
