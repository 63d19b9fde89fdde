"""Normalization: definitions for the files of PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Standardize(nn.Module):
    """Subtracts the mean of each feature and divides by its deviation. Both are measured on the training data.

    x: [N, ...], with the features along `axis`, or without `features` [N] -> the same shape.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int | None = None, axis: int = 1, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.axis = axis
        shape = [] if features is None else [features]
        self.register_buffer("mean", torch.zeros(shape, dtype=dtype))
        self.register_buffer("std", torch.ones(shape, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        sizes = [-1] + [1] * (x.dim() - 1 - self.axis)
        return (x - self.mean.reshape(sizes)) / self.std.reshape(sizes)


class SpectralNormalize(nn.Module):
    """Divides a weight by its greatest singular value, as two vectors estimate it. Each call in training improves the
    vectors.

    weight: [..., rows, ...], with the rows along `axis` -> the same shape.
    """

    _u: Tensor
    _v: Tensor

    def __init__(
        self,
        rows: int,
        columns: int,
        axis: int = 0,
        n_power_iterations: int = 1,
        eps: float = 1e-12,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.axis, self.n_power_iterations, self.eps = axis, n_power_iterations, eps
        self.register_buffer("_u", torch.empty(rows, dtype=dtype))
        self.register_buffer("_v", torch.empty(columns, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for vector in (self._u, self._v):
            nn.init.normal_(vector, std=len(vector) ** -0.5)

    def start(self, weight: Tensor) -> None:
        """Gives the vectors reasonable values for a new weight."""
        self.improve(self.matrix(weight), 15)

    def matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.axis, 0).flatten(1)

    @torch.no_grad()
    def improve(self, matrix: Tensor, steps: int) -> None:
        """Power iteration."""
        for _ in range(steps):
            self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.T @ self._u, dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        matrix = self.matrix(weight)
        if self.training:
            self.improve(matrix, self.n_power_iterations)
        # Later calls change the vectors before gradients are computed.
        u, v = self._u.clone(), self._v.clone()
        return weight / torch.dot(u, matrix @ v)
