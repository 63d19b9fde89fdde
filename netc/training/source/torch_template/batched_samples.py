"""Make batches of samples, with what the section adds to them: augmentation, sampled inputs, weights of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b

import torch
from torch import Tensor

from .declared_names import ACCUMULATE, AUGMENTATIONS, AUGMENTED, BATCH, CONSTANTS, DEVICE, INPUT, SEED, Batch, draw_inputs

# --- the file --------------------------------------------------------------------------------------------------------------


# generated: augmentations


def make_sample_seed(step: int, sample: int) -> int:  # if: augment
    """Return the seed of a sample's augmentation in a step."""
    return int.from_bytes(blake2b(f"{SEED} augment {step} {sample}".encode(), digest_size=8).digest(), "little") >> 1


def augment_sample(sample: Batch) -> Batch:  # if: augment
    """Apply the transforms to one sample, whose tensors have no axis of the batch."""
    for kinds, transform in AUGMENTATIONS:
        results = transform({name: kind(sample[name]) for name, kind in kinds.items()})
        sample = sample | {name: result.as_subclass(Tensor) for name, result in results.items()}
    return sample


def augment_batch(batch: Batch, samples: Tensor, step: int) -> Batch:  # if: augment
    """Augment the samples of a batch. Their random numbers depend only on the seed, the step and the sample."""
    rows = []
    for row, sample in enumerate(samples.tolist()):
        torch.default_generator.manual_seed(make_sample_seed(step, sample))
        rows.append(augment_sample({name: batch[name][row] for name in AUGMENTED}))
    return batch | {name: torch.stack([row[name] for row in rows]) for name in AUGMENTED}


# generated: draw_inputs


def weigh_classes(labels: Tensor, classes: int, ignored: int = -100) -> Tensor:
    """Weigh the classes so that each has the same sum of weights, and the mean weight of a label is 1."""
    counts = labels[labels != ignored].bincount(minlength=classes).double()
    is_class = torch.arange(classes) != ignored
    if not counts[is_class].all():
        raise ValueError("a class has no training samples")
    return torch.where(is_class, counts.sum() / (is_class.sum() * counts), 0)


def weigh_positives(labels: Tensor, shape: tuple[int, ...] = ()) -> Tensor:
    """Count the negative labels for each positive one, for weights of this shape."""
    positives = labels.double().sum_to_size(shape)
    negatives = (1 - labels.double()).sum_to_size(shape)
    if not (positives.all() and negatives.all()):
        raise ValueError("a class has no training samples")
    return negatives / positives


# generated: balance_classes


# generated: vary_inputs


def iterate_batches(
    data: Batch,
    samples: Tensor,
    weights: Batch,  # if: balance
    start: int = 0,  # if: draws or augment
    augment: Callable[[Batch, Tensor, int], Batch] | None = None,  # if: augment
) -> Iterator[Batch]:
    """Yield the samples in batches of tensors `[N, ...]`. To train on other data, replace this function."""
    for number, indices in enumerate(samples.split(BATCH), start):  # if: draws or augment
        batch = {name: column[indices] for name, column in data.items()}
        if augment is not None:  # if: augment
            batch = augment(batch, indices, number)
        batch = batch | draw_inputs(batch, number)  # if: draws
        batch = batch | weights  # if: balance
        yield {name: column.to(DEVICE) for name, column in batch.items()}
    for indices in samples.split(BATCH):  # if: not draws and not augment
        batch = {name: column[indices] for name, column in data.items()} | weights  # if: balance
        yield {name: column.to(DEVICE) for name, column in batch.items()}  # if: balance
        yield {name: column[indices].to(DEVICE) for name, column in data.items()}  # if: not balance


def split_batch(batch: Batch) -> list[Batch]:
    """Split a batch into micro-batches, which are computed one after the other to save memory."""
    count = min(ACCUMULATE, len(batch[INPUT]))
    # Copies, because the results of matrix products on CPUs depend on the alignment of the memory.
    samples = {name: column for name, column in batch.items() if name not in CONSTANTS}  # if: constants
    micro_batches = zip(*(map(torch.clone, column.tensor_split(count)) for column in samples.values()), strict=True)  # if: constants
    return [{**batch, **dict(zip(samples, micro_batch, strict=True))} for micro_batch in micro_batches]  # if: constants
    micro_batches = zip(*(map(torch.clone, column.tensor_split(count)) for column in batch.values()), strict=True)  # if: not constants
    return [dict(zip(batch, micro_batch, strict=True)) for micro_batch in micro_batches]  # if: not constants
