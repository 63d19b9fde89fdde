"""Batches as tensors: which samples, in which parts, on which device.

In: columns, the indices of the samples, and a number of a step. Out: the parts of its batch. Always: the parts of all processes together
are the batch, and each process has equally many, some perhaps empty.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .data.columns import Columns
from .order import Indices, Order
from .ranks import Ranks
from .recipe import Recipe

Part = dict[str, Tensor]


class Batches:
    """The batches of training, in the order of the recipe's seed."""

    def __init__(self, data: tuple[Columns, Indices], recipe: Recipe, ranks: Ranks) -> None:
        self.columns, self.indices = data
        self.order = Order(len(self.indices), recipe.batch, recipe.seed)
        self.accumulate, self.ranks = recipe.accumulate, ranks
        self._epoch: tuple[int, Indices] = (-1, self.indices[:0])

    def step(self, number: int) -> tuple[list[Part], int]:
        """The parts of this process, and the number of samples of all."""
        chosen = self._chosen(number)
        parts = min(self.accumulate, len(chosen))
        pieces = [chosen] if parts == 1 else np.array_split(chosen, parts)
        return [self._tensors(self.ranks.share(piece)) for piece in pieces], len(chosen)

    def _chosen(self, number: int) -> Indices:
        epoch, at = divmod(number, self.order.steps_per_epoch)
        if self._epoch[0] != epoch:  # a permutation of a million takes longer than a step
            self._epoch = epoch, self.indices[self.order.epoch(epoch)]
        return self._epoch[1][at * self.order.batch : (at + 1) * self.order.batch]

    def _tensors(self, indices: Indices) -> Part:
        return tensors(self.columns, indices, self.ranks.device)


def validation_parts(data: tuple[Columns, Indices], recipe: Recipe, ranks: Ranks) -> Iterator[tuple[Part, int]]:
    """The validation samples in order, in parts as large as those of training; of each the share of this process, and the number of all."""
    columns, indices = data
    size = max(1, -(-recipe.batch // recipe.accumulate))
    for start in range(0, len(indices), size):
        piece = indices[start : start + size]
        yield tensors(columns, ranks.share(piece), ranks.device), len(piece)


def tensors(columns: Columns, indices: Indices, device: torch.device) -> Part:
    made = {name: torch.from_numpy(array) for name, array in columns.batch(indices).items()}
    return made if device.type == "cpu" else {name: tensor.to(device, non_blocking=True) for name, tensor in made.items()}
