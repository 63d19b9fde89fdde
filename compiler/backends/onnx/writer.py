"""The protocol of what adds nodes and constants to an ONNX graph that is being written. Tensors are named by str."""

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
        """Adds a node with one output and gives its name. An absent optional input is `""`; attributes that are None are left out."""
        ...

    def add_many(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: object) -> tuple[str, ...]:
        """The same with several outputs."""
        ...

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        """A constant; equal ones are shared."""
        ...

    def scalar(self, value: Dim | float | bool, dtype: DType) -> str:
        """A 0-dimensional tensor of the type; of a symbolic dimension, computed at run time."""
        ...

    def ints(self, values: Sequence[Dim]) -> str:
        """A 1-dimensional int64 tensor: constant, or computed where dimensions are symbolic."""
        ...

    def shape(self, shape: Shape) -> str:
        """The same for a target shape of Reshape; uses -1 where one dimension is symbolic. Expand, which takes no -1, needs `ints`."""
        ...

    def cast(self, tensor: str, dtype: DType) -> str:
        """A Cast node."""
        ...
