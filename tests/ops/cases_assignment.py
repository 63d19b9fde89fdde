"""Models with assignments for the differential tests, and what they refuse. tests/unit/test_match.py compares with all permutations."""

from __future__ import annotations

from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

CASES = [
    "input [3, 5] -> match",
    "input [5, 3] float64 -> match",
    "input [T, 4] float16 -> match",
    "input [2, T, T] bfloat16 -> match",
    "input [4, 3] batch=false -> match",
    "input [1, 1] -> match",
    "input [3, 4] int64 -> match",
    "input [3, 2] uint8 -> match",
    "input [2, 2] bool -> match",
    "x = input [3, 4]; order = x -> match; (x, order -> unsqueeze 2) -> gather 2 -> sum 1",
]

REFUSED = [
    ("input [4] batch=false -> match", "wrong-rank"),
    ("input 4 -> match", "wrong-size"),
    ("input [T, 4] -> transpose 0 1 -> match", "wrong-size"),
]


def _match(args: Any, cost: Tensor) -> Tensor:
    result = torch.full(cost.shape[:-1], -1)
    for index in torch.cartesian_prod(*map(torch.arange, cost.shape[:-2])).reshape(-1, cost.dim() - 2) if cost.dim() > 2 else [[]]:
        rows, columns = linear_sum_assignment(cost[tuple(index)].double())
        result[tuple(index)][rows] = torch.as_tensor(columns)
    return result


REFERENCES = {"match": _match}
