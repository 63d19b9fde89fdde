"""The graph of a builder, open to be changed: what takes a value, and what makes it.

In: a builder and the values that are asked for. Out: its nodes, changed in place. Always: nodes that nothing needs are left out before it
is looked at; names are provisional ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from ....types.tensor_types import TensorType
from ....weights.lazy_tensors import StoredTensor
from ..onnx_builder import BuilderNode, GraphBuilder, LoopBody, select_used


class OpenGraph:
    """See the module's docstring."""

    def __init__(self, builder: GraphBuilder, outputs: Sequence[str], types: Mapping[str, TensorType]) -> None:
        """`types`: those of values, as far as they are known."""
        self.builder = builder
        self.types = types
        self.outputs = frozenset(outputs)
        builder.nodes = select_used(builder.nodes, set(outputs))
        self.stored = builder.stored
        self.producers = {output: node for node in self.nodes for output in node.outputs}
        """Nodes that are in no loop."""
        self.users: dict[str, list[BuilderNode | None]] = defaultdict(list)
        """What takes each value, once for each time; None: the graph itself, or a loop as the result of a step."""
        for output in outputs:
            self.users[output].append(None)
        self._count_users(self.nodes)

    @property
    def nodes(self) -> list[BuilderNode]:
        """Those that are in no loop, in order."""
        return self.builder.nodes

    def _count_users(self, nodes: Sequence[BuilderNode]) -> None:
        for node in nodes:
            for value in node.inputs:
                self.users[value].append(node)
            if node.body is not None:
                for value in node.body.outputs:
                    self.users[value].append(None)
                self._count_users(node.body.nodes)

    def find_only_user(self, value: str) -> BuilderNode | None:
        """The node in no loop that alone takes a value, which is no output; None if there is no such node."""
        taking = self.users[value]
        node = taking[0] if len(taking) == 1 else None
        return node if node is not None and self.producers.get(node.outputs[0]) is node else None

    def find_producer(self, value: str, op_type: str) -> BuilderNode | None:
        """The node of that type that makes the value for one taker alone."""
        node = self.producers.get(value)
        return node if node is not None and node.op_type == op_type and len(self.users[value]) == 1 else None

    def store_tensor(self, wanted: str, tensor: StoredTensor) -> str:
        """Adds a tensor; gives its name."""
        name = self.builder.value_names.make_unique(wanted)
        self.stored[name] = tensor
        return name

    def replace_values(self, names: Mapping[str, str]) -> None:
        """What takes a value takes another one instead."""
        if names:
            _replace_inputs(self.nodes, names)

    def bypass_node(self, node: BuilderNode, value: str) -> None:
        """Removes a node: what makes `value`, for it alone, makes its result in its place."""
        maker = self.producers[value]
        (result,) = node.outputs
        maker.outputs = tuple(result if output == value else output for output in maker.outputs)
        self.producers[result] = maker
        self.builder.nodes = [other for other in self.nodes if other is not node]

    def remove_nodes(self, gone: Callable[[BuilderNode], bool]) -> None:
        """Removes nodes that are in no loop."""
        self.builder.nodes = [node for node in self.nodes if not gone(node)]


def _replace_inputs(nodes: Sequence[BuilderNode], names: Mapping[str, str]) -> None:
    for node in nodes:
        node.inputs = [names.get(value, value) for value in node.inputs]
        if node.body is not None:
            node.body.outputs = [names.get(value, value) for value in node.body.outputs]
            _replace_inputs(node.body.nodes, names)


def iter_bodies(nodes: Sequence[BuilderNode]) -> Iterator[LoopBody]:
    """Those of all loops, inner ones too."""
    for node in nodes:
        if node.body is not None:
            yield node.body
            yield from iter_bodies(node.body.nodes)
