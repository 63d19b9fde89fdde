"""The module of an objective, arranged for the machine: on several processes, compiled, with activations recomputed.

In: an objective on its device. Out: the same objective, its module changed in place. Always: the keys of `objective.model` stay.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.utils.checkpoint import checkpoint

from netc.compiler.errors.run_errors import NoDevice, RunError

from .batches import MicroBatch
from .engine import Engine
from .objective import Objective
from .ranks import REPLICAS, TENSOR, Ranks
from .repeated_blocks import find_repeated_blocks
from .shardable_layers import require_sharding_plan
from .tensor_parallel import shard_operations, split_layers


def parallelize_objective(objective: Objective, engine: Engine, ranks: Ranks, sample: Callable[[], MicroBatch]) -> list[str]:
    """Changes the objective's modules as the engine says; notes on what could not be done. `sample` makes a batch of a few samples."""
    notes: list[str] = []
    mesh = ranks.make_mesh() if ranks.tensor > 1 else None
    if mesh is not None:
        splits = require_sharding_plan(objective.training_section, ranks.tensor)
        split_layers(objective.model, splits, mesh[TENSOR])
        notes.append(splits.format_summary(ranks.tensor))
    if ranks.replicas > 1 and any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in objective.model.modules()):
        notes.append("batch_norm uses the samples of each process alone: results differ from those of one process")
    if engine.checkpoint_activations:
        notes += recompute_activations(objective.model)
    if engine.compile:
        compile_model(objective.model)
    if ranks.world > 1:
        if engine.strategy == "fsdp" or mesh is not None:
            _apply_fsdp(objective, None if mesh is None else mesh[REPLICAS])
        else:
            _wrap_in_ddp(objective, ranks, sample)
    return notes


def compile_model(model: nn.Module) -> None:
    """The model is compiled as a whole, when it is first called."""
    model.compile()


def recompute_activations(model: nn.Module) -> list[str]:
    """The blocks that repeat keep their inputs only, and compute the rest again in the backward pass."""
    blocks = find_repeated_blocks(model)
    if not blocks:
        return ["no block of the model repeats: all activations are kept"]
    skipped = [b for b in blocks if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in b.modules())]
    for block in blocks:
        if block not in skipped:  # a second pass would count the statistics of the batch twice
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    return [f"the activations of {len(skipped)} blocks with batch_norm are kept"] if skipped else []


def _wrap_in_ddp(objective: Objective, ranks: Ranks, sample: Callable[[], MicroBatch]) -> None:
    """DDP. Parameters without a gradient are not waited for."""
    for parameter in find_unused_parameters(objective, sample()):
        parameter.requires_grad_(False)
    if any(p.requires_grad for p in objective.model.parameters()):
        devices = [ranks.device] if ranks.device.type == "cuda" else None
        objective.set_parallel_module(nn.parallel.DistributedDataParallel(objective.model, device_ids=devices))


def release_ddp(objective: Objective) -> None:
    """Undoes DDP. Its reducer must be gone before the group of processes is: as the last owner of the group it would wait, with Python
    locked, for a thread of the group that waits for Python."""
    replicated = objective.module
    if isinstance(replicated, nn.parallel.DistributedDataParallel):
        objective.set_parallel_module(None)
        del replicated.logger, replicated.reducer


def _apply_fsdp(objective: Objective, mesh: DeviceMesh | None) -> None:
    """FSDP2 over a mesh, or all processes: the blocks that repeat, then what is left. Raises `RunError` for a parameter without an axis,
    which `fully_shard` does not take."""
    scalar = next((name for name, parameter in objective.model.named_parameters() if not parameter.dim()), None)
    if scalar is not None:
        remedy = "declare it with an axis, `param [1]`, or pass `--strategy ddp`"
        raise RunError(NoDevice(f"FSDP cannot shard the parameter `{scalar}`, which has no axis", remedy))
    # It warns of views as results, which a module that changes them in place would break: what netc emits does not.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor", UserWarning)
    for block in find_repeated_blocks(objective.model):
        fully_shard(block, mesh=mesh)
    fully_shard(objective.model, mesh=mesh)


def set_gradient_sync(module: nn.Module, last: bool) -> None:
    """Whether gradients travel with the next backward pass of a module, which they do once a step."""
    if isinstance(module, nn.parallel.DistributedDataParallel):
        module.require_backward_grad_sync = last  # as `no_sync` sets it
    elif isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)


def computation_context(ranks: Ranks) -> AbstractContextManager[Any]:
    """What surrounds any pass."""
    return shard_operations() if ranks.tensor > 1 else nullcontext()


def find_unused_parameters(objective: Objective, micro_batch: MicroBatch) -> list[nn.Parameter]:
    """The trained parameters that the loss does not depend on. Buffers stay as they are."""
    buffers = [(b, b.clone()) for b in objective.model.buffers()]
    trained = [p for p in objective.model.parameters() if p.requires_grad]
    if not trained:
        return []
    loss, _ = objective(micro_batch)
    grads = torch.autograd.grad(loss, trained, allow_unused=True) if loss.requires_grad else [None] * len(trained)
    with torch.no_grad():
        for buffer, value in buffers:
            buffer.copy_(value)
    return [p for p, grad in zip(trained, grads, strict=True) if grad is None]
