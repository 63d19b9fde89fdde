"""Whether `batch_norm` gets a part of a batch that has no variance, before the first step.

In: a train section, its recipe, and the number of samples. Out: a `RunError`, or nothing. Always: only what is certain is refused, by sizes
that do not depend on the data; what is left PyTorch finds in the step.
"""

from __future__ import annotations

from netc.compiler.dims import evaluate_dim
from netc.compiler.errors.run_errors import BatchTooSmall, RunError
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode
from netc.compiler.ir.training_program import Training
from netc.compiler.ops.normalization import BatchNorm
from netc.compiler.types.tensor_types import BATCH, Shape

from .recipe import Recipe


def check_micro_batch_sizes(training: Training, recipe: Recipe, samples: int, replicas: int) -> None:
    """Raises `RunError` if a step of the run has a part of one sample, of which `batch_norm` gets one number a channel. `samples` are
    those that are trained on."""
    step = _find_single_sample_step(recipe, samples, replicas)
    if step is None:
        return
    flat = (item for item in FlatGraph(training.program.main) if isinstance(item, FlatNode))
    if any(isinstance(item.node.op, BatchNorm) and _is_single(item.node.inputs[0].type.shape) for item in flat):
        raise RunError(BatchTooSmall(step, 1))


def _find_single_sample_step(recipe: Recipe, samples: int, replicas: int) -> int | None:
    """The first step in which a process has a part of one sample, counted from 1."""
    per_epoch = -(-samples // recipe.batch)
    last = samples - (per_epoch - 1) * recipe.batch
    sizes = {per_epoch: last} if per_epoch == 1 else {1: recipe.batch, per_epoch: last}
    steps = (step for step, size in sizes.items() if step <= recipe.count_steps(samples) and _has_single(size, recipe.accumulate, replicas))
    return next(steps, None)


def _has_single(size: int, accumulate: int, replicas: int) -> bool:
    parts = min(accumulate, size)
    return any(1 <= part < 2 * replicas for part in {size // parts, -(-size // parts)})


def _is_single(shape: Shape) -> bool:
    """Whether a tensor of one sample has one number a channel."""
    try:
        return all(evaluate_dim(size, {BATCH: 1}) == 1 for size in (shape[0], *shape[2:]))
    except KeyError:  # a length that the data say
        return False
