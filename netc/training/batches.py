"""Load batches as tensors: the samples of each step, in micro-batches, on the device.

In: columns, the indices of the samples, and the number of a step. Out: the step's micro-batches. Always: the micro-batches of all processes
together are the batch; each process has the same number of micro-batches, some perhaps empty.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import tee

import numpy as np
import torch
from torch import Tensor

from .augment_batches import SampleAugmenter
from .data.data_columns import InputColumns
from .data.data_source import Array, Indices
from .data.prefetch import prefetch_results
from .ranks import Ranks
from .recipe import Recipe
from .section_file import SectionFile

MicroBatch = dict[str, Tensor]
Subset = tuple[InputColumns, Indices]
"""Columns and the indices of some of their samples."""


VALIDATION = 2**61
"""The number of a validation's first batch. It is the same in every validation, so that all draw the same numbers, and no step has it."""


class InputSampler:
    """Draws the inputs that are not in the data, by the file's `draw_inputs`. The values depend only on the seed, the step and the position
    in the batch, not on the number of micro-batches and processes."""

    def __init__(self, file: SectionFile, columns: InputColumns) -> None:
        self.file, self.columns = file, columns
        self.is_empty = not file.has_function("draw_inputs")

    def draw_batch(self, number: int, count: int) -> dict[str, Tensor]:
        """Draw the tensors `[count, ...]` by input, for the whole batch with this number."""
        if self.is_empty:
            return {}
        # The file reads only sizes off the batch, so tensors without memory are enough.
        batch = {name: torch.empty((count, *shape), device="meta") for name, shape in self.columns.shapes.items()}
        drawn: dict[str, Tensor] = self.file.draw_inputs(batch, number)
        return drawn


class BatchLoader:
    """The batches of training and validation. `file` determines the order of the samples and draws inputs."""

    def __init__(self, data: Subset, recipe: Recipe, ranks: Ranks, file: SectionFile) -> None:
        self.columns, self.indices = data
        self.recipe, self.ranks, self.file = recipe, ranks, file
        self.per_epoch = -(-len(self.indices) // recipe.batch)
        self.augmenter = SampleAugmenter(file, recipe) if recipe.augmentations else None
        self._epoch: tuple[int, Indices] = (-1, self.indices[:0])

    def iterate_steps(self, start: int, stop: int) -> Generator[tuple[list[MicroBatch], int]]:
        """Yield the micro-batches of this process and the number of samples of all processes, for each step."""
        numbered_indices = ((number, self._select_indices(number)) for number in range(start, stop))
        return self._iterate_batches(self.columns, numbered_indices, self.augmenter)

    def iterate_validation(self, data: Subset) -> Iterator[MicroBatch]:
        """Yield the validation samples in order, in micro-batches of the same size as in training."""
        columns, indices = data
        size = self.recipe.batch
        pieces = ((VALIDATION + n, indices[start : start + size]) for n, start in enumerate(range(0, len(indices), size)))
        for micro_batches, _ in self._iterate_batches(columns, pieces):
            yield from micro_batches

    def _iterate_batches(
        self, columns: InputColumns, numbered_indices: Iterator[tuple[int, Indices]], augmenter: SampleAugmenter | None = None
    ) -> Generator[tuple[list[MicroBatch], int]]:
        draws, constants = InputSampler(self.file, columns), arrays_to_tensors(columns.constants, self.ranks.device)
        # the reader runs ahead of this loop, so each needs an iterator of its own
        first, lookahead = tee((number, indices, self._split_indices(indices)) for number, indices in numbered_indices)
        shares = ((number, self.ranks.select_share(piece)) for number, _, pieces in lookahead for piece in pieces)
        tensors = self._read_tensors(columns, shares, augmenter)
        for number, indices, pieces in first:
            micro_batches = [next(tensors) | constants for _ in pieces]
            if not draws.is_empty:
                drawn = self._split_draws(draws.draw_batch(number, len(indices)), pieces)
                micro_batches = [micro_batch | drawn_part for micro_batch, drawn_part in zip(micro_batches, drawn, strict=True)]
            yield micro_batches, len(indices)

    def _read_tensors(
        self, columns: InputColumns, shares: Iterator[tuple[int, Indices]], augmenter: SampleAugmenter | None
    ) -> Iterator[MicroBatch]:
        """Read the samples of each share as tensors on the device. With an augmenter, they are computed ahead, in threads."""
        if augmenter is None:
            return columns.iterate_batches((indices for _, indices in shares), self._to_tensors)

        def read_augmented(share: tuple[int, Indices]) -> MicroBatch:
            number, indices = share
            batch = {name: array_to_tensor(array) for name, array in columns.read_batch(indices).items()}
            return augmenter.augment_batch(batch, indices, number)

        return (move_tensors(batch, self.ranks.device) for batch in prefetch_results(read_augmented, shares))

    def _to_tensors(self, arrays: dict[str, Array]) -> MicroBatch:
        return arrays_to_tensors(arrays, self.ranks.device)

    def _split_draws(self, drawn: MicroBatch, pieces: list[Indices]) -> Iterator[MicroBatch]:
        """Yield the drawn inputs for the samples of this process, for each micro-batch."""
        start = 0
        for piece in pieces:
            positions = torch.from_numpy(self.ranks.select_share(np.arange(start, start + len(piece))))
            yield {name: tensor[positions].to(self.ranks.device) for name, tensor in drawn.items()}
            start += len(piece)

    def _split_indices(self, indices: Indices) -> list[Indices]:
        micro_batches = min(self.recipe.accumulate, len(indices))
        if self.ranks.pipeline > 1:  # the micro-batches that pass through the stages have one size
            micro_batches = next(count for count in range(micro_batches, 0, -1) if len(indices) % count == 0)
        return [indices] if micro_batches == 1 else np.array_split(indices, micro_batches)

    def _select_indices(self, number: int) -> Indices:
        epoch, index = divmod(number, self.per_epoch)
        known, order = self._epoch
        if known != epoch:  # shuffling a million samples takes longer than a step
            order = order_samples(self.file, self.indices, epoch, self.columns)
            self._epoch = epoch, order
        return order[index * self.recipe.batch : (index + 1) * self.recipe.batch]


def order_samples(file: SectionFile, indices: Indices, epoch: int, columns: InputColumns) -> Indices:
    """Return the samples of an epoch in their order."""

    def shuffle(numbers: Indices) -> Indices:
        shuffled: Indices = file.shuffle_samples(torch.from_numpy(numbers), epoch).numpy()
        return shuffled

    if columns.layout is not None:
        return columns.layout.order_samples(shuffle)
    # data of the caller's, in place of several data of the section, has no weights
    if file.has_function("mix_samples") and columns.sizes:
        order: Indices = file.mix_samples(torch.from_numpy(indices), epoch, columns.sizes).numpy()
        return order
    return shuffle(indices)


def arrays_to_tensors(arrays: dict[str, Array], device: torch.device) -> MicroBatch:
    """Convert the arrays of a batch to tensors on the device."""
    return move_tensors({name: array_to_tensor(array) for name, array in arrays.items()}, device)


def move_tensors(tensors: MicroBatch, device: torch.device) -> MicroBatch:
    """Move the tensors of a batch to the device."""
    return tensors if device.type == "cpu" else {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}


def array_to_tensor(array: Array) -> Tensor:
    """Convert an array to a tensor that shares its memory."""
    # `torch.from_numpy` refuses ml_dtypes' bfloat16, so the bits travel as int16.
    if array.dtype.kind == "V":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
