"""Batch norm over the samples of all processes, with the statistics of the whole micro-batch, as in one process.

In: a model of which each process has a replica. Out: the same model, whose `batch_norm` layers exchange sums in the forward and backward
passes. Always: every process calls the layers equally often, also with a share of no samples; outputs, gradients and running statistics
equal the results of one process up to rounding. `torch.nn.SyncBatchNorm` does the same, but only on GPUs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronize_statistics(model: nn.Module, replicas: dist.ProcessGroup | None = None) -> None:
    """Make the `batch_norm` layers of a model use the samples of all processes, or of the processes of a group."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.forward = partial(_UNCOMPILED, module, replicas)  # type: ignore[method-assign]


class _SumOfProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes. Each process's loss depends on the sum, so the gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup | None) -> Tensor:
        ctx.group = group
        total = x.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _sum_over_processes(gradients[0].contiguous(), ctx.group), None


def _sum_over_processes(x: Tensor, group: dist.ProcessGroup | None) -> Tensor:
    total: Tensor = _SumOfProcesses.apply(x, group)  # type: ignore[no-untyped-call]
    return total


def _normalize_batch(module: _BatchNorm, replicas: dist.ProcessGroup | None, x: Tensor) -> Tensor:
    """Do what `forward` of the layer does. x: [N, C, ...] -> [N, C, ...]."""
    if not module.training:
        return type(module).forward(module, x)
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
    wide = x if x.dtype == torch.float64 else x.float()
    numbers = wide.new_tensor([x.numel() // x.shape[1]])
    summed = _sum_over_processes(torch.cat([wide.sum(axes), numbers]), replicas)
    total, count = summed[:-1], summed[-1]
    mean = total / count
    centered = wide - mean.view(shape)
    # From the deviations, not from squares: of large numbers, the squares cancel.
    variance = _sum_over_processes(centered.square().sum(axes), replicas) / count
    _update_running_statistics(module, mean.detach(), (variance * count / (count - 1)).detach())
    y: Tensor = centered * (variance + module.eps).rsqrt().view(shape)
    if module.affine:
        y = y * module.weight.view(shape) + module.bias.view(shape)
    return y.to(x.dtype)


def _update_running_statistics(module: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    if module.running_mean is None or module.running_var is None or module.num_batches_tracked is None:
        return
    module.num_batches_tracked += 1
    momentum = 1 / float(module.num_batches_tracked) if module.momentum is None else module.momentum
    module.running_mean.lerp_(mean.to(module.running_mean.dtype), momentum)
    module.running_var.lerp_(variance.to(module.running_var.dtype), momentum)


_UNCOMPILED = torch.compiler.disable(_normalize_batch)  # type: ignore[no-untyped-call]
"""A compiled model calls the function as it is: processes whose shares have other sizes would compile the exchange at other times."""
