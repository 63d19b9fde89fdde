"""Formulas of tables that compare strings: the masks of a PixelCNN, against those written by hand."""

from __future__ import annotations

import torch

import netc

PIXELCNN = """
block masked(width, k, kind) {
  weight = param [width, in.channels, k, k] init=ones as weight
  mask = table (o, c, i, j) [width, in.channels, k, k] float32 =
    (1 if i < k // 2 or (i == k // 2 and (j < k // 2 or (kind == "B" and j == k // 2))) else 0)
  in -> conv width (k) padding=(k // 2) weight=(weight * mask)
}
x = input 1x5x5
x -> masked 1 3 "A" as first -> masked 1 3 "B" as second
"""


def test_masks_of_two_kinds() -> None:
    x = torch.randn(2, 1, 5, 5)
    before = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])
    and_itself = torch.tensor([[1.0, 1, 1], [1, 1, 0], [0, 0, 0]])
    expected = x
    for mask in (before, and_itself):
        expected = torch.nn.functional.conv2d(expected, mask[None, None], padding=1)
    module = netc.compile(PIXELCNN).module(seed=0)
    torch.testing.assert_close(module(x), expected)
