"""How PyTorch's modules of one to three spatial axes are called, and how their sizes are written."""

from __future__ import annotations

from ...types.tensor_types import TensorType


def add_rank(name: str, x: TensorType) -> str:
    """`nn.Conv` of an image is `nn.Conv2d`."""
    return f"{name}{x.rank - 2}d"


def collapse_sizes(numbers: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number where all axes have the same."""
    return numbers[0] if len(set(numbers)) == 1 else numbers
