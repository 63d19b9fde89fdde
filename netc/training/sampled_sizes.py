"""Infer the sizes of inputs that are drawn for each step, such as the noise of a variational autoencoder.

In: the `draw` lines of a section, and the columns. Out: the shapes of the drawn inputs. Always: PyTorch is not imported.

If `x = input [T, 3]` reads a column of 20 positions, `draw noise normal` for `noise = input [T, 8]` draws `[N, 20, 8]` numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.compiler.dims import SymDim, evaluate_dim, free_symbols
from netc.compiler.types.tensor_types import BATCH, TensorType

from .data.data_columns import InputColumns
from .draw_rules import Draw


def infer_drawn_shapes(draws: tuple[Draw, ...], types: Mapping[str, TensorType], columns: InputColumns) -> dict[str, tuple[int, ...]]:
    """Infer the shapes of drawn samples from the columns. Raises `ValueError` for a size that no column has."""
    sizes = _collect_sizes(columns)
    return {draw.input: tuple(_evaluate_size(draw.input, size, sizes) for size in types[draw.input].shape[1:]) for draw in draws}


def _evaluate_size(name: str, size: int | SymDim, sizes: Mapping[str, int]) -> int:
    if isinstance(size, int):
        return size
    unknown = sorted(free_symbols(size) - sizes.keys())
    if unknown:
        raise ValueError(f"no input from the data has an axis of size `{unknown[0]}`, which `{name}` needs")
    return int(evaluate_dim(size, sizes))


def _collect_sizes(columns: InputColumns) -> dict[str, int]:
    """Collect the values of the symbolic dimensions that are sizes of a sample."""
    sizes: dict[str, int] = {}
    for name, shape in columns.shapes.items():
        for size, actual in zip(columns.types[name].shape[1:], shape, strict=True):
            if isinstance(size, SymDim) and str(size) != BATCH and str(size).isidentifier():
                sizes[str(size)] = actual
    return sizes
