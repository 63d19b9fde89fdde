"""The use of an operator that is being written: the interface of the builder for emitters (the `Site` of onnx_emitters.py).

In: an operator node with its path, and the names of its inputs. Out: nodes in the builder. Always: the first result has the path of the
node as its name, and intermediate nodes are called `PATH/OpType`: `encoder.dense/MatMul`.

    >>> import netc
    >>> [node.name for node in netc.compile("input 8 -> (logsumexp axis=1 as tail) as head").onnx().graph.node]
    ['head.tail/ReduceLogSumExp', 'head.tail/IsNaN', 'head.tail/ReduceMax', 'head.tail']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dims import Dim, free_symbols
from ...ir.flat_graph import FlatNode
from ...ir.graph import OpNode
from ...ir.walk import join_labels
from ...ops.operator import OpInputs
from ...types.numpy_types import numpy_dtype
from ...types.tensor_types import BATCH, DType, Shape, TensorType
from ..backend_names import OPSET
from .onnx_builder import BuilderNode, GraphBuilder
from .onnx_initializers import Initializers
from .runtime_sizes import OnnxSizes
from .tensor_expressions import TensorExpr


class OnnxEmitSite:
    """Adds the nodes of one operator to the builder."""

    __slots__ = ("_added_nodes", "_builder", "_flat_node", "_initializers", "_sizes", "given", "inputs", "node", "results")

    def __init__(
        self,
        flat_node: FlatNode,
        given: OpInputs,
        inputs: tuple[str, ...],
        builder: GraphBuilder,
        sizes: OnnxSizes,
        initializers: Initializers,
    ) -> None:
        self.node: OpNode = flat_node.node
        self.given = given
        self.results: tuple[TensorType, ...] = tuple(v.type for v in flat_node.node.outputs)
        self.inputs = inputs
        self._flat_node = flat_node
        self._builder = builder
        self._sizes = sizes
        self._initializers = initializers
        self._added_nodes: list[BuilderNode] = []

    def __getattr__(self, name: str) -> TensorExpr:
        if name not in self.given:
            raise AttributeError(f"this use of `{self.node.op.name}` has no input `{name}`")
        return self[name]

    def __getitem__(self, name: str) -> TensorExpr:
        position = self.given.position(name)
        return TensorExpr(self, self.inputs[position], self.given.types[position].dtype)

    def add(self, op_type: str, inputs: Sequence[str], **attributes: object) -> str:
        return self._add_node(op_type, inputs, 1, attributes).outputs[0]

    def add_many(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: object) -> tuple[str, ...]:
        return self._add_node(op_type, inputs, outputs, attributes).outputs

    def _add_node(self, op_type: str, inputs: Sequence[str], outputs: int, attributes: dict[str, object]) -> BuilderNode:
        name = self._builder.node_names.make_unique(f"{self._flat_node.path}/{op_type}")
        node = self._builder.add_node(op_type, name, inputs, outputs, attributes)
        self._added_nodes.append(node)
        return node

    def parameter(self, name: str) -> str:
        if name in self.given:
            return self.inputs[self.given.position(name)]
        return self._initializers.add_initializer(join_labels(self._flat_node.path, name))

    def learned(self, name: str) -> TensorExpr:
        dtype = next(spec.dtype for spec in self.node.specs if spec.name == name)
        return TensorExpr(self, self.parameter(name), dtype)

    def parameter_of(self, path: str, name: str) -> str:
        full_path = join_labels(self._flat_node.owner, path) if path else self._flat_node.path
        return self._initializers.add_initializer(join_labels(full_path, name))

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        return self._builder.add_constant(array)

    def scalar(self, value: Dim | float | bool, dtype: DType) -> str:
        if isinstance(value, (int, float)):
            with np.errstate(over="ignore"):  # a number beyond the type's range becomes infinite
                return self._builder.add_constant(np.array(value, dtype=numpy_dtype(dtype)))
        return self._sizes.emit_scalar(value, dtype)

    def ints(self, values: Sequence[Dim]) -> str:
        return self._sizes.emit_ints(tuple(values))

    def shape(self, shape: Shape) -> str:
        """Emit a shape for Reshape, which infers one symbolic size (-1)."""
        # Let Reshape infer the batch: a computed 0, of an empty batch, would mean the size of the input's axis.
        symbolic = [axis for axis, d in enumerate(shape) if not isinstance(d, int)]
        batch = [axis for axis in symbolic if BATCH in free_symbols(shape[axis])]
        inferred = (batch or symbolic)[:1]
        return self._sizes.emit_ints(tuple(-1 if axis in inferred else d for axis, d in enumerate(shape)))

    def cast(self, tensor: str, dtype: DType) -> str:
        return self.add("Cast", [tensor], to=dtype)

    @property
    def opset(self) -> int:
        return OPSET if self._builder.lowering is None else self._builder.lowering.opset

    def has(self, op_type: str) -> bool:
        return self._builder.lowering is None or self._builder.lowering.has_operator(op_type)

    def has_kernel(self, op_type: str) -> bool:
        return self._builder.lowering is None or self._builder.lowering.has_kernel(op_type)

    def runs_attribute(self, op_type: str, attribute: str) -> bool:
        return self._builder.lowering is None or self._builder.lowering.runs_attribute(op_type, attribute)

    def name_results(self, results: Sequence[str]) -> None:
        """Name the results that the emitter has returned."""
        path = self._flat_node.path
        base = None
        for index, result in enumerate(results):
            maker = next((node for node in self._added_nodes if result in node.outputs), None)
            # An emitter may return an input, or the same result twice: only its own nodes get the name.
            if maker is None or result in self._builder.final_names:
                continue
            if base is None:
                base = self._builder.value_names.make_unique(path)
                maker.name = self._builder.node_names.make_unique(path)
            self._builder.set_final_name(result, base if index == 0 else self._builder.value_names.make_unique(f"{base}:{index}"))
