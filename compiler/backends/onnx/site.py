"""The use of an operator that is being written: what emitters see of the draft (the `Site` of table.py).

In: an operator node with its path, and the names of its inputs. Out: nodes in the draft. Always: the first result is called as the path of
the node, what leads to it `PATH/OpType`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dims import Dim
from ...ir.elements import numpy_dtype
from ...ir.graph import FlatNode, OpNode, join
from ...ir.types import DType, Shape, TensorType
from ...ops.base import OpInputs
from .builder import BuilderNode, GraphBuilder
from .expressions import TensorExpr
from .initialisers import Initialisers
from .sizes import OnnxSizes


class OnnxSite:
    """See the module's docstring."""

    __slots__ = ("_draft", "_initialisers", "_nodes", "_placed", "_sizes", "given", "inputs", "node", "results")

    def __init__(
        self,
        placed: FlatNode,
        given: OpInputs,
        inputs: tuple[str, ...],
        draft: GraphBuilder,
        sizes: OnnxSizes,
        initialisers: Initialisers,
    ) -> None:
        self.node: OpNode = placed.node
        self.given = given
        self.results: tuple[TensorType, ...] = tuple(v.type for v in placed.node.outputs)
        self.inputs = inputs
        self._placed = placed
        self._draft = draft
        self._sizes = sizes
        self._initialisers = initialisers
        self._nodes: list[BuilderNode] = []

    def __getattr__(self, name: str) -> TensorExpr:
        return self[name]

    def __getitem__(self, name: str) -> TensorExpr:
        position = self.given.position(name)
        return TensorExpr(self, self.inputs[position], self.given.types[position].dtype)

    def add(self, op_type: str, inputs: Sequence[str], **attributes: object) -> str:
        return self._add(op_type, inputs, 1, attributes).outputs[0]

    def add_many(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: object) -> tuple[str, ...]:
        return self._add(op_type, inputs, outputs, attributes).outputs

    def _add(self, op_type: str, inputs: Sequence[str], outputs: int, attributes: dict[str, object]) -> BuilderNode:
        place = self._draft.places.unique(f"{self._placed.path}/{op_type}")
        node = self._draft.add(op_type, place, inputs, outputs, attributes)
        self._nodes.append(node)
        return node

    def parameter(self, name: str) -> str:
        return self._initialisers.of(join(self._placed.path, name))

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        return self._draft.constant(array)

    def scalar(self, value: Dim | float | bool, dtype: DType) -> str:
        if isinstance(value, (int, float)):
            with np.errstate(over="ignore"):  # a number that is too large is infinite
                return self._draft.constant(np.array(value, dtype=numpy_dtype(dtype)))
        return self._sizes.scalar(value, dtype)

    def ints(self, values: Sequence[Dim]) -> str:
        return self._sizes.ints(tuple(values))

    def shape(self, shape: Shape) -> str:
        """One symbolic size can be left to Reshape; of several, the first."""
        symbolic = [axis for axis, d in enumerate(shape) if not isinstance(d, int)]
        return self._sizes.ints(tuple(-1 if axis in symbolic[:1] else d for axis, d in enumerate(shape)))

    def cast(self, tensor: str, dtype: DType) -> str:
        return self.add("Cast", [tensor], to=dtype)

    def settle(self, results: Sequence[str]) -> None:
        """Names the results, once the emitter has said which they are."""
        path = self._placed.path
        base = None
        for index, result in enumerate(results):
            maker = next((node for node in self._nodes if result in node.outputs), None)
            if maker is None or result in self._draft.final:
                continue
            if base is None:
                base = self._draft.values.unique(path)
                maker.name = self._draft.places.unique(path)
            self._draft.call(result, base if index == 0 else self._draft.values.unique(f"{base}:{index}"))
