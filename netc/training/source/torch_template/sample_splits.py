"""Load the samples, shuffle and mix them, and split them for validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .declared_names import SEED, VALIDATION, WEIGHTS

# --- the file --------------------------------------------------------------------------------------------------------------


# generated: load_data


def shuffle_samples(samples: Tensor, epoch: int) -> Tensor:
    """Shuffle the samples. The order depends only on the seed and the epoch, so a run can be resumed."""
    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, epoch], np.uint64)))
    return samples[torch.from_numpy(generator.permutation(len(samples)))]


def mix_samples(samples: Tensor, epoch: int, sizes: Sequence[int]) -> Tensor:  # if: weights
    """Choose as many samples as there are, with the share of each file that WEIGHTS says, and shuffle them. `sizes` are the numbers of
    samples in each file. A file continues in each epoch where it stopped in the one before, so that all of its samples are used equally."""
    files = torch.bucketize(samples, torch.tensor(sizes).cumsum(0), right=True)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    counts = round_shares(weights / weights.sum() * len(samples), len(samples))
    chosen = []
    for file, count in enumerate(counts.tolist()):
        own, start = samples[files == file], epoch * count
        if not len(own):
            raise ValueError(f"file {file + 1} has no samples for training")
        rounds = range(start // len(own), -(-(start + count) // len(own)))
        order = torch.cat([own[:0], *(shuffle_samples(own, number) for number in rounds)])
        chosen.append(order[start % len(own) :][:count])
    return shuffle_samples(torch.cat(chosen), epoch)


def split_samples(count: int) -> tuple[Tensor, Tensor]:
    """Split the samples into training and validation samples, at random."""
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(torch.arange(count), 2**63)  # no epoch has this number
    return shuffled[validation_count:].sort().values, shuffled[:validation_count].sort().values


def round_shares(shares: Tensor, total: int) -> Tensor:
    """Round shares to integers with this sum: the shares with the largest fractions up, and the others down."""
    counts = shares.long()
    counts[(counts - shares).argsort(stable=True)[: total - int(counts.sum())]] += 1
    return counts


def split_samples_by_class(classes: Tensor) -> tuple[Tensor, Tensor]:  # if: stratify
    """Split the samples into training and validation samples, at random, with the same share of each class."""
    count = len(classes)
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(torch.arange(count), 2**63)  # no epoch has this number
    numbers = classes[shuffled].unique(return_inverse=True)[1]
    sizes = numbers.bincount()
    validation_sizes = round_shares(sizes.double() * validation_count / count, validation_count)
    pairs = list(zip(shuffled[numbers.argsort(stable=True)].split(sizes.tolist()), validation_sizes.tolist(), strict=True))
    train_samples = torch.cat([samples[size:] for samples, size in pairs])
    validation_samples = torch.cat([samples[:size] for samples, size in pairs])
    return train_samples.sort().values, validation_samples.sort().values
