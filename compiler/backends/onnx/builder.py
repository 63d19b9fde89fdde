"""An ONNX graph while it is being written: nodes, constants and initialisers, and names for all of them.

In: nodes one by one, in the order of computation. Out: the parts of a `GraphProto` that its outputs need. Always: every name is given once;
equal constants are one; names depend on nothing but the requests and their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from onnx import GraphProto

from ...ir.elements import Array
from .attributes import Attributes
from .elements import fill_tensor


class NameAllocator:
    """Allocates names, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def reserve(self, names: Iterable[str]) -> None:
        self._taken.update(names)

    def unique(self, wanted: str) -> str:
        """`wanted` if it is free, else with a number appended."""
        name = wanted
        while name in self._taken:
            self._counts[wanted] = self._counts.get(wanted, 1) + 1
            name = f"{wanted}_{self._counts[wanted]}"
        self._taken.add(name)
        return name


class BuilderNode:
    """A node with provisional names of values; the builder knows their final names."""

    __slots__ = ("attributes", "inputs", "name", "op_type", "outputs")

    def __init__(self, op_type: str, name: str, inputs: list[str], outputs: tuple[str, ...], attributes: dict[str, object]) -> None:
        self.op_type = op_type
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes


class GraphBuilder:
    """See the module's docstring."""

    def __init__(self) -> None:
        self.value_names = NameAllocator()
        self.node_names = NameAllocator()
        self.nodes: list[BuilderNode] = []
        self.made: set[str] = set()
        """Results of nodes, unlike inputs, constants and parameters."""
        self.final: dict[str, str] = {}
        self.stored: dict[str, Array] = {}
        """Constants and initialisers by name."""
        self._constants: dict[tuple[object, ...], str] = {}

    def add(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """Adds a node called `name` with `count` outputs, whose names derive from that."""
        first = self.value_names.unique(name)
        outputs = (first, *(self.value_names.unique(f"{first}:{i}") for i in range(1, count)))
        node = BuilderNode(op_type, name, list(inputs), outputs, attributes)
        self.nodes.append(node)
        self.made.update(outputs)
        return node

    def call(self, value: str, name: str) -> None:
        """Decides the final name of the value. `name` must have been reserved."""
        self.final[value] = name

    def constant(self, array: Array | np.generic) -> str:
        """The name of a constant; equal ones are shared."""
        array = np.asarray(array)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.value_names.unique(f"constant/{len(self._constants) + 1}")
            self._constants[key] = name
            self.stored[name] = array
        return self._constants[key]

    def write(self, graph: GraphProto, outputs: Sequence[str]) -> set[str]:
        """Writes what is needed to compute `outputs` (provisional names); returns the provisional names of all values that are needed."""
        used = self._prune(outputs)
        final = self.final
        attributes = Attributes()
        for node in self.nodes:
            proto = graph.node.add()
            proto.op_type = node.op_type
            proto.name = node.name
            proto.input.extend([final.get(v, v) for v in node.inputs])
            proto.output.extend([final.get(v, v) for v in node.outputs])
            if node.attributes:
                attributes.put(proto, node.attributes)
        for name, array in self.stored.items():
            if name in used:
                fill_tensor(graph.initializer.add(), name, array)
        return used

    def _prune(self, outputs: Sequence[str]) -> set[str]:
        used = set(outputs)
        kept: list[BuilderNode] = []
        for node in reversed(self.nodes):
            if not used.isdisjoint(node.outputs):
                kept.append(node)
                used.update(node.inputs)
        kept.reverse()
        self.nodes = kept
        return used
