"""Products with chosen matrices, and assignments: definitions for the files of PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def grouped_linear(x: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Multiplies each row by the matrix of its group.

    x: [..., features], index: [...], weight: [groups, units, features] -> [..., units].
    """
    y = x.new_zeros(*x.shape[:-1], weight.shape[1])
    for group, matrix in enumerate(weight):
        rows = index == group
        y[rows] = F.linear(x[rows], matrix).to(y.dtype)
    return y


def assign_columns(cost: Tensor) -> Tensor:
    """The column of each row in the assignment of the least total cost, or -1. An infinite cost forbids a pair.

    cost: [..., R, C] -> [..., R].
    """
    if cost.isnan().any() or cost.isneginf().any():
        raise ValueError("costs of an assignment must be numbers or inf, and there is NaN or -inf")
    tables = cost.detach().to("cpu", torch.float64).reshape(cost.shape[:-2].numel(), *cost.shape[-2:])
    columns = torch.full((len(tables), cost.shape[-2]), -1)
    for table, result in zip(tables, columns, strict=True):
        # Rows and columns without a pair, such as padding, do not take part.
        possible = table.isfinite()
        row, column = possible.any(1).nonzero()[:, 0], possible.any(0).nonzero()[:, 0]
        part, allowed = table[row][:, column], possible[row][:, column]
        if not allowed.all():
            # Costs from 0 to 1, and more for one forbidden pair than for all others together.
            low, high = part[allowed].aminmax()
            scaled = (part - low) / (high - low if high > low else 1)
            part = scaled.masked_fill(~allowed, len(row) + 1)
        i, j = (torch.from_numpy(index) for index in linear_sum_assignment(part.numpy()))
        kept = allowed[i, j]
        result[row[i[kept]]] = column[j[kept]]
    return columns.to(cost.device).reshape(cost.shape[:-1])
