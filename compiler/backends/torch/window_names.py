"""Names PyTorch's modules of one to three spatial axes, and writes their sizes.

>>> from ...types.tensor_types import DTYPES
>>> add_rank("nn.Conv", TensorType(DTYPES["float32"], (1, 3, 8, 8))), collapse_sizes((3, 3)), collapse_sizes((3, 5))
('nn.Conv2d', 3, (3, 5))
"""

from __future__ import annotations

from ...types.tensor_types import TensorType


def add_rank(name: str, x: TensorType) -> str:
    """Return `nn.Conv2d` for `nn.Conv` of an image."""
    return f"{name}{x.rank - 2}d"


def collapse_sizes(numbers: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return one number where all axes have the same: PyTorch applies it to each of them."""
    return numbers[0] if len(set(numbers)) == 1 else numbers
