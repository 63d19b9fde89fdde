"""Operations counted by hand, from what each operator computes: a multiply-add is two, anything else one for each element.

Sizes are different primes where that is possible, so that no factor can take another's place.
"""

from __future__ import annotations

import pytest

import netc
from netc.compiler.dims import evaluate_dim

T, S = 7, 5
COUNTED = {
    # A product for each weight of the window and an addition of the bias, at each of 5x9 positions of 4 channels.
    "input 3x7x11 -> conv 4 3": 4 * 5 * 9 * (2 * 3 * 3 * 3 + 1),
    "input 3x7x11 -> conv 4 3 bias=false": 4 * 5 * 9 * 2 * 3 * 3 * 3,
    "input 6x7x11 -> conv 4 3x1 groups=2": 4 * 5 * 11 * (2 * 3 * 3 + 1),
    "input 6x7x11 -> conv 4 3 stride=2": 4 * 3 * 5 * (2 * 6 * 9 + 1),
    # Each element of the input meets each weight of its group; the bias is added to each result.
    "input 6x7x11 -> conv_transpose 4 3x5": 6 * 7 * 11 * 2 * 4 * 3 * 5 + 4 * 9 * 15,
    "input 6x7x11 -> conv_transpose 4 3 groups=2 bias=false": 6 * 7 * 11 * 2 * 2 * 3 * 3,
    "input [T, 3] -> dense 11": T * 11 * (2 * 3 + 1),
    "input [T, 3] -> dense 11 bias=false": T * 11 * 2 * 3,
    "a = input 3; b = input 5; (a, b) -> bilinear 2": 2 * (2 * (3 * 5 + 5) + 1),
    # Of each score: the product over 3 features, three operations of softmax, the product with the value of 11 features.
    "q = input [2, T, 3]; k = input [2, S, 3]; v = input [2, S, 11]; (q, k, v) -> attention": 2 * T * S * (2 * 3 + 3 + 2 * 11),
    # Four projections of 8 features with their biases; two products of 8 features in all, and softmax for each of 2 heads.
    "input [T, 8] -> multihead_attention 2": 4 * T * 8 * (2 * 8 + 1) + T * T * (2 * 2 * 8 + 3 * 2),
    "a = input [T, 3]; b = input [3, S]; a @ b": T * S * 2 * 3,
    # The outer product of two, element by element with the third: only then is k summed over.
    'a = input 3; b = input 5; c = input 3x5; (a, b, c) -> einsum "ni,nk,nik->ni"': 3 * 5 * (1 + 2),
    # A comparison or an addition for each element of a window, the ones that padding makes as well.
    "input 3x8x12 -> max_pool 2": 3 * 4 * 6 * 4,
    "input 3x8x12 -> avg_pool 3 stride=1": 3 * 6 * 10 * 9,
    "input 3x8x12 -> global_avg_pool": 3 * 8 * 12,
    "input 3x8x12 -> adaptive_avg_pool 1": 3 * 8 * 12,
    # Exponential, sum, quotient.
    "input [T, 3] -> softmax": T * 3 * 3,
    # Sigmoid and product, of half of the elements.
    "input [T, 6] -> glu": T * 3 * 2,
    "input [T, 3] -> relu": T * 3,
    "input [T, 3] -> dropout 0.5": 0,
    "input [T, 3] -> transpose 1 2": 0,
    "a = input [T, 3]; b = input [T, 3]; a * b + 1": 2 * T * 3,
    # Mean, difference, square, variance, quotient; then the scale and the shift.
    "input [T, 3] -> layer_norm": T * 3 * 7,
    "input [T, 3] -> layer_norm bias=false": T * 3 * 6,
    "input [T, 3] -> layer_norm affine=false": T * 3 * 5,
    # With running statistics: difference and quotient, scale and shift.
    "input 3x8x12 -> batch_norm": 3 * 8 * 12 * 4,
    "input 3x8x12 -> batch_norm affine=false": 3 * 8 * 12 * 2,
    "input 3x8x12 -> batch_norm track_running_stats=false": 3 * 8 * 12 * 7,
    # Four, and sixteen, weighed elements for each result.
    "input 3x4x5 -> upsample scale=2 mode=bilinear": 3 * 8 * 10 * 2 * 4,
    "input 3x4x5 -> upsample scale=2 mode=bicubic": 3 * 8 * 10 * 2 * 16,
    "input 3x4x5 -> upsample scale=2": 0,
    "x = input 3x8x9; g = input [4, 5, 2]; (x, g) -> grid_sample": 3 * 4 * 5 * 2 * 4,
    # A fast transform of 32 has 5 levels, each with a multiply-add for each element.
    "input [T, 32] -> rfft": T * 32 * 5 * 2,
    "input [T, 17, 2] -> irfft n=32": T * 32 * 5 * 2,
    # The square, the sum and the quotient.
    "input 11 -> normalize": 3 * 11,
    "input [T, 11] -> sum axis=-1": T * 11,
}


@pytest.mark.parametrize(("text", "expected"), COUNTED.items(), ids=COUNTED)
def test_by_hand(text: str, expected: int) -> None:
    assert evaluate_dim(netc.compile(text).summary().totals.flops, {"T": T, "S": S}) == expected
