"""The graph of a builder, open to changes, with the producer and the users of each value.

In: a builder and the requested values. Out: its nodes, changed in place. Always: unused nodes are removed first. Names are provisional.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from ....types.tensor_types import TensorType
from ....weights.lazy_tensors import StoredTensor
from ..onnx_builder import BuilderNode, GraphBuilder, LoopBody, select_used


class OpenGraph:
    """A graph with the producer and the users of each value."""

    def __init__(self, builder: GraphBuilder, outputs: Sequence[str], types: Mapping[str, TensorType]) -> None:
        """`types`: the types of values, as far as they are known."""
        self.builder = builder
        self.types = types
        self.outputs = frozenset(outputs)
        builder.nodes = select_used(builder.nodes, set(outputs))
        self.stored = builder.stored
        self.producers = {output: node for node in self.nodes for output in node.outputs}
        """The nodes outside of loops, by the values that they make."""
        self.users: dict[str, list[BuilderNode | None]] = defaultdict(list)
        """The users of each value, once for each use. None stands for the graph itself, or for a loop with the value as a result."""
        for output in outputs:
            self.users[output].append(None)
        self._count_users(self.nodes)

    @property
    def nodes(self) -> list[BuilderNode]:
        """The nodes outside of loops, in order."""
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
        """Return the node outside of loops that is the only user of a value. None if there is none, or if the value is an output."""
        taking = self.users[value]
        node = taking[0] if len(taking) == 1 else None
        return node if node is not None and self.producers.get(node.outputs[0]) is node else None

    def find_producer(self, value: str, op_type: str) -> BuilderNode | None:
        """Return the node of that type that makes the value, if the value has one user only."""
        node = self.producers.get(value)
        return node if node is not None and node.op_type == op_type and len(self.users[value]) == 1 else None

    def store_tensor(self, wanted: str, tensor: StoredTensor) -> str:
        """Add a tensor and return its name."""
        name = self.builder.value_names.make_unique(wanted)
        self.stored[name] = tensor
        return name

    def replace_values(self, names: Mapping[str, str]) -> None:
        """Let users of a value take another one instead."""
        if names:
            _replace_inputs(self.nodes, names)

    def bypass_node(self, node: BuilderNode, value: str) -> None:
        """Remove a node. The producer of `value`, which only this node uses, makes its result instead."""
        maker = self.producers[value]
        (result,) = node.outputs
        maker.outputs = tuple(result if output == value else output for output in maker.outputs)
        self.producers[result] = maker
        self.builder.nodes = [other for other in self.nodes if other is not node]

    def remove_nodes(self, gone: Callable[[BuilderNode], bool]) -> None:
        """Remove nodes outside of loops."""
        self.builder.nodes = [node for node in self.nodes if not gone(node)]


def _replace_inputs(nodes: Sequence[BuilderNode], names: Mapping[str, str]) -> None:
    for node in nodes:
        node.inputs = [names.get(value, value) for value in node.inputs]
        if node.body is not None:
            node.body.outputs = [names.get(value, value) for value in node.body.outputs]
            _replace_inputs(node.body.nodes, names)


def iter_bodies(nodes: Sequence[BuilderNode]) -> Iterator[LoopBody]:
    """Iterate over the bodies of all loops, including inner ones."""
    for node in nodes:
        if node.body is not None:
            yield node.body
            yield from iter_bodies(node.body.nodes)
