"""Inputs that are drawn anew for each step, such as the noise of a variational autoencoder.

In: the `draw` lines of a section, and the sizes that the data have. Out: arrays for the samples of a step. Always: they depend on the
seed, the step and the position in the batch alone, so that it does not matter in how many parts or on how many processes a step is
computed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netc.compiler.dims import SymDim, evaluate, symbols
from netc.compiler.ir.elements import numpy_dtype
from netc.compiler.ir.types import BATCH, TensorType
from netc.dsl.record import Record

from .data.base import Array, Indices
from .data.columns import Columns
from .recipe import Draw

_DRAWN = 2**62
"""Keys of the generator from here on are those of steps; below are the orders of epochs."""
_VALIDATION = 3 * 2**61


class Draws(Record):
    """What is drawn: each `Draw` with the element type and the shape of a sample."""

    draws: tuple[tuple[Draw, np.dtype[np.generic], tuple[int, ...]], ...]
    seed: int

    def of_step(self, number: int, count: int) -> dict[str, Array]:
        """The arrays `[count, ...]` by input, for the whole batch of a training step."""
        return self._made(_DRAWN + number, count)

    def of_validation(self, start: int, count: int) -> dict[str, Array]:
        """The same for the validation samples from `start` on: those of every validation alike."""
        return self._made(_VALIDATION + start, count)

    def _made(self, key: int, count: int) -> dict[str, Array]:
        if not self.draws:
            return {}
        generator = np.random.Generator(np.random.Philox(key=np.array([self.seed, key], dtype=np.uint64)))
        return {draw.input: _drawn(draw, (count, *shape), generator).astype(dtype) for draw, dtype, shape in self.draws}


def _drawn(draw: Draw, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    match draw.distribution:
        case "normal":
            return generator.standard_normal(shape, np.float32)
        case "uniform":
            return generator.uniform(draw.low, draw.high, shape)
    return generator.integers(int(draw.low), int(draw.high), shape)


def chosen(arrays: Mapping[str, Array], positions: Indices) -> dict[str, Array]:
    """The samples at these positions of a batch."""
    return {name: array[positions] for name, array in arrays.items()}


def make_draws(draws: tuple[Draw, ...], types: Mapping[str, TensorType], columns: Columns, seed: int) -> Draws:
    """What is drawn next to these columns. Raises `ValueError`, which names a size that no column has."""
    sizes = _sizes(columns)
    made = []
    for draw in draws:
        type_ = types[draw.input]
        made.append((draw, numpy_dtype(type_.dtype), tuple(_size(draw.input, size, sizes) for size in type_.shape[1:])))
    return Draws(tuple(made), seed)


def _size(name: str, size: int | SymDim, sizes: Mapping[str, int]) -> int:
    if isinstance(size, int):
        return size
    unknown = sorted(symbols(size) - sizes.keys())
    if unknown:
        raise ValueError(f"the size `{unknown[0]}` of `{name}` is that of no input that the data give")
    return int(evaluate(size, sizes))


def _sizes(columns: Columns) -> dict[str, int]:
    """The symbolic dimensions that are the sizes of a sample."""
    found: dict[str, int] = {}
    for name, shape in columns.shapes.items():
        for size, actual in zip(columns.types[name].shape[1:], shape, strict=True):
            if isinstance(size, SymDim) and str(size) != BATCH and str(size).isidentifier():
                found[str(size)] = actual
    return found
