"""Check before the first step that `batch_norm` never gets a micro-batch without a variance.

In: a train section, its recipe, and the number of samples. Out: a `RunError`, or nothing. Always: only certain failures are refused, from
sizes that do not depend on the data; PyTorch reports the others in the step.

Of 33 samples in batches of 16, the last batch has one sample, so the third step is refused if the model has a `batch_norm` of `[N, C]`.
With `accumulate 12`, the first step is refused: most of its micro-batches have one sample.

    >>> _has_single(16, 1, 1), _has_single(1, 1, 1), _has_single(16, 12, 1)
    (False, True, True)
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
    """Raise `RunError` if a step of the run has a micro-batch of one sample, of which `batch_norm` gets one number in each channel.
    `samples` is the number of training samples."""
    step = _find_single_sample_step(recipe, samples, replicas)
    if step is None:
        return
    flat = (item for item in FlatGraph(training.program.main) if isinstance(item, FlatNode))
    if any(isinstance(item.node.op, BatchNorm) and _is_single(item.node.inputs[0].type.shape) for item in flat):
        raise RunError(BatchTooSmall(step, 1))


def _find_single_sample_step(recipe: Recipe, samples: int, replicas: int) -> int | None:
    """Find the first step in which a process has a micro-batch of one sample, counted from 1."""
    # All batches of an epoch have the same size except the last, so two steps tell about all.
    per_epoch = -(-samples // recipe.batch)
    last = samples - (per_epoch - 1) * recipe.batch
    sizes = {per_epoch: last} if per_epoch == 1 else {1: recipe.batch, per_epoch: last}
    steps = (step for step, size in sizes.items() if step <= recipe.count_steps(samples) and _has_single(size, recipe.accumulate, replicas))
    return next(steps, None)


def _has_single(size: int, accumulate: int, replicas: int) -> bool:
    parts = min(accumulate, size)
    return any(1 <= part < 2 * replicas for part in {size // parts, -(-size // parts)})


def _is_single(shape: Shape) -> bool:
    """Whether a tensor of one sample has one number in each channel."""
    try:
        return all(evaluate_dim(size, {BATCH: 1}) == 1 for size in (shape[0], *shape[2:]))
    except KeyError:  # a length that depends on the data
        return False
