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

Part = dict[str, Tensor]
Samples = tuple[InputColumns, Indices]
"""Columns, and which of their samples."""


VALIDATION = 2**61
"""The number of the first batch of a validation; every validation draws alike."""


class Draws:
    """What the file of a section draws next to columns. It depends on the seed, the step and the position in the batch alone: it does not
    matter in how many parts or on how many processes a step is computed."""

    def __init__(self, file: SectionFile, columns: InputColumns) -> None:
        self.file, self.columns = file, columns
        self.is_empty = not file.has("draw_inputs")

    def batch(self, number: int, count: int) -> dict[str, Tensor]:
        """The tensors `[count, ...]` by input, for the whole batch with this number."""
        if self.is_empty:
            return {}
        batch = {name: torch.empty((count, *shape), device="meta") for name, shape in self.columns.shapes.items()}
        drawn: dict[str, Tensor] = self.file.draw_inputs(batch, number)
        return drawn


class Batches:
    """The batches of a training, and of its validations. `file` has the order of the samples, and what is drawn."""

    def __init__(self, data: Samples, recipe: Recipe, ranks: Ranks, file: SectionFile) -> None:
        self.columns, self.indices = data
        self.recipe, self.ranks, self.file = recipe, ranks, file
        self.per_epoch = -(-len(self.indices) // recipe.batch)
        self._epoch: tuple[int, Indices] = (-1, self.indices[:0])

    def steps(self, start: int, stop: int) -> Generator[tuple[list[Part], int]]:
        """For each step the parts of this process, and the number of samples of all. Where reading computes, the next is read meanwhile."""
        return self._batches(self.columns, ((number, self._chosen(number)) for number in range(start, stop)))

    def validation(self, data: Samples) -> Iterator[Part]:
        """The validation samples in order, in parts as large as those of training."""
        columns, indices = data
        size = self.recipe.batch
        pieces = ((VALIDATION + n, indices[start : start + size]) for n, start in enumerate(range(0, len(indices), size)))
        for parts, _ in self._batches(columns, pieces):
            yield from parts

    def _batches(self, columns: InputColumns, numbered: Iterator[tuple[int, Indices]]) -> Generator[tuple[list[Part], int]]:
        draws = Draws(self.file, columns)
        first, ahead = tee((number, indices, self._pieces(indices)) for number, indices in numbered)
        made = columns.iterate_batches((self.ranks.share(piece) for _, _, pieces in ahead for piece in pieces), self._tensors)
        for number, indices, pieces in first:
            parts = [next(made) for _ in pieces]
            if not draws.is_empty:
                drawn = self._shares(draws.batch(number, len(indices)), pieces)
                parts = [part | own for part, own in zip(parts, drawn, strict=True)]
            yield parts, len(indices)

    def _tensors(self, arrays: dict[str, Array]) -> Part:
        return as_tensors(arrays, self.ranks.device)

    def _shares(self, drawn: Part, pieces: list[Indices]) -> Iterator[Part]:
        """For each part of a batch what is drawn for the samples of this process."""
        start = 0
        for piece in pieces:
            positions = torch.from_numpy(self.ranks.share(np.arange(start, start + len(piece))))
            yield {name: tensor[positions].to(self.ranks.device) for name, tensor in drawn.items()}
            start += len(piece)

    def _pieces(self, indices: Indices) -> list[Indices]:
        parts = min(self.recipe.accumulate, len(indices))
        return [indices] if parts == 1 else np.array_split(indices, parts)

    def _chosen(self, number: int) -> Indices:
        epoch, index = divmod(number, self.per_epoch)
        known, order = self._epoch
        if known != epoch:  # a permutation of a million takes longer than a step
            order = self.file.shuffle_samples(torch.from_numpy(self.indices), epoch).numpy()
            self._epoch = epoch, order
        return order[index * self.recipe.batch : (index + 1) * self.recipe.batch]


def as_tensors(arrays: dict[str, Array], device: torch.device) -> Part:
    """The arrays of a batch on the device."""
    made = {name: tensor_of(array) for name, array in arrays.items()}
    return made if device.type == "cpu" else {name: tensor.to(device, non_blocking=True) for name, tensor in made.items()}


def tensor_of(array: Array) -> Tensor:
    """The array as a tensor, which shares its memory. PyTorch does not take bfloat16 from NumPy: the bits are the same."""
    if array.dtype.kind == "V":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
