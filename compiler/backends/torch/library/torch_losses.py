"""Losses: definitions for the files of PyTorch."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def score_labels(rows: Tensor, labels: Tensor, linear: Any, bias: Any, weight: Any, options: dict[str, Any]) -> Tensor:
    """The cross entropy of each row: [M, D], [M] -> [M]."""
    return F.cross_entropy(F.linear(rows, linear, bias), labels, weight, reduction="none", **options)


class ScoreSum(torch.autograd.Function):
    """The sum of `score_labels`, of `size` rows at a time. Its gradients are computed with it, so that no scores are
    kept.
    """

    @staticmethod
    def forward(ctx: Any, size: int, options: Any, labels: Tensor, weight: Any, rows: Tensor, *linear: Any) -> Tensor:
        held = [None if t is None else t.detach().requires_grad_(t.requires_grad) for t in linear]
        trained = [t for t in held if t is not None and t.requires_grad]
        grads, row_grads = [torch.zeros_like(t) for t in trained], []
        total = rows.new_zeros((), dtype=torch.promote_types(rows.dtype, torch.float32))
        for part, part_labels in zip(rows.split(size), labels.split(size), strict=True):
            part = part.detach().requires_grad_()
            with torch.enable_grad():
                loss = score_labels(part, part_labels, held[0], held[1], weight, options).sum(dtype=total.dtype)
            row_grad, *part_grads = torch.autograd.grad(loss, (part, *trained))
            row_grads.append(row_grad)
            for grad, part_grad in zip(grads, part_grads, strict=True):
                grad += part_grad
            total += loss.detach()
        if rows.requires_grad:
            grads.insert(0, torch.cat(row_grads))
        ctx.options = options
        ctx.save_for_backward(labels, weight, rows, *linear, *grads)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        labels, weight, rows, linear, bias, *grads = ctx.saved_tensors
        needed = [t is not None and t.requires_grad for t in (rows, linear, bias)]
        if torch.is_grad_enabled():  # for the derivative of a gradient, which needs all scores
            total = score_labels(rows, labels, linear, bias, weight, ctx.options).sum(dtype=upstream.dtype)
            trained = [t for t, used in zip((rows, linear, bias), needed, strict=True) if used]
            grads = list(torch.autograd.grad(total, trained, upstream, create_graph=True))
        else:
            grads = [grad * upstream.to(grad.dtype) for grad in grads]
        return None, None, None, None, *(grads.pop(0) if used else None for used in needed)


def linear_cross_entropy(
    x: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The cross entropy of the scores `F.linear(x, linear_weight, linear_bias)`. The scores of 256 rows are in memory
    at a time, or as many numbers as `x` has.

    x: [..., D], linear_weight: [C, D], target: [...] -> [] or, with `reduction="none"`, [...].
    """
    rows, labels = x.reshape(-1, x.shape[-1]), target.reshape(-1)
    size = max(256, x.numel() // len(linear_weight))
    options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    if reduction == "none" or not torch.is_grad_enabled():
        rest = linear_weight, linear_bias, weight, options
        parts = zip(rows.split(size), labels.split(size), strict=True)
        losses = torch.cat([checkpoint(score_labels, *part, *rest, use_reentrant=False) for part in parts])
        if reduction == "none":
            return losses.reshape(target.shape)
        total = losses.sum(dtype=torch.promote_types(losses.dtype, torch.float32))
    else:
        total = ScoreSum.apply(size, options, labels, weight, rows, linear_weight, linear_bias)
    if reduction == "mean":
        kept = labels != ignore_index
        # As in `F.cross_entropy`, the mean of no rows is NaN, and its gradient is 0.
        total = total.masked_fill(~kept.any(), math.nan)
        total = total / (kept.sum() if weight is None else weight[labels[kept]].sum())
    is_cast = torch.is_autocast_enabled(x.device.type)
    return total.to(torch.float32 if is_cast else x.dtype)
