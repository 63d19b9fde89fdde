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

from .data.base import Array
from .data.columns import Columns
from .draws import Draws, chosen
from .order import Indices, Order
from .ranks import Ranks
from .recipe import Recipe

Part = dict[str, Tensor]


class Batches:
    """The batches of training, in the order of the recipe's seed."""

    def __init__(self, data: tuple[Columns, Indices], recipe: Recipe, ranks: Ranks, draws: Draws) -> None:
        self.columns, self.indices = data
        self.draws = draws
        self.order = Order(len(self.indices), recipe.batch, recipe.seed)
        self.per_epoch = self.order.steps_per_epoch
        self.accumulate, self.ranks = recipe.accumulate, ranks
        self._epoch: tuple[int, Indices] = (-1, self.indices[:0])

    def steps(self, start: int, stop: int) -> Generator[tuple[list[Part], int]]:
        """For each step the parts of this process, and the number of samples of all. Where reading computes, the next is read meanwhile."""
        first, ahead = tee(self._pieces(number) for number in range(start, stop))
        made = self.columns.batches((self.ranks.share(piece) for pieces, _ in ahead for piece in pieces), self._tensors)
        for number, (pieces, samples) in enumerate(first, start):
            parts = [next(made) for _ in pieces]
            if self.draws.draws:
                parts = [part | self._tensors(own) for part, own in zip(parts, self._drawn(number, pieces, samples), strict=True)]
            yield parts, samples

    def _tensors(self, arrays: dict[str, Array]) -> Part:
        return as_tensors(arrays, self.ranks.device)

    def _drawn(self, number: int, pieces: list[Indices], samples: int) -> Iterator[dict[str, Array]]:
        """For each part of a step what is drawn for the samples of this process."""
        drawn, start = self.draws.of_step(number, samples), 0
        for piece in pieces:
            yield chosen(drawn, self.ranks.share(np.arange(start, start + len(piece))))
            start += len(piece)

    def _pieces(self, number: int) -> tuple[list[Indices], int]:
        chosen = self._chosen(number)
        parts = min(self.accumulate, len(chosen))
        return [chosen] if parts == 1 else np.array_split(chosen, parts), len(chosen)

    def _chosen(self, number: int) -> Indices:
        epoch, at = divmod(number, self.per_epoch)
        known, order = self._epoch
        if known != epoch:  # a permutation of a million takes longer than a step
            order = self.indices[self.order.epoch(epoch)]
            self._epoch = epoch, order
        return order[at * self.order.batch : (at + 1) * self.order.batch]


def validation_parts(data: tuple[Columns, Indices], recipe: Recipe, ranks: Ranks, draws: Draws) -> Iterator[tuple[Part, int]]:
    """The validation samples in order, in parts as large as those of training; of each the share of this process, and the number of all."""
    columns, indices = data
    size = max(1, -(-recipe.batch // recipe.accumulate))
    pieces = [indices[start : start + size] for start in range(0, len(indices), size)]
    batches = columns.batches((ranks.share(piece) for piece in pieces), dict)
    for index, (piece, arrays) in enumerate(zip(pieces, batches, strict=True)):
        drawn = chosen(draws.of_validation(index * size, len(piece)), ranks.share(np.arange(len(piece))))
        yield as_tensors(arrays | drawn, ranks.device), len(piece)


def as_tensors(arrays: dict[str, Array], device: torch.device) -> Part:
    """The arrays of a batch on the device."""
    made = {name: tensor_of(array) for name, array in arrays.items()}
    return made if device.type == "cpu" else {name: tensor.to(device, non_blocking=True) for name, tensor in made.items()}


def tensor_of(array: Array) -> Tensor:
    """The array as a tensor, which shares its memory. PyTorch does not take bfloat16 from NumPy: the bits are the same."""
    if array.dtype.kind == "V":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
