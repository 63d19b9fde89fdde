"""Operators whose derivative netc does not write out for ONNX, and why, by the clause of the error.

In: the name of an operator. Out: why. Always: each entry is met by a case of the operator, and every refusal has an entry, so a new operator
without a derivative fails test_written_gradients.py until it has a rule, a definition or a line here.
"""

from __future__ import annotations

WHOLLY = {
    "deform_conv": "samples between elements, at positions that have gradients too",
    "digamma": "its derivative is no operator of netc",
    "embedding_bag": "its sums of weighted rows have no rule",
    "floor_div": "PyTorch has no derivative of it either",
    "fractional_max_pool": "its indices are not an operator's result",
    "grid_sample": "samples between elements, at positions that have gradients too",
    "gru": "a loop",
    "istft": "frames that overlap, divided by the sum of their windows",
    "logcumsumexp": "sums of exponentials along an axis that overflow",
    "lstm": "a loop",
    "multilabel_margin_loss": "compares all pairs of classes",
    "rnn": "a loop",
    "roi_align": "samples between elements, at positions that have gradients too",
    "stft": "windows frames of a padded signal",
}
"""Operators without a derivative by any of their tensors."""

IN_PART = {
    "avg_pool": ("`ceil_mode` with symbolic sizes", "input 2xHxW where H > 2, W > 2 -> avg_pool 3 ceil_mode=true"),
    "conv": ("by a kernel that is a tensor", "x = input 4x6; w = input [8, 4, 3] batch=false; (x, w) -> conv 8 3"),
    "conv_transpose": ("by a kernel that is a tensor", "x = input 4x6; w = input [4, 3, 5] batch=false; (x, w) -> conv_transpose 3 5"),
    "cumprod": ("along a symbolic size", "input [T, 3] -> cumprod axis=1"),
    "diagonal": ("of matrices with two symbolic sizes", "input [T, S] where T > 2, S > 2 -> diagonal 1 axis1=1 axis2=2"),
    "einsum": ("of diagonals", 'input [3, 3] -> einsum "bii->bi"'),
    "grouped_linear": (
        "by the weights",
        "x = input [T, 8]; e = input [T] int64; w = input [4, 6, 8] batch=false; (x, e, w) -> grouped_linear",
    ),
    "gru_cell": (
        "with the parameters of a shared stage",
        "shared step = gru_cell 4; x = input [2, 5]; h = x -> select 1 0 -> step; (x -> select 1 1, h) -> step",
    ),
    "irfft": ("of a symbolic length, or with zeros appended", "input [T] -> rfft -> irfft"),
    "logaddexp": ("next to booleans", "a = input 3; b = input 3 bool; (a, b) -> logaddexp"),
    "lstm_cell": (
        "with the parameters of a shared stage",
        "shared step = lstm_cell 4; x = input [2, 5]; (a, b) = x -> select 1 0 -> step; (x -> select 1 1, a, b) -> step",
    ),
    "multihead_attention": ("with `add_bias_kv` or `add_zero_attn`", "input [T, 8] -> multihead_attention 2 add_zero_attn=true"),
    "prod": ("along a symbolic size", "input [T, 3] -> prod axis=1"),
    "scatter": ("of products", "x = input 4; i = input 3 int64; s = input 3; (x, i, s) -> scatter 1 reduce=multiply"),
    "scatter_reduce": ("but for sums", "x = input 4; i = input 3 int64; s = input 3; (x, i, s) -> scatter_reduce 1 amax"),
    "spectral_normalize": ("by the weight", "input [7, 2] batch=false -> spectral_normalize"),
    "upsample": ("with `antialias`", "input 3x9x8 -> upsample size=4x3 mode=bilinear antialias=true"),
}
"""Operators with a derivative that some arguments or tensors do not have, each with a model that is refused."""
