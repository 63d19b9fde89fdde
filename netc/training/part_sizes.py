"""Check before the first step that no micro-batch has a size that the model cannot be trained with.

In: a train section, its recipe, and the number of samples. Out: a `RunError`, or nothing. Always: only certain failures are refused, from
sizes that do not depend on the data; PyTorch reports the others in the step. `batch_norm` needs a variance. With `--pp`, the results are
the results of one process, so statistics of micro-batches need the same micro-batches.

Of 33 samples in batches of 16, the last batch has one sample, so the third step is refused if the model has a `batch_norm` of `[N, C]`.
With `accumulate 12`, the first step is refused: most of its micro-batches have one sample.

    >>> _has_single(16, 1, 1), _has_single(1, 1, 1), _has_single(16, 12, 1)
    (False, True, True)
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.compiler.dims import evaluate_dim
from netc.compiler.errors.run_errors import BatchTooSmall, NoDevice, RunError
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode
from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.training_program import Training
from netc.compiler.ops.normalization import BatchNorm, InstanceNorm, SpectralNormalize
from netc.compiler.types.tensor_types import BATCH, Shape

from .recipe import Recipe


def check_micro_batch_sizes(training: Training, recipe: Recipe, samples: int, replicas: int) -> None:
    """Raise `RunError` if a step of the run has a micro-batch of one sample, of which `batch_norm` gets one number in each channel.
    `samples` is the number of training samples; `replicas` is the number of processes whose statistics differ."""
    step = _find_single_sample_step(recipe, samples, replicas)
    if step is None:
        return
    if any(isinstance(node.op, BatchNorm) and _is_single(node.inputs[0].type.shape) for node in _iterate_operators(training)):
        raise RunError(BatchTooSmall(step, 1))


def check_equal_micro_batches(training: Training, recipe: Recipe, samples: int, stages: int) -> None:
    """Raise `RunError` if the model has numbers that depend on the micro-batches, and `accumulate` does not divide a batch. Micro-batches
    that pass through stages have one size, so there are fewer of them than one process has. `samples` is as above."""
    uneven = ((step, size) for step, size in _list_batches(recipe, samples).items() if size % min(recipe.accumulate, size))
    step, size = next(uneven, (0, 0))
    name = next((node.op.name for node in _iterate_operators(training) if _depends_on_parts(node)), None)
    if not step or name is None:
        return
    why = f"the batch of step {step} has {size} samples, which `accumulate={recipe.accumulate}` does not divide"
    remedy = f"choose `batch` and `accumulate` so that it divides each batch, the last one of an epoch too, or leave out `--pp {stages}`"
    raise RunError(NoDevice(f"{why}, and with `--pp {stages}`, `{name}` would see other micro-batches than in one process", remedy))


def _iterate_operators(training: Training) -> Iterator[OpNode]:
    return (item.node for item in FlatGraph(training.program.main) if isinstance(item, FlatNode))


def _depends_on_parts(node: OpNode) -> bool:
    """Whether a node computes with the statistics of a micro-batch, or changes a buffer in each one."""
    changes_buffers = isinstance(node.op, InstanceNorm | SpectralNormalize) and any(not spec.trainable for spec in node.specs)
    return isinstance(node.op, BatchNorm) or changes_buffers


def _find_single_sample_step(recipe: Recipe, samples: int, replicas: int) -> int | None:
    """Find the first step in which a process has a micro-batch of one sample, counted from 1."""
    return next((step for step, size in _list_batches(recipe, samples).items() if _has_single(size, recipe.accumulate, replicas)), None)


def _list_batches(recipe: Recipe, samples: int) -> dict[int, int]:
    """Return the sizes of the first and the last batch of an epoch by their steps, as far as the run has them. All others have the size of
    the first."""
    per_epoch = -(-samples // recipe.batch)
    last = samples - (per_epoch - 1) * recipe.batch
    sizes = {per_epoch: last} if per_epoch == 1 else {1: recipe.batch, per_epoch: last}
    return {step: size for step, size in sizes.items() if step <= recipe.count_steps(samples)}


def _has_single(size: int, accumulate: int, replicas: int) -> bool:
    parts = min(accumulate, size)
    return any(1 <= part < 2 * replicas for part in {size // parts, -(-size // parts)})


def _is_single(shape: Shape) -> bool:
    """Whether a tensor of one sample has one number in each channel."""
    try:
        return all(evaluate_dim(size, {BATCH: 1}) == 1 for size in (shape[0], *shape[2:]))
    except KeyError:  # a length that depends on the data
        return False
