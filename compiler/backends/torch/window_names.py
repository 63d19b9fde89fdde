"""Names PyTorch's modules of one to three spatial axes.

>>> from ...types.tensor_types import DTYPES
>>> add_rank("nn.Conv", TensorType(DTYPES["float32"], (1, 3, 8, 8)))
'nn.Conv2d'
"""

from __future__ import annotations

from ...types.tensor_types import TensorType


def add_rank(name: str, x: TensorType) -> str:
    """Return `nn.Conv2d` for `nn.Conv` of an image. PyTorch's BatchNorm1d takes [N, C] as well as [N, C, L]."""
    return f"{name}{max(x.rank - 2, 1)}d"
