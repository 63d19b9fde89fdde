"""A requested node, and the graph that gets other nodes in its place.

In: a node of a builder. Out: nodes in the builder. Always: it is a `GraphWriter`, so that replacements are written as arithmetic. The last
node has the name of the requested one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dims import Dim
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import DType, Shape
from ..onnx_builder import GraphBuilder
from ..tensor_expressions import TensorExpr


class RequestedNode:
    """A node that an opset lacks, as the writer of its replacement."""

    def __init__(
        self,
        builder: GraphBuilder,
        dtypes: Mapping[str, DType | None],
        op_type: str,
        name: str,
        inputs: Sequence[str],
        count: int,
        attributes: Mapping[str, object],
    ) -> None:
        self.op_type = op_type
        self.name = name
        self.inputs = list(inputs)
        self.count = count
        self.attributes: Mapping[str, object] = {key: value for key, value in attributes.items() if value is not None}
        self._builder = builder
        self._dtypes = dtypes

    def make_expr(self, index: int) -> TensorExpr:
        """Return an input, whose element type must be known."""
        dtype = self._dtypes[self.inputs[index]]
        assert dtype is not None
        return TensorExpr(self, self.inputs[index], dtype)

    def read_integers(self, index: int) -> list[int] | None:
        """Return the numbers of a constant input. None if it is computed."""
        stored = self._builder.stored.get(self.inputs[index])
        return None if stored is None else [int(number) for number in stored.read().reshape(-1)]

    # --- GraphWriter ---------------------------------------------------------------------------------------------------------

    def add(self, op_type: str, inputs: Sequence[str], **attributes: object) -> str:
        return self.add_many(op_type, inputs, 1, **attributes)[0]

    def add_many(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: object) -> tuple[str, ...]:
        place = self._builder.node_names.make_unique(f"{self.name}/{op_type}")
        return self._builder.add_node(op_type, place, inputs, outputs, attributes).outputs

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        return self._builder.add_constant(array)

    def scalar(self, value: Dim | float | bool, dtype: DType) -> str:
        assert isinstance(value, (int, float)), "what replaces an operator does not depend on sizes"
        return self.constant(np.array(value, dtype=numpy_dtype(dtype)))

    def ints(self, values: Sequence[Dim]) -> str:
        assert all(isinstance(value, int) for value in values), "what replaces an operator does not depend on sizes"
        return self.constant(np.array(list(values), dtype=np.int64))

    def shape(self, shape: Shape) -> str:
        return self.ints(shape)

    def cast(self, tensor: str, dtype: DType) -> str:
        return self.add("Cast", [tensor], to=dtype)
