"""Load, shuffle, split and batch the samples, in NumPy. The order of samples is the PyTorch file's."""

# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

# --- the file --------------------------------------------------------------------------------------------------------------


# generated: load_data


def shuffle_samples(samples: np.ndarray, epoch: int) -> np.ndarray:
    """Shuffle the samples. The order depends only on the seed and the epoch."""
    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, epoch], np.uint64)))
    return samples[generator.permutation(len(samples))]


def mix_samples(samples: np.ndarray, epoch: int, sizes: list[int]) -> np.ndarray:  # if: weights
    """Choose as many samples as there are, with the share of each file that WEIGHTS says, and shuffle them. `sizes` are the numbers of
    samples in each file. A file continues in each epoch where it stopped in the one before, so that all of its samples are used equally."""
    files = np.searchsorted(np.cumsum(sizes), samples, side="right")
    weights = np.array(WEIGHTS)
    counts = round_shares(weights / weights.sum() * len(samples), len(samples))
    chosen = []
    for file, count in enumerate(counts.tolist()):
        own, start = samples[files == file], epoch * count
        if not len(own):
            raise ValueError(f"file {file + 1} has no samples for training")
        rounds = range(start // len(own), -(-(start + count) // len(own)))
        order = np.concatenate([own[:0], *(shuffle_samples(own, number) for number in rounds)])
        chosen.append(order[start % len(own) :][:count])
    return shuffle_samples(np.concatenate(chosen), epoch)


def round_shares(shares: np.ndarray, total: int) -> np.ndarray:
    """Round shares to integers with this sum: the shares with the largest fractions up, and the others down."""
    counts = shares.astype(int)
    counts[np.argsort(counts - shares, kind="stable")[: total - counts.sum()]] += 1
    return counts


def split_samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the samples into training and validation samples, at random."""
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(np.arange(count), 2**63)  # no epoch has this number
    return np.sort(shuffled[validation_count:]), np.sort(shuffled[:validation_count])


def split_samples_by_class(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split the samples into training and validation samples, at random, with the same share of each class."""
    count = len(classes)
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(np.arange(count), 2**63)  # no epoch has this number
    numbers = np.unique(classes[shuffled], return_inverse=True)[1]
    sizes = round_shares(np.bincount(numbers) * validation_count / count, validation_count)
    parts = [shuffled[numbers == number] for number in range(len(sizes))]
    train_samples = np.concatenate([part[size:] for part, size in zip(parts, sizes, strict=True)])
    validation_samples = np.concatenate([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return np.sort(train_samples), np.sort(validation_samples)


# generated: draw_inputs


def weigh_classes(labels: np.ndarray, classes: int, ignored: int = -100) -> np.ndarray:
    """Weigh the classes so that each has the same sum of weights, and the mean weight of a label is 1."""
    counts = np.bincount(labels[labels != ignored], minlength=classes)
    is_class = np.arange(classes) != ignored
    if not counts[is_class].all():
        raise ValueError("a class has no training samples")
    return np.where(is_class, counts.sum() / (is_class.sum() * np.maximum(counts, 1)), 0)


def weigh_positives(labels: np.ndarray, shape: tuple[int, ...] = ()) -> np.ndarray:
    """Count the negative labels for each positive one, for weights of this shape."""
    axes = tuple(axis for axis in range(labels.ndim) if axis < labels.ndim - len(shape) or shape[axis - labels.ndim] == 1)
    positives = labels.sum(axes, np.float64).reshape(shape)
    negatives = (1 - labels.astype(np.float64)).sum(axes).reshape(shape)
    if not (positives.all() and negatives.all()):
        raise ValueError("a class has no training samples")
    return negatives / positives


# generated: balance_classes


# generated: vary_inputs


def iterate_batches(
    data: Batch,
    samples: np.ndarray,
    weights: Batch,  # if: balance
    start: int = 0,  # if: draws or augment
    augment: Callable[[Batch, np.ndarray, int], Batch] | None = None,  # if: augment
) -> Iterator[Batch]:
    """Yield the samples in batches of arrays `[N, ...]`. To train on other data, replace this function."""
    for first in range(0, len(samples), BATCH):
        batch = {name: column[samples[first : first + BATCH]] for name, column in data.items()}
        if augment is not None:  # if: augment
            batch = augment(batch, samples[first : first + BATCH], start + first // BATCH)
        batch = batch | draw_inputs(batch, start + first // BATCH)  # if: draws
        yield batch | weights  # if: balance
        yield batch  # if: not balance
