"""Constant folding: replace nodes whose inputs are all stored tensors by stored tensors.

For example, a dense layer transposes its weight: the file then stores `fc.weight/Transpose` and no Transpose node. In: a graph. Out: the
same graph with fewer nodes. Always: weights are moved and converted when they are written, one at a time. Results computed from constants
are small. The file does not grow, so a tied weight that is used both directly and transposed is stored once.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....types.numpy_types import dtype_of
from ....weights.lazy_tensors import StoredTensor, stored_tensor
from ..onnx_builder import BuilderNode
from .constant_arithmetic import COMPUTE_BY_TYPE
from .moves import MOVES
from .open_graph import OpenGraph

SMALL = 1 << 16
"""Bytes that may be stored twice."""
COMPUTED_BYTES = 1 << 18
"""The largest result, in bytes, that replaces the nodes that compute it from constants. ONNX Runtime computes larger ones on loading."""


def fold_constants(graph: OpenGraph) -> None:
    """Fold the nodes outside of loops. The builder has moved nodes that depend on no step out of the loops already."""
    folding = _Folding(graph)
    graph.remove_nodes(folding.try_fold)
    graph.replace_values(folding.replacements)


class _Folding:
    def __init__(self, graph: OpenGraph) -> None:
        self.graph = graph
        self.stored = graph.stored
        self.replacements: dict[str, str] = {}
        """The stored tensors in place of results of folded nodes."""
        self._results: dict[object, tuple[str, ...]] = {}
        self._origins: dict[str, str] = {}
        """By stored tensor, the one that it was made from, which gives it its name."""
        self._constants = graph.builder.list_constants()

    def try_fold(self, node: BuilderNode) -> bool:
        node.inputs = [self.replacements.get(value, value) for value in node.inputs]
        if not node.inputs or node.body is not None or not all(value in self.stored for value in node.inputs if value):
            return False
        # A folded value takes the name of its stored tensor, but an output of the graph must keep its name.
        if not self.graph.outputs.isdisjoint(node.outputs):
            return False
        results = self._fold_node(node)
        if results is None:
            return False
        for output, name in zip(node.outputs, results, strict=True):
            self.replacements[output] = name
            self.graph.users[name] += self.graph.users[output]
        return True

    def _fold_node(self, node: BuilderNode) -> tuple[str, ...] | None:
        key = self._make_key(node)
        # Two nodes that move one weight alike share the result.
        if key in self._results:
            return self._results[key]
        tensors = [self.stored[value] if value else None for value in node.inputs]
        results = self._fold_move(node, tensors) or self._fold_arithmetic(node, tensors)
        if results is None:
            return None
        first = next(value for value in node.inputs if value)
        source = self._origins.get(first, first)
        names = tuple(self.graph.store_tensor(f"{source}/{node.op_type}", result) for result in results)
        self._origins.update(dict.fromkeys(names, source))
        self._results[key] = names
        if self._constants.issuperset(filter(None, node.inputs)):
            self._constants.update(names)
            self.graph.builder.mark_constants(names)
        return names

    def _fold_move(self, node: BuilderNode, tensors: Sequence[StoredTensor | None]) -> Sequence[StoredTensor] | None:
        rule = MOVES.get(node.op_type)
        results = rule(node, tensors) if rule is not None else None
        if results is None:
            return None
        size = sum(result.nbytes for result in results)
        inputs = set(filter(None, node.inputs))
        if size <= COMPUTED_BYTES and self._constants.issuperset(inputs):
            return results
        # A parameter stays in the file anyway, if anything else uses it: then its moved copy would come on top.
        moved = [value for value in inputs if value not in self._constants or self.stored[value].nbytes > SMALL]
        alone = all(self._make_key(taker) == self._make_key(node) for value in moved for taker in self.graph.users[value])
        return results if alone and size <= sum(self.stored[value].nbytes for value in moved) + SMALL else None

    def _fold_arithmetic(self, node: BuilderNode, tensors: Sequence[StoredTensor | None]) -> Sequence[StoredTensor] | None:
        # Only constants are computed: parameters are not read yet.
        compute = COMPUTE_BY_TYPE.get(node.op_type)
        if compute is None or node.attributes or len(node.outputs) > 1 or not self._constants.issuperset(node.inputs):
            return None
        arrays = [tensor.read() for tensor in tensors if tensor is not None]
        result = compute(arrays, COMPUTED_BYTES)
        if result is None or result.nbytes > COMPUTED_BYTES or dtype_of(result.dtype) is None:
            return None
        return [stored_tensor(result)]

    def _make_key(self, node: BuilderNode | None) -> object:
        """Make a key that is equal for nodes with equal results. None for the graph itself."""
        if node is None:
            return None
        inputs = tuple([self.replacements.get(value, value) for value in node.inputs])
        return (node.op_type, inputs, len(node.outputs), repr(sorted(node.attributes.items())))
