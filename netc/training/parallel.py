"""Parallelize an objective: DDP, FSDP, tensor parallelism, compilation, and activation checkpointing.

In: an objective on its device. Out: the same objective, with its module changed in place. Always: the keys of `objective.model` stay.
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
from netc.compiler.ir.differentiated_values import has_gradients

from .batches import MicroBatch
from .engine import Engine
from .objective import Objective
from .pipeline_parallel import PipelineModel, describe_stages, take_stage
from .ranks import REPLICAS, TENSOR, Ranks
from .repeated_blocks import find_repeated_blocks
from .shardable_layers import plan_sharding, require_sharding_plan
from .synchronized_statistics import synchronize_statistics
from .tensor_parallel import shard_operations, split_layers


def parallelize_objective(objective: Objective, engine: Engine, ranks: Ranks, sample: Callable[[], MicroBatch]) -> list[str]:
    """Apply the engine's options to the objective's modules. Return notes on options that could not be applied. `sample` makes a batch of a
    few samples."""
    _refuse_derivatives(objective, engine, ranks)
    if ranks.pipeline > 1:
        return _apply_pipeline(objective, engine, ranks)
    # Layers are split first. DDP and FSDP come last, because they wrap what the other options have changed.
    notes: list[str] = []
    mesh = ranks.make_mesh() if ranks.tensor > 1 else None
    if mesh is not None:
        splits = require_sharding_plan(objective.training_section, ranks.tensor)
        split_layers(objective.model, splits, mesh[TENSOR])
        notes.append(splits.format_summary(ranks.tensor))
    if ranks.replicas > 1:
        notes += _synchronize_statistics(objective.model, ranks)
    if engine.checkpoint_activations:
        notes += recompute_activations(objective.model)
    if engine.compile:
        compile_model(objective.model)
    if ranks.world > 1 and objective.recipe.minimized:
        _refuse_sharded_turns(engine, ranks)
    elif ranks.world > 1:
        if engine.strategy == "fsdp" or mesh is not None:
            _apply_fsdp(objective, None if mesh is None else mesh[REPLICAS])
        else:
            _wrap_in_ddp(objective, ranks, sample)
    return notes


def _apply_pipeline(objective: Objective, engine: Engine, ranks: Ranks) -> list[str]:
    """Compute the model in stages, each of which may be divided further. Return notes."""
    mesh = ranks.make_mesh()
    stages = take_stage(objective, ranks)
    notes = [describe_stages(stages)]
    if ranks.tensor > 1:
        splits = plan_sharding(stages[ranks.stage].program, ranks.tensor)
        split_layers(objective.model, splits, mesh[TENSOR])
        notes.append(f"stage {ranks.stage + 1}: {splits.format_summary(ranks.tensor)}")
    if engine.checkpoint_activations:
        notes += recompute_activations(objective.model)
    if ranks.replicas > 1:
        notes += _synchronize_statistics(objective.model, ranks, mesh)
    pipeline = PipelineModel(objective, stages, ranks, mesh)
    if engine.strategy == "fsdp" or ranks.tensor > 1:
        _check_axes(objective)
        for block in find_repeated_blocks(objective.model):
            fully_shard(block, mesh=mesh[REPLICAS])
        fully_shard(pipeline.stage_module, mesh=mesh[REPLICAS])
    objective.set_parallel_module(pipeline)
    return notes


def _synchronize_statistics(model: nn.Module, ranks: Ranks, mesh: DeviceMesh | None = None) -> list[str]:
    """Make `batch_norm` use the samples of all replicas. Return notes."""
    if ranks.tensor == 1:
        synchronize_statistics(model, None if mesh is None else mesh.get_group(REPLICAS))
        return []
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        return ["with `--tp`, batch_norm uses the samples of each replica alone, so the results differ from a run with one process"]
    return []


def compile_model(model: nn.Module) -> None:
    """Compile the full model with `torch.compile`, at its first call."""
    model.compile()


def recompute_activations(model: nn.Module) -> list[str]:
    """Make the repeated blocks keep only their inputs, and recompute their activations in the backward pass."""
    blocks = find_repeated_blocks(model)
    if not blocks:
        return ["no block of the model repeats: all activations are kept"]
    skipped = [b for b in blocks if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in b.modules())]
    for block in blocks:
        if block not in skipped:  # a second pass would count the statistics of the batch twice
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    return [f"the activations of {len(skipped)} blocks with batch_norm are kept"] if skipped else []


def _wrap_in_ddp(objective: Objective, ranks: Ranks, sample: Callable[[], MicroBatch]) -> None:
    """Wrap the model in DDP."""
    # DDP waits for the gradient of every parameter that requires one when it wraps the model: also of parameters that the optimizer would
    # exclude later (`freeze`, `follow`), or that the loss does not use.
    if objective.file.has_function("freeze_parameters"):
        objective.file.freeze_parameters(objective.model)
    for parameter in find_unused_parameters(objective, sample()):
        parameter.requires_grad_(False)
    if any(p.requires_grad for p in objective.model.parameters()):
        devices = [ranks.device] if ranks.device.type == "cuda" else None
        objective.set_parallel_module(nn.parallel.DistributedDataParallel(objective.model, device_ids=devices))


def _refuse_derivatives(objective: Objective, engine: Engine, ranks: Ranks) -> None:
    """Refuse a `gradient` where PyTorch computes no derivative of a derivative: in compiled modules, and of distributed parameters."""
    section = objective.training_section
    main, model = section.program.main, section.model_call.graph
    # It raises an error: https://github.com/pytorch/pytorch/issues/91469
    if engine.compile and has_gradients(main):
        why = "the loss or the model has a `gradient`, and torch.compile supports no derivative of a derivative"
        raise RunError(NoDevice(why, "leave out `--compile`"))
    # FSDP frees the parameters after the model's outputs, before the loss differentiates them.
    if (engine.strategy == "fsdp" and has_gradients(main, model)) or (ranks.tensor > 1 and has_gradients(main)):
        option = "--tp" if ranks.tensor > 1 else "--strategy fsdp"
        why = f"the loss has a `gradient`, which needs whole parameters, and with `{option}`, each process has parts of them"
        raise RunError(NoDevice(why, "leave it out: with `--strategy ddp`, each process has all parameters"))


def _refuse_sharded_turns(engine: Engine, ranks: Ranks) -> None:
    """Refuse to shard the parameters of a section with several losses. The training step averages the gradients itself: DDP and FSDP expect
    a gradient of the same parameters in every step."""
    if engine.strategy == "fsdp" or ranks.tensor > 1:
        why = "a section with `minimize` trains other parameters in each step, which FSDP and tensor parallelism do not allow"
        raise RunError(NoDevice(why, "leave out `--strategy` and `--tp`: each process then has all parameters"))


def release_ddp(objective: Objective) -> None:
    """Remove the DDP wrapper."""
    # Its reducer must be destroyed before the process group: as the last owner of the group it would wait, holding Python's lock, for a
    # thread of the group that waits for that lock.
    replicated = objective.module
    if isinstance(replicated, nn.parallel.DistributedDataParallel):
        objective.set_parallel_module(None)
        del replicated.logger, replicated.reducer


def _apply_fsdp(objective: Objective, mesh: DeviceMesh | None) -> None:
    """Apply FSDP2 over a mesh, or over all processes: to each repeated block, then to the rest. Raises `RunError` for a parameter without
    an axis, which `fully_shard` refuses."""
    _check_axes(objective)
    # FSDP warns about views as results, because a module that changes them in place would fail. netc emits no such module.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor", UserWarning)
    for block in find_repeated_blocks(objective.model):
        fully_shard(block, mesh=mesh)
    fully_shard(objective.model, mesh=mesh)


def _check_axes(objective: Objective) -> None:
    scalar = next((name for name, parameter in objective.model.named_parameters() if not parameter.dim()), None)
    if scalar is not None:
        remedy = "declare it with an axis, `param [1]`, or pass `--strategy ddp`"
        raise RunError(NoDevice(f"FSDP cannot shard the parameter `{scalar}`, which has no axis", remedy))


def set_gradient_sync(module: nn.Module, last: bool) -> None:
    """Set whether the next backward pass exchanges gradients: only the last micro-batch of a step does."""
    if isinstance(module, nn.parallel.DistributedDataParallel):
        module.require_backward_grad_sync = last  # as `no_sync` sets it
    elif isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)


def computation_context(ranks: Ranks) -> AbstractContextManager[Any]:
    """Return the context for forward and backward passes."""
    return shard_operations() if ranks.tensor > 1 else nullcontext()


def find_unused_parameters(objective: Objective, micro_batch: MicroBatch) -> list[nn.Parameter]:
    """Find the trained parameters that the loss does not depend on."""
    # Buffers are restored: the pass updates the running statistics of batch norm.
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
