"""Builds an ONNX graph: nodes, constants and initializers, and names for all of them.

In: nodes one by one, in the order of computation. Out: the parts of a `GraphProto` that its outputs need. Always: every name is used once.
Equal constants are one. Names depend only on the requests and their order.

    >>> names = NameAllocator()
    >>> names.make_unique("Add"), names.make_unique("Add"), names.make_unique("Mul")
    ('Add', 'Add_2', 'Mul')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from ...ir.frames import Frame
from ...types.numpy_types import Array
from ...types.tensor_types import DType, TensorType
from ...weights.lazy_tensors import StoredTensor, stored_tensor
from .attributes import AttributeCache
from .messages import AttributeProto, FunctionProto, GraphProto
from .onnx_types import fill_type


class NameAllocator:
    """Allocates names, each once."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}

    def reserve_names(self, names: Iterable[str]) -> None:
        self._used.update(names)

    def make_unique(self, wanted: str) -> str:
        """Return `wanted` if it is free, else with a number appended."""
        name = wanted
        while name in self._used:
            # Counting on from the last number: trying all from 2 on would be quadratic in the uses of a name.
            self._counts[wanted] = self._counts.get(wanted, 1) + 1
            name = f"{wanted}_{self._counts[wanted]}"
        self._used.add(name)
        return name


class LoopBody:
    """The graph of a node that is a loop, with provisional names: its inputs, its nodes and its outputs. Other values that it uses come
    from the graphs around it."""

    __slots__ = ("inputs", "name", "nodes", "outputs", "types")

    def __init__(self, name: str, inputs: list[str], types: list[TensorType]) -> None:
        """`types`: the types of the inputs, to which the types of the outputs are added."""
        self.name = name
        self.inputs = inputs
        self.types = types
        self.nodes: list[BuilderNode] = []
        self.outputs: list[str] = []


class BuilderNode:
    """A node with provisional names of values; the builder knows their final names."""

    __slots__ = ("attributes", "body", "domain", "frame", "inputs", "name", "op_type", "outputs")

    def __init__(
        self, op_type: str, name: str, inputs: list[str], outputs: tuple[str, ...], attributes: dict[str, object], domain: str = ""
    ) -> None:
        self.op_type = op_type
        self.domain = domain
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
        self.body: LoopBody | None = None
        self.frame: Frame | None = None
        """The block that the node is part of."""


class NodeWriter(Protocol):
    """Adds nodes for an opset."""

    opset: int

    def add_node(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """Add the node that makes the results to the builder, and return it."""
        ...

    def declare_types(self, types: Mapping[str, DType]) -> None:
        """Declare the element types of values that no node makes."""
        ...

    def has_operator(self, op_type: str) -> bool:
        """Whether the opset has an operator of that name."""
        ...

    def runs_attribute(self, op_type: str, attribute: str) -> bool:
        """Whether the device's kernel for the operator takes an attribute that it should take."""
        ...

    def has_kernel(self, op_type: str) -> bool:
        """Whether the device has a kernel for the operator, in any element type."""
        ...


class GraphBuilder:
    """Builds one graph."""

    def __init__(self) -> None:
        self.lowering: NodeWriter | None = None
        """Adds nodes for another opset. None if nodes are added as they are."""
        self.value_names = NameAllocator()
        self.node_names = NameAllocator()
        self.nodes: list[BuilderNode] = []
        self.frame: Frame | None = None
        """The block that new nodes are part of."""
        self.computed: set[str] = set()
        """Results of nodes, unlike inputs, constants and parameters."""
        self.final_names: dict[str, str] = {}
        self.stored: dict[str, StoredTensor] = {}
        """Constants and initializers by name."""
        self._constants: dict[tuple[object, ...], str] = {}
        self._derived: set[str] = set()
        self._bodies: list[LoopBody] = []
        """The loops that are being written, outermost first."""
        self._depths: dict[str, int] = {}
        """By value, the number of loops that it is in. Values outside of loops are missing."""

    def begin_loop(self, name: str, inputs: Sequence[str], types: Sequence[TensorType]) -> list[str]:
        """Begin a loop. Nodes that follow are in it if they depend on the inputs of a step. Others are computed once, before the loop.
        Return the names of the inputs of a step."""
        names = [self.value_names.make_unique(wanted) for wanted in inputs]
        self._bodies.append(LoopBody(name, names, list(types)))
        self._depths.update(dict.fromkeys(names, len(self._bodies)))
        self.declare_types(names, types)
        return names

    def declare_types(self, values: Sequence[str], types: Sequence[TensorType]) -> None:
        """Declare the types of values that are no results of nodes."""
        if self.lowering is not None:
            self.lowering.declare_types({value: type_.dtype for value, type_ in zip(values, types, strict=True)})

    def end_loop(self, outputs: Sequence[str], types: Sequence[TensorType]) -> LoopBody:
        """End the loop and return it, complete except for the node that runs it. The outputs of a step become different results of its
        nodes."""
        depth, body = len(self._bodies), self._bodies[-1]
        for output in outputs:
            # A value from outside, an input of the step, or one that is output twice, is copied: the outputs must be different
            # results of the body.
            is_local = self._depths.get(output, 0) == depth and output in self.computed and output not in body.outputs
            body.outputs.append(output if is_local else self._copy_into_loop(output))
        body.types += types
        return self._bodies.pop()

    def _copy_into_loop(self, value: str) -> str:
        name = self.node_names.make_unique(f"{self._bodies[-1].name}/Identity")
        return self._append_node(
            BuilderNode("Identity", name, [value], (self.value_names.make_unique(name),), {}), len(self._bodies)
        ).outputs[0]

    def _append_node(self, node: BuilderNode, depth: int) -> BuilderNode:
        node.frame = self.frame
        (self._bodies[depth - 1].nodes if depth else self.nodes).append(node)
        self.computed.update(node.outputs)
        if depth:
            self._depths.update(dict.fromkeys(node.outputs, depth))
        return node

    def is_outermost(self, value: str) -> bool:
        """Whether a value is in no loop."""
        return value not in self._depths

    def add_loop(self, op_type: str, inputs: Sequence[str], count: int, attributes: dict[str, object], body: LoopBody) -> BuilderNode:
        """Add the node that runs a loop."""
        first = self.value_names.make_unique(body.name)
        outputs = (first, *(self.value_names.make_unique(f"{first}:{i}") for i in range(1, count)))
        node = BuilderNode(op_type, self.node_names.make_unique(body.name), list(inputs), outputs, attributes)
        node.body = body
        self.declare_types(outputs, body.types[len(body.inputs) :])
        return self._append_node(node, len(self._bodies))

    def add_node(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """Add a node called `name` with `count` outputs, whose names derive from it. Another opset may add several nodes; return the
        last."""
        if self.lowering is not None:
            return self.lowering.add_node(op_type, name, inputs, count, attributes)
        return self.add_plain_node(op_type, name, inputs, count, attributes)

    def add_plain_node(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """Add exactly this node."""
        first = self.value_names.make_unique(name)
        outputs = (first, *(self.value_names.make_unique(f"{first}:{i}") for i in range(1, count)))
        node = BuilderNode(op_type, name, list(inputs), outputs, attributes)
        depths = self._depths
        return self._append_node(node, max((depths.get(v, 0) for v in inputs), default=0) if depths else 0)

    def set_final_name(self, value: str, name: str) -> None:
        """Set the final name of the value. `name` must have been reserved."""
        self.final_names[value] = name

    def add_constant(self, array: Array | np.generic) -> str:
        """Return the name of a constant. Equal constants are shared."""
        array = np.asarray(array)
        # The bytes, not the values, are compared: -0.0 is another constant than 0.0, and NaN equals itself.
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.value_names.make_unique(f"constant/{len(self._constants) + 1}")
            self._constants[key] = name
            self.stored[name] = stored_tensor(array)
        return self._constants[key]

    def list_constants(self) -> set[str]:
        """Return the names of all constants so far."""
        return {*self._constants.values(), *self._derived}

    def mark_constants(self, names: Iterable[str]) -> None:
        """Mark stored tensors that depend on no parameter."""
        self._derived.update(names)

    def prune_unused(self, outputs: Sequence[str]) -> set[str]:
        """Remove the nodes that are not needed to compute `outputs` (provisional names). Return the provisional names of all values that
        are needed, including the nodes of `stored`."""
        used = set(outputs)
        self.nodes = select_used(self.nodes, used)
        return used

    def write_graph(self, graph: GraphProto) -> None:
        """Write the nodes, under their final names."""
        write_nodes(graph, self.nodes, self.final_names, AttributeCache())


def write_nodes(
    graph: GraphProto | FunctionProto, nodes: Sequence[BuilderNode], final: Mapping[str, str], attributes: AttributeCache
) -> None:
    """Write nodes, including those in loops. `final` has the final names that differ from the provisional ones."""
    for node in nodes:
        inputs, outputs = [final.get(v, v) for v in node.inputs], [final.get(v, v) for v in node.outputs]
        proto = graph.node.add(op_type=node.op_type, name=node.name, input=inputs, output=outputs)
        if node.domain:
            proto.domain = node.domain
        if node.attributes:
            attributes.add_attributes(proto, node.attributes)
        if node.body is not None:
            attribute = proto.attribute.add(name="body", type=AttributeProto.GRAPH)
            _write_body(attribute.g, node.body, final, attributes)


def _write_body(graph: GraphProto, body: LoopBody, final: Mapping[str, str], attributes: AttributeCache) -> None:
    graph.name = body.name
    write_nodes(graph, body.nodes, final, attributes)
    infos = [graph.input.add() for _ in body.inputs] + [graph.output.add() for _ in body.outputs]
    for info, value, type_ in zip(infos, (*body.inputs, *body.outputs), body.types, strict=True):
        info.name = final.get(value, value)
        fill_type(info.type, type_)


def _drop_unused_outputs(node: BuilderNode, body: LoopBody, used: set[str]) -> None:
    """Remove outputs of the steps of a `Scan` that nothing takes. Its states stay, since the next step needs them."""
    scanned = node.attributes["num_scan_inputs"]
    assert isinstance(scanned, int)
    states = len(body.inputs) - scanned
    kept = [i for i, output in enumerate(node.outputs) if i < states or output in used]
    if len(kept) == len(node.outputs):
        return
    for name in ("scan_output_axes", "scan_output_directions"):
        values = node.attributes[name]
        if isinstance(values, tuple):
            node.attributes[name] = tuple(values[i - states] for i in kept[states:]) or None
    node.outputs = tuple(node.outputs[i] for i in kept)
    body.types = [*body.types[: len(body.inputs)], *(body.types[len(body.inputs) + i] for i in kept)]
    body.outputs = [body.outputs[i] for i in kept]


def select_used(nodes: Sequence[BuilderNode], used: set[str]) -> list[BuilderNode]:
    """Return the nodes that are needed to compute the values in `used`. Adds the values that these nodes take to `used`."""
    kept: list[BuilderNode] = []
    # From the end: the users of a node's results are known when it is its turn.
    for node in reversed(nodes):
        if used.isdisjoint(node.outputs):
            continue
        kept.append(node)
        used.update(node.inputs)
        if node.body is not None:
            _drop_unused_outputs(node, node.body, used)
            used.update(node.body.outputs)
            node.body.nodes = select_used(node.body.nodes, used)
    kept.reverse()
    return kept
