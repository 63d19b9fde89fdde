"""The protocol for adding nodes and constants to an ONNX graph that is being written. Tensors are named by str."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...dims import Dim
from ...types.tensor_types import DType, Shape


class GraphWriter(Protocol):
    """Adds nodes and constants to one graph."""

    def add(self, op_type: str, inputs: Sequence[str], **attributes: object) -> str:
        """Add a node with one output and return its name. An absent optional input is `""`. Attributes that are None are left out."""
        ...

    def add_many(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: object) -> tuple[str, ...]:
        """Add a node with several outputs."""
        ...

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        """Add a constant. Equal constants are shared."""
        ...

    def scalar(self, value: Dim | float | bool, dtype: DType) -> str:
        """Add a 0-dimensional tensor of the type. A symbolic dimension is computed at run time."""
        ...

    def ints(self, values: Sequence[Dim]) -> str:
        """Add a 1-dimensional int64 tensor: constant, or computed where dimensions are symbolic."""
        ...

    def shape(self, shape: Shape) -> str:
        """Add a target shape for Reshape, with -1 for one symbolic dimension. Expand, which takes no -1, needs `ints`."""
        ...

    def cast(self, tensor: str, dtype: DType) -> str:
        """Add a Cast node."""
        ...
