"""Models for the frameworks with NumPy's names, Flax and MLX, in addition to the examples of operators: uses in which these differ from
PyTorch or from each other, so that the source has to say more than the function's name."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch

import netc

CASES = {
    "extremes of booleans so far": "x = input [T] bool; (y, at) = x -> cummin axis=1; out y, at",
    "powers of integers": "x = input [T] int8; y = input [T] int8; out x ** y, 2 ** y, x ** 3",
    "the sign of booleans": "x = input [T] bool; x -> sign",
    "the place of a scalar": "x = input [] batch=false; x -> argmax axis=0 keepdim=true",
    "table whose index is used twice": "x = input [T]; m = table (i) [T] = (i < 3) + (i < 2) * 2; x + m",
    "table with a rounded index": "x = input [T]; m = table (i) [T] = i + [5, 6, 7][floor(min(i / 2, 2.5))]; x * m",
    "weighted huber loss": "x = input [3]; t = input [3]; w = input [3]; (x, t, w -> abs) -> huber_loss",
    "batch mean of a scalar": "x = input [] batch=false; t = input [] batch=false; (x, t) -> kl_div reduction=batchmean",
    "scatter at a scalar": "x = input [2] batch=false; i = input [] int64 batch=false; s = input [] batch=false; (x, i, s) -> scatter 0",
    "selection at a scalar": "x = input [3, 4]; index = input [] int64 batch=false; (x, index) -> index_select dim=-1",
    "axis that stays": "input 3x3x8 -> upsample scale=1.3 mode=bilinear antialias=true",
    "softmax of a scalar": "input [] batch=false -> softmax",
    "softmax along the first axis": "input 6x4 -> softmax axis=0",
    "sum of integers": "x = input [3] int32; x -> cumsum axis=-1",
    "sum of booleans": "x = input [2, 3] bool; x -> sum axis=1",
    "boolean and number": "x = input [9] bool; x -> bitwise_or 6",
    "response norm of integers": "x = input [7, 4, 4] int64; x * 5 - 2 -> local_response_norm 3 alpha=0.5",
    "logsumexp of bytes": "x = input [2, 3] uint8; x -> logsumexp axis=1",
    "threshold of integers": "input 3 int8 -> threshold 0.5 2.7",
    "number beyond a byte": "x = input [3] int8; x * 300",
    "comparison with a number beyond a byte": "x = input [3] uint8; x < (-1)",
    "quotient with a number beyond a byte": "x = input [3] int8; x / 300",
    "shift beyond the width": "x = input [9] int32; x * 123456789 - 999 -> bitwise_left_shift 32",
    "shift of bytes beyond the width": "x = input [9] uint8; x * 77 - 30 -> bitwise_right_shift other=-1",
    "number on the left of bits": "x = input [9] int64; x -> bitwise_xor 5 reverse=true",
    "more heads of keys": "q = input [1, T, 6]; k = input [4, S, 6]; v = input [4, S, 6]; (q, k, v) -> attention",
    "scores beyond float16": "x = input [2, 5, 4] float16; h = (x -> sign) * 1000; attention(h, h, x, mask=(x @ (x -> transpose 2 3)))",
    "other heads of values": "q = input [4, T, 6]; k = input [2, S, 6]; v = input [4, S, 5]; (q, k, v) -> attention",
    "logsumexp of booleans": "x = input [2, 3] bool; x -> logsumexp axis=1",
    "circular padding that crops": "input 2x5x5 -> pad [-1, 3, 0, 1] mode=circular",
    "reflected padding that crops": "input 2x5x5 -> pad [-1, 2, 0, 1] mode=reflect",
    "padding by a symbolic amount": "input 2xHxW where W >= 2 -> pad [-(W - 1) // 2, W - 1]",
    "mean far from zero": "x = input 6x5x5; x + 10 -> group_norm 3",
    "constant": "x = input 6; x * 0 + 3 -> layer_norm",
    "infinity": "x = input [4]; x / 0 -> softmax",
    "shrinking NaN": "x = input [4]; x / 0 * 0 -> hardshrink",
    "threshold of NaN": "x = input [4]; x / 0 * 0 -> threshold 0.1 5",
    "extremes of NaN": "x = input [4]; i = input [7] int64; s = input [7]; (x, i, s / 0 * 0) -> scatter_reduce 1 amax",
    "hypotenuse of integers as floats": "x = input [9]; s = x -> sign; (s, 2 * s) -> hypot",
    "end of a line": "x = input [4]; y = input [4]; (x * 1e8, y) -> lerp 1.0",
    "ends of lines": "x = input [4]; y = input [4]; w = input [4]; (x * 1e8, y, w > 0 -> cast float32) -> lerp",
    "norm of halves": "x = input [9] float16; x * 300 -> norm axis=1",
    "variance of halves": "x = input [9] float16; x * 100 -> var axis=1",
    "sums of halves": "x = input [600] bfloat16; x * 0 + 1 -> cumsum axis=1",
    "taps in float16": "x = input [1, 64, 64] float16; o = input [18, 64, 64] float16; (x, o) -> deform_conv 1 3x3 padding=1",
    "large bags of halves": "i = input [3000] int64; i -> embedding_bag 5 4 dtype=float16",
    "sums of exponentials of halves": "x = input [3000] float16; x * 0.01 -> logcumsumexp axis=1",
    "mean of many halves": "x = input [70000] float16; x + 1 -> mean axis=1",
    "mean of a large image of halves": "x = input [1, 300, 300] float16; x + 1 -> global_avg_pool",
    "pool of many halves": "x = input [1, 5000] float16; x + 1 -> avg_pool 2500",
    "loss of many halves": "x = input [70000] float16; t = input [70000] float16; (x, t) -> mse_loss",
    "sums of halves by index": "x = input 3 float16; i = input 9000 int64; s = input 9000 float16; (x, i, s + 1) -> scatter_reduce 1 sum",
    "means of halves by index": "x = input 3 float16; i = input 9000 int64; s = input 9000 float16; (x, i, s + 1) -> scatter_reduce 1 mean",
    "nearest elements of a long signal": "input 1x70000 -> upsample scale=1.5 mode=nearest",
    "softmax of many halves": "x = input [70000] float16; x * 3 -> softmax",
    "rounded quotient": "x = input [4]; (x * 0 + 1) // 0.1",
    "sum beyond 32 bits": "x = input [3] int32; x * 1500000000 + 500000000 -> sum axis=1",
    "product beyond 16 bits": "x = input [9] int16; x * 30000 + 1000 -> prod axis=1",
    "sums beyond a byte": "x = input [9] int8; x * 100 -> cumsum axis=1",
    "softplus below its threshold and above": "input 9 -> softplus threshold=0.1",
    "softplus of halves": "input 9 float16 -> softplus beta=2 threshold=1",
    "log softmax far from zero": "x = input [5]; x + 1e6 -> log_softmax",
    "integers that are limited by a float": "input 5 int32 -> clamp max=0.5",
    "bytes that are limited": "x = input [9] int8; x * 100 -> clamp min=-50",
    "integers to the power of 0": "x = input [3] int32; x ** 0",
    "root mean square of small halves": "x = input [8] float16; x * 0.001 -> rms_norm",
    "padding row that is counted from the end": "input [3] int64 -> embedding_bag 5 4 mode=mean padding_idx=-4",
    "places in a pool of the least bytes": "x = input [2, 5, 6] uint8; (y, at) = x * 0 -> max_pool 3x2 stride=2 padding=1; out y, at",
    "places in a pool of -infinity": "x = input 2x5x6; (y, at) = (x -> abs) / 0 * -1 -> max_pool 3 stride=2 padding=1; out y, at",
    "product with a wider number": "x = input [3] float16; b = input [] batch=false; x * b",
    "product of bytes with a wider number": "x = input [3] uint8; b = input [] int64 batch=false; x * (b + 200)",
    "bits of bytes and of a wider number": "x = input [3] int8; b = input [] int64 batch=false; (b, x) -> bitwise_xor",
    "maximum with a wider number": "x = input [3] float16; b = input [] batch=false; (x, b) -> maximum",
    "choice of a wider number": "x = input [3] float16; b = input [] batch=false; (x > 0, b, x) -> where",
    "nearest of two centers": "input 3x14 -> upsample size=287 mode=nearest_exact",
    "margins of infinite scores": "x = input [4]; t = input [] int64; (x / 0, t) -> multi_margin_loss reduction=none",
    "margins of several infinite scores": "x = input [4]; n = input [4] int64; (x / 0, n * 4 - 1) -> multilabel_margin_loss",
    "an infinite variance": "x = input 3; t = input 3; v = input 3; (x, t, (v -> abs) / 0) -> gaussian_nll_loss reduction=none",
    "count of differences from NaN": "a = input [5, 3]; b = input [4, 3]; (a / 0 * 0, b) -> cdist 0",
    "boolean at an index": "x = input 4 bool; i = input 6 int64; s = input 6 bool; (x, i, s) -> scatter_reduce 1 amin include_self=false",
    "shift by a wider number": "x = input [9] int8; n = input [9] int16; (x * 77, n * 9) -> bitwise_left_shift",
    "extremes so far of halves and NaN": "x = input [T] float16; y = x / (x < 1 -> cast float16); (v, i) = y - y + x -> cummax 1; out v, i",
    "integers with a threshold that is no integer": "x = input 4 int32; x - 1 -> threshold (-1.5) 2",
    "threshold below a byte": "input 3 uint8 -> threshold (-200) 7",
    "choice of a number below a byte": "x = input [3] uint8; (x > 0, x) -> where (-200)",
    "remainder of a number beyond a byte": "x = input [6] int8; x - 100 -> fmod 300",
    "power of a number beyond a byte": "x = input [3] int8; x + 1 -> pow 300 reverse=true",
    "transposed convolution that crops": "input 2x5x5 -> conv_transpose 3 1x2 stride=2 padding=[1, 2]",
}
"""By what a model is about."""

_ROWS = "x = input [5, 6]; m = table (i, j) [5, 5] bool = i < 2; f = (table (i, j) [5, 5] float32 = i * j, m) -> masked_fill (-inf)"
HIDDEN = {
    "padding": "x = input [5, 6]; x -> multihead_attention 2 key_padding_mask=((x * x -> sum axis=2) >= 0)",
    "boolean mask": f"{_ROWS}; x -> multihead_attention 2 attn_mask=m",
    "added mask": f"{_ROWS}; x -> multihead_attention 2 attn_mask=f",
    "weights": f"{_ROWS}; (y, w) = x -> multihead_attention 2 attn_mask=f; w",
    "boolean mask of attention": f"{_ROWS}; attention(x, x, x, mask=(m -> logical_not))",
    "added mask of attention": f"{_ROWS}; attention(x, x, x, mask=f)",
}
"""Models with queries whose keys are all hidden."""

POOLED = (
    "x = input 2x7x8; x -> max_pool 2x3 stride=1 padding=[1, 1]",
    "x = input 2x9x9; x -> max_pool 2 dilation=3 stride=1 padding=1",
    "x = input 2x4x4; x * 0 -> max_pool 2 stride=1",
    "x = input 2x4x4; x * 0 -> max_pool 2 dilation=2",
    "x = input 2x9; x -> max_pool 3 dilation=2 ceil_mode=true -> relu",
    "x = input 1x4x5x6; x -> max_pool 1x2x2 dilation=[1, 2, 1]",
)
"""Pools whose gradients depend on the windows, or on which of equal elements is the largest."""

POINTS = [[-100.0], [-1.0], [-0.5], [0.0], [0.3], [0.5], [1.0], [6.0], [100.0]]
INSIDE = [[-100.0], [-1.0], [0.3], [0.5], [5.0], [100.0]]
"""Points without the limits of a clamp, at which PyTorch 2.13 has the gradient 1, and PyTorch 2.15 has 0."""
SATURATED = [[20.0], [-120.0], [0.3], [50.0], [-50.0], [-25.0]]
ROWS = [[0.0, 0.0, 0.0], [1.0, 0.0, 2.0], [-1.0, 2.0, 2.0]]
CONSTANT = [[2.0, 2.0, 2.0], [1.0, 2.0, 2.0]]
PAIRS = ([[0.0], [0.0], [2.0], [-4.0], [2.5]], [[0.0], [2.0], [2.0], [2.0], [1.0]])
PIXELS = [[[[0.0, 1.0, 3.0], [2.0, -1.0, 5.0], [4.0, 0.5, -2.0]]]]
WHOLE_OFFSETS = [[[[float(index % 3 - 1)]] for index in range(18)]]
EDGES: dict[str, tuple[Any, ...]] = {
    "x = input 1x3x3; at = input 18x1x1; (x, at) -> deform_conv 2 3x3": (PIXELS, WHOLE_OFFSETS),
    "input 1 -> softplus threshold=1": (POINTS,),
    "input 1 -> softplus beta=2 threshold=3": (POINTS,),
    "x = input 1; t = input 1; (x -> sigmoid, t) -> binary_cross_entropy": (SATURATED, [[1.0], [0.0], [0.3], [1.0], [1.0], [0.2]]),
    "x = input 1; t = input 1; (x, t) -> binary_cross_entropy": ([[0.0], [1.0], [0.0], [1.0]], [[0.0], [1.0], [1.0], [0.2]]),
    "input 3 -> std axis=1": (CONSTANT,),
    "input 3 -> std axis=0 correction=0": (CONSTANT,),
    "input 3 -> elu 1.3": (ROWS,),
    "input 1 -> elu": (POINTS,),
    "input 1 -> selu": (POINTS,),
    "input 1 -> celu 1.5": (POINTS,),
    "x = input 3; t = input [] int64; (x, t) -> cross_entropy": (ROWS, [-100, -100, -100]),
    "x = input 3; t = input [] int64; (x, t) -> cross_entropy label_smoothing=0.1": (ROWS, [-100, -100, -100]),
    "x = input 3; x ** 0": (ROWS,),
    "x = input 3; x ** 0.0": (ROWS,),
    "x = input 1; y = input 1; (x -> abs) ** y": PAIRS,
    "x = input 1; y = input 1; (x, y) -> atan2": PAIRS,
    "x = input 1; y = input 1; (x, y) -> maximum": PAIRS,
    "x = input 1; y = input 1; (x, y) -> minimum": PAIRS,
    "x = input 1; y = input 1; (x, y + 1) -> fmod": PAIRS,
    "input 1 -> clamp min=0": (INSIDE,),
    "input 1 -> clamp 0 1": (INSIDE,),
    "input 1 -> clamp max=6": (INSIDE,),
    "input 1 -> hardtanh": (POINTS,),
    "input 1 -> leaky_relu": (POINTS,),
    "input 1 -> leaky_relu 1.5": (POINTS,),
    "input 1 -> rrelu": (POINTS,),
    **{f"input 3 -> norm p={p} axis=1": (ROWS,) for p in ("inf", "-1", "0.5", "1", "1.5", "2", "3")},
    **{f"a = input [2, 3]; b = input [2, 3]; (a, b) -> cdist {p}": ([ROWS[:2]], [ROWS[::2]]) for p in ("0.5", "1", "2", "3")},
}
"""Models with inputs where a formula has no gradient, or another one than PyTorch: at a corner, at zero, beyond the range of `exp`."""

RESIZED = (
    "input 1x37 -> upsample size=[64] mode=linear align_corners=true",
    "input 1x17x23 -> upsample size=[9, 60] mode=bilinear",
    "input 1x17x23 -> upsample size=[40, 11] mode=bilinear antialias=true",
    "input 1x17x23 -> upsample size=[9, 60] mode=bicubic",
    "input 1x17x23 -> upsample size=[9, 30] mode=bicubic antialias=true",
    "input 1x5x6x7 -> upsample size=[9, 3, 14] mode=trilinear",
    "input 1x17x23 -> upsample size=[5, 40] mode=area",
)


def resize_exactly(text: str) -> tuple[netc.Model, torch.Tensor, torch.Tensor]:
    """The model, an input with an infinite element, which reaches only the elements around it, and what PyTorch computes of it in float64.
    In float32, PyTorch's weights have errors of 3e-6. With `antialias`, it multiplies the infinite element by 0, too."""
    model = netc.compile(text)
    (declared,) = model.inputs.values()
    x = torch.randn(2, *map(int, declared.shape[1:]), generator=torch.Generator().manual_seed(1))
    if "antialias" not in text:
        x[0].view(-1)[x[0].numel() // 2] = math.inf
    return model, x, model.module()(x.double())


DIVISIONS = {"x // y": torch.floor_divide, "x % y": torch.remainder, "(x, y) -> fmod": torch.fmod}
"""Divisions of two inputs, with PyTorch's functions."""


SAMPLING = tuple(itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")))
"""The modes of `grid_sample`, with the rules of its padding."""


def make_places() -> torch.Tensor:
    """All pairs of places inside, outside and nowhere: [1, 8, 8, 2]."""
    places = torch.tensor([0.1, -0.7, 0.95, -1.5, 3e38, math.inf, -math.inf, math.nan])
    return torch.cartesian_prod(places, places).reshape(1, 8, 8, 2)


CUMULATIVE = ("x = input [6]; x -> cummax axis=1", "x = input [6]; (y, at) = x -> cummin axis=1; out y, at")
"""The largest and the smallest element so far, without and with its index."""


def list_special_rows() -> torch.Tensor:
    """Rows of equal numbers, infinities and NaN: [4, 6]."""
    inf, nan = math.inf, math.nan
    return torch.tensor([[1, inf, 2, inf, nan, 3], [nan] * 6, [-inf] * 6, [-inf, -inf, 2, 2, 1, 2]])


def pair_numbers(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """All pairs of numbers that divisions treat in different ways: [1, pairs]."""
    numbers = (0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 3.0, 5.5, -7.0, 1e4, -6e4, math.inf, -math.inf, math.nan)
    left, right = zip(*itertools.product(numbers, numbers), strict=True)
    return torch.tensor([left], dtype=dtype), torch.tensor([right], dtype=dtype)
