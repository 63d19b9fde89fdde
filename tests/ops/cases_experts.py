"""Models of the experts family for the differential tests, and what it refuses. Indices are 0 or 1: the judge feeds no others."""

from __future__ import annotations

import torch
from torch.nn.functional import linear

CASES = [
    "x = input [T, 8]; e = input [T] int64; w = input [4, 6, 8] batch=false; (x, e, w) -> grouped_linear",
    "x = input [T, 3, 8]; e = input [T, 3] int32; w = param [2, 5, 8] as up_proj; (x, e, w) -> grouped_linear",
    "x = input [8]; e = input [] int64; w = param [1, 1, 8] as w; (x, e, w) -> grouped_linear",
    "x = input [8] batch=false; e = input [] int64 batch=false; w = param [3, 2, 8] as w; (x, e, w) -> grouped_linear",
    "x = input [T, 1] float64; e = input [T] int64; w = input [2, 3, 1] float64 batch=false; (x, e, w) -> grouped_linear",
    "x = input [T, 4] float16; e = input [T] int64; w = input [3, 3, 4] float16 batch=false; (x, e, w) -> grouped_linear",
]

TORCH_ONLY = [
    "x = input [T, 4] bfloat16; e = input [T] int64; w = input [3, 3, 4] bfloat16 batch=false; (x, e, w) -> grouped_linear",
]
"""Element types that ONNX Runtime has no kernels for on the CPU."""

REFUSED = [
    ("x = input [T, 8]; e = input [T, 8] int64; w = param [4, 6, 8] as w; (x, e, w) -> grouped_linear", "shape-mismatch"),
    ("x = input [T, 8]; e = input [1] int64; w = param [4, 6, 8] as w; (x, e, w) -> grouped_linear", "unprovable"),
    ("x = input [3, 8]; e = input [2] int64; w = param [4, 6, 8] as w; (x, e, w) -> grouped_linear", "shape-mismatch"),
    ("x = input [T, 8]; e = input [T] int64; w = param [4, 8, 6] as w; (x, e, w) -> grouped_linear", "shape-mismatch"),
    ("x = input [T, 8]; e = input [T] int64; w = param [6, 8] as w; (x, e, w) -> grouped_linear", "wrong-rank"),
    ("x = input [T, 8]; e = input [T]; w = param [4, 6, 8] as w; (x, e, w) -> grouped_linear", "needs-integer"),
    ("x = input [T, 8] int64; e = input [T] int64; w = param [4, 6, 8] as w; (x, e, w) -> grouped_linear", "needs-float"),
]


def _row_by_row(args: object, x: torch.Tensor, index: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    if index.shape != x.shape[:-1] or index.dtype not in (torch.int32, torch.int64):
        raise ValueError("an index for each row, of a type that torch.nn.Embedding takes")
    nothing = torch.zeros_like(weight[0])
    rows = zip(x.reshape(-1, x.shape[-1]), index.flatten().tolist(), strict=True)
    made = [linear(row, weight[i] if 0 <= i < len(weight) else nothing) for row, i in rows]
    return torch.stack(made).reshape(*index.shape, weight.shape[1])


REFERENCES = {"grouped_linear": _row_by_row}
