"""An ONNX graph while it is being written: nodes, constants and initializers, and names for all of them.

In: nodes one by one, in the order of computation. Out: the parts of a `GraphProto` that its outputs need. Always: every name is given once;
equal constants are one; names depend on nothing but the requests and their order.
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
        """`wanted` if it is free, else with a number appended."""
        name = wanted
        while name in self._used:
            self._counts[wanted] = self._counts.get(wanted, 1) + 1
            name = f"{wanted}_{self._counts[wanted]}"
        self._used.add(name)
        return name


class LoopBody:
    """The graph of a node that is a loop, with provisional names: what it takes, its nodes, and what it makes. What it uses otherwise is
    from the graphs around it."""

    __slots__ = ("inputs", "name", "nodes", "outputs", "types")

    def __init__(self, name: str, inputs: list[str], types: list[TensorType]) -> None:
        """`types`: those of the inputs, to which those of the outputs are added."""
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
        """The block that it is part of."""


class NodeWriter(Protocol):
    """Adds nodes for an opset."""

    def add_node(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """The node that makes the results, in the builder."""
        ...

    def declare_types(self, types: Mapping[str, DType]) -> None:
        """The element types of values that no node makes."""
        ...

    def has_operator(self, op_type: str) -> bool:
        """Whether the opset has an operator of that name."""
        ...


class GraphBuilder:
    """See the module's docstring."""

    def __init__(self) -> None:
        self.lowering: NodeWriter | None = None
        """What adds the nodes, unless they are added as they are."""
        self.value_names = NameAllocator()
        self.node_names = NameAllocator()
        self.nodes: list[BuilderNode] = []
        self.frame: Frame | None = None
        """The block that nodes are part of which are added."""
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
        """By value, how many loops it is in; none for those that are in none."""

    def begin_loop(self, name: str, inputs: Sequence[str], types: Sequence[TensorType]) -> list[str]:
        """Nodes that follow are in a loop, if they depend on what a step of it takes; others are computed once, before it. Gives the names
        of the inputs of a step."""
        names = [self.value_names.make_unique(wanted) for wanted in inputs]
        self._bodies.append(LoopBody(name, names, list(types)))
        self._depths.update(dict.fromkeys(names, len(self._bodies)))
        self.declare_types(names, types)
        return names

    def declare_types(self, values: Sequence[str], types: Sequence[TensorType]) -> None:
        """The types of values that are no results of nodes."""
        if self.lowering is not None:
            self.lowering.declare_types({value: type_.dtype for value, type_ in zip(values, types, strict=True)})

    def end_loop(self, outputs: Sequence[str], types: Sequence[TensorType]) -> LoopBody:
        """The loop, complete but for the node that runs it. What a step makes are different results of its nodes."""
        depth, body = len(self._bodies), self._bodies[-1]
        for output in outputs:
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
        """Adds the node that runs a loop."""
        first = self.value_names.make_unique(body.name)
        outputs = (first, *(self.value_names.make_unique(f"{first}:{i}") for i in range(1, count)))
        node = BuilderNode(op_type, self.node_names.make_unique(body.name), list(inputs), outputs, attributes)
        node.body = body
        self.declare_types(outputs, body.types[len(body.inputs) :])
        return self._append_node(node, len(self._bodies))

    def add_node(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """Adds a node called `name` with `count` outputs, whose names derive from that; or nodes in its place, and gives the last."""
        if self.lowering is not None:
            return self.lowering.add_node(op_type, name, inputs, count, attributes)
        return self.add_plain_node(op_type, name, inputs, count, attributes)

    def add_plain_node(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """Adds just this node."""
        first = self.value_names.make_unique(name)
        outputs = (first, *(self.value_names.make_unique(f"{first}:{i}") for i in range(1, count)))
        node = BuilderNode(op_type, name, list(inputs), outputs, attributes)
        depths = self._depths
        return self._append_node(node, max((depths.get(v, 0) for v in inputs), default=0) if depths else 0)

    def set_final_name(self, value: str, name: str) -> None:
        """Decides the final name of the value. `name` must have been reserved."""
        self.final_names[value] = name

    def add_constant(self, array: Array | np.generic) -> str:
        """The name of a constant; equal ones are shared."""
        array = np.asarray(array)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.value_names.make_unique(f"constant/{len(self._constants) + 1}")
            self._constants[key] = name
            self.stored[name] = stored_tensor(array)
        return self._constants[key]

    def list_constants(self) -> set[str]:
        """The names of all constants so far."""
        return {*self._constants.values(), *self._derived}

    def mark_constants(self, names: Iterable[str]) -> None:
        """Says that stored tensors depend on no parameter."""
        self._derived.update(names)

    def prune_unused(self, outputs: Sequence[str]) -> set[str]:
        """Leaves out the nodes that are not needed to compute `outputs` (provisional names); returns the provisional names of all values
        that are needed, those of `stored` among them."""
        used = set(outputs)
        self.nodes = select_used(self.nodes, used)
        return used

    def write_graph(self, graph: GraphProto) -> None:
        """Writes the nodes, under their final names."""
        write_nodes(graph, self.nodes, self.final_names, AttributeCache())


def write_nodes(
    graph: GraphProto | FunctionProto, nodes: Sequence[BuilderNode], final: Mapping[str, str], attributes: AttributeCache
) -> None:
    """Writes nodes, those in loops too. `final_names` has the names of values that are others than the provisional ones."""
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
    """Leaves out what the steps of a `Scan` give, but nothing takes."""
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
    """The nodes that are needed to compute what is `used`, to which what they use is added."""
    kept: list[BuilderNode] = []
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
