"""Batches as tensors: which samples, in which parts, on which device.

In: columns, the indices of the samples, and a number of a step. Out: the parts of its batch. Always: the parts of all processes together
are the batch, and each process has equally many, some perhaps empty.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import tee

import numpy as np
import torch
from torch import Tensor

from .data.data_columns import InputColumns
from .data.data_source import Array, Indices
from .ranks import Ranks
from .recipe import Recipe
from .section_file import SectionFile

MicroBatch = dict[str, Tensor]
Subset = tuple[InputColumns, Indices]
"""Columns, and which of their samples."""


VALIDATION = 2**61
"""The number of the first batch of a validation; every validation draws alike."""


class InputSampler:
    """What the file of a section draws next to columns. It depends on the seed, the step and the position in the batch alone: it does not
    matter in how many parts or on how many processes a step is computed."""

    def __init__(self, file: SectionFile, columns: InputColumns) -> None:
        self.file, self.columns = file, columns
        self.is_empty = not file.has_function("draw_inputs")

    def draw_batch(self, number: int, count: int) -> dict[str, Tensor]:
        """The tensors `[count, ...]` by input, for the whole batch with this number."""
        if self.is_empty:
            return {}
        batch = {name: torch.empty((count, *shape), device="meta") for name, shape in self.columns.shapes.items()}
        drawn: dict[str, Tensor] = self.file.draw_inputs(batch, number)
        return drawn


class BatchLoader:
    """The batches of a training, and of its validations. `file` has the order of the samples, and what is drawn."""

    def __init__(self, data: Subset, recipe: Recipe, ranks: Ranks, file: SectionFile) -> None:
        self.columns, self.indices = data
        self.recipe, self.ranks, self.file = recipe, ranks, file
        self.per_epoch = -(-len(self.indices) // recipe.batch)
        self._epoch: tuple[int, Indices] = (-1, self.indices[:0])

    def iterate_steps(self, start: int, stop: int) -> Generator[tuple[list[MicroBatch], int]]:
        """For each step the parts of this process, and the number of samples of all. Where reading computes, the next is read meanwhile."""
        return self._iterate_batches(self.columns, ((number, self._select_indices(number)) for number in range(start, stop)))

    def iterate_validation(self, data: Subset) -> Iterator[MicroBatch]:
        """The validation samples in order, in parts as large as those of training."""
        columns, indices = data
        size = self.recipe.batch
        pieces = ((VALIDATION + n, indices[start : start + size]) for n, start in enumerate(range(0, len(indices), size)))
        for micro_batches, _ in self._iterate_batches(columns, pieces):
            yield from micro_batches

    def _iterate_batches(
        self, columns: InputColumns, numbered_indices: Iterator[tuple[int, Indices]]
    ) -> Generator[tuple[list[MicroBatch], int]]:
        draws = InputSampler(self.file, columns)
        first, lookahead = tee((number, indices, self._split_indices(indices)) for number, indices in numbered_indices)
        tensors = columns.iterate_batches(
            (self.ranks.select_share(piece) for _, _, pieces in lookahead for piece in pieces), self._to_tensors
        )
        for number, indices, pieces in first:
            micro_batches = [next(tensors) for _ in pieces]
            if not draws.is_empty:
                drawn = self._split_draws(draws.draw_batch(number, len(indices)), pieces)
                micro_batches = [micro_batch | drawn_part for micro_batch, drawn_part in zip(micro_batches, drawn, strict=True)]
            yield micro_batches, len(indices)

    def _to_tensors(self, arrays: dict[str, Array]) -> MicroBatch:
        return arrays_to_tensors(arrays, self.ranks.device)

    def _split_draws(self, drawn: MicroBatch, pieces: list[Indices]) -> Iterator[MicroBatch]:
        """For each part of a batch what is drawn for the samples of this process."""
        start = 0
        for piece in pieces:
            positions = torch.from_numpy(self.ranks.select_share(np.arange(start, start + len(piece))))
            yield {name: tensor[positions].to(self.ranks.device) for name, tensor in drawn.items()}
            start += len(piece)

    def _split_indices(self, indices: Indices) -> list[Indices]:
        micro_batches = min(self.recipe.accumulate, len(indices))
        return [indices] if micro_batches == 1 else np.array_split(indices, micro_batches)

    def _select_indices(self, number: int) -> Indices:
        epoch, index = divmod(number, self.per_epoch)
        known, order = self._epoch
        if known != epoch:  # a permutation of a million takes longer than a step
            order = self.file.shuffle_samples(torch.from_numpy(self.indices), epoch).numpy()
            self._epoch = epoch, order
        return order[index * self.recipe.batch : (index + 1) * self.recipe.batch]


def arrays_to_tensors(arrays: dict[str, Array], device: torch.device) -> MicroBatch:
    """The arrays of a batch on the device."""
    tensors = {name: array_to_tensor(array) for name, array in arrays.items()}
    return tensors if device.type == "cpu" else {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}


def array_to_tensor(array: Array) -> Tensor:
    """The array as a tensor, which shares its memory. PyTorch does not take bfloat16 from NumPy: the bits are the same."""
    if array.dtype.kind == "V":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
