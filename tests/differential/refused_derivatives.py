"""A model for each operator whose derivative has a limit, which it meets."""

from __future__ import annotations

REFUSED = {
    "avg_pool": "input 2xHxW where H > 2, W > 2 -> avg_pool 3 ceil_mode=true",
    "conv": "x = input 4x6; w = input [8, 4, 3] batch=false; (x, w) -> conv 8 3",
    "conv_transpose": "x = input 4x6; w = input [4, 3, 5] batch=false; (x, w) -> conv_transpose 3 5",
    "cumprod": "input [T, 3] -> cumprod axis=1",
    "diagonal": "input [T, S] where T > 2, S > 2 -> diagonal 1 axis1=1 axis2=2",
    "einsum": 'input [3, 3] -> einsum "bii->bi"',
    "embedding": "x = input [T] int64; w = input [10, 4] batch=false; x -> embedding 10 4 weight=w padding_idx=1",
    "grouped_linear": "x = input [T, 8]; e = input [T] int64; w = input [4, 6, 8] batch=false; (x, e, w) -> grouped_linear",
    "irfft": "input [T] -> rfft -> irfft",
    "logaddexp": "a = input 3; b = input 3 bool; (a, b) -> logaddexp",
    "multihead_attention": "input [T, 8] -> multihead_attention 2 add_zero_attn=true",
    "prod": "input [T, 3] -> prod axis=1",
    "scatter": "x = input 4; i = input 3 int64; s = input 3; (x, i, s) -> scatter 1 reduce=multiply",
    "scatter_reduce": "x = input 4; i = input 3 int64; s = input 3; (x, i, s) -> scatter_reduce 1 amax",
    "spectral_normalize": "input [7, 2] batch=false -> spectral_normalize",
    "upsample": "input 3x9x8 -> upsample size=4x3 mode=bilinear antialias=true",
}
"""By operator."""
