"""A model with a stride along the stream, written by frames: as docs/streams.md says it."""

from __future__ import annotations

import torch

import netc
from tests.streams.pieces import same_in_pieces


def test_frames_in_place_of_a_stride() -> None:
    strided = netc.compile("x = input [4, T] where T % 2 == 0\nx -> pad [2, 0] -> conv 8 4 stride=2")
    framed = netc.compile("x = input [4, T, 2]\nx -> pad [0, 0, 1, 0] -> conv 8 2x2 -> squeeze 3")
    weights = strided.module(seed=0).state_dict()
    moved = {"conv1.weight": weights["conv1.weight"].reshape(8, 4, 2, 2), "conv1.bias": weights["conv1.bias"]}
    x = torch.randn(2, 4, 12)
    with torch.no_grad():
        torch.testing.assert_close(framed.module(weights=moved)(x.reshape(2, 4, 6, 2)), strided.module(weights=weights)(x))
    same_in_pieces(framed, total=9, seed=0)
