"""Inserts nodes where ONNX Runtime's fusions would compute something else, or make a graph that it refuses.

In: a builder with all nodes. Out: the same function, with a node between such neighbors. Always: a graph without them stays as it is.

ONNX Runtime takes zeros that `Pad` adds for the padding of the pool that follows (PadFusion, 1.16 to 1.31). But a maximum ignores its own
padding, and a pool's padding must be smaller than its windows. ONNX Runtime also computes `y = x * 2` as part of the MatMul that takes
`y`, and removes `y` if nothing else takes it (MatMulScaleFusion, 1.5 to 1.31). But it overlooks the MatMul of which `y * 3` has become a
part just before. It also keeps the number as float32, even for tensors of float64, so the products are wrong from the eighth digit on.
Concat of one tensor copies it, and takes part in no fusion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from ...types.tensor_types import FLOAT64
from .onnx_builder import BuilderNode, GraphBuilder

_POOLS = {"AveragePool", "MaxPool"}


def insert_barriers(builder: GraphBuilder) -> None:
    """Insert copies between nodes that must not be fused."""
    uneven = _ScaleChains(builder).find_uneven()
    builder.nodes = list(_iter_with_barriers(builder, builder.nodes, uneven))


def _iter_with_barriers(builder: GraphBuilder, nodes: Sequence[BuilderNode], uneven: set[str]) -> Iterator[BuilderNode]:
    producers: dict[str, BuilderNode] = {}
    for node in nodes:
        if node.body is not None:
            node.body.nodes = list(_iter_with_barriers(builder, node.body.nodes, uneven))
        pooled = node.op_type in _POOLS and _adds_zeros(producers, node.inputs[0], builder)
        if pooled or (scaled := _find_scaled_input(node, builder)) in uneven:
            index = 0 if pooled else node.inputs.index(scaled)
            yield _copy_input(builder, node, index)
        for index in _find_rounded_inputs(node, producers, builder):
            yield _copy_input(builder, node, index)
        producers.update(dict.fromkeys(node.outputs, node))
        yield node


def _find_rounded_inputs(node: BuilderNode, producers: Mapping[str, BuilderNode], builder: GraphBuilder) -> list[int]:
    """Return the inputs that ONNX Runtime would fuse with a product whose factor it rounds from float64 to float32."""
    scaled = _find_scaled_input(node, builder)
    if scaled:
        position = node.inputs.index(scaled)
        maker = producers.get(scaled)
        return [position] if maker is not None and maker.op_type == "MatMul" and _is_double(node, builder) else []
    if node.op_type != "MatMul":
        # The scaling may come before the product or after it: both are fused.
        return []
    inputs = [(position, producers.get(value)) for position, value in enumerate(node.inputs)]
    return [p for p, maker in inputs if maker is not None and _find_scaled_input(maker, builder) and _is_double(maker, builder)]


def _is_double(node: BuilderNode, builder: GraphBuilder) -> bool:
    """Whether a node that scales by a constant does so in float64."""
    return any(value in builder.stored and builder.stored[value].dtype == FLOAT64 for value in node.inputs)


def _copy_input(builder: GraphBuilder, node: BuilderNode, index: int) -> BuilderNode:
    """Make a node that copies an input of a node, which takes the copy from now on."""
    source = node.inputs[index]
    copy = builder.value_names.make_unique(f"{source}/Concat")
    between = BuilderNode("Concat", builder.node_names.make_unique(copy), [source], (copy,), {"axis": 0})
    between.frame, node.inputs[index] = node.frame, copy
    return between


def _adds_zeros(producers: Mapping[str, BuilderNode], value: str, builder: GraphBuilder) -> bool:
    node = producers.get(value)
    # A Cast may be between the padding and the pool.
    if node is not None and node.op_type == "Cast":
        node = producers.get(node.inputs[0])
    if node is None or node.op_type != "Pad" or node.attributes.get("mode") not in (None, "constant"):
        return False
    fill = builder.stored.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    return fill is None or not fill.read().any()


def _find_scaled_input(node: BuilderNode, builder: GraphBuilder) -> str:
    """Return the value that a node multiplies or divides by a constant of one number, or an empty text."""
    if node.op_type not in ("Mul", "Div"):
        return ""
    for value, by in ((node.inputs[0], node.inputs[1]), *([(node.inputs[1], node.inputs[0])] if node.op_type == "Mul" else [])):
        if by in builder.stored and prod(builder.stored[by].shape) == 1:
            return value
    return ""


class _ScaleChains:
    """Chains of tensors scaled by constants. Equal ones have one name, because ONNX Runtime computes them once."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.nodes = list(_walk_nodes(builder.nodes))
        self.names: dict[str, str] = {}
        self.equal: dict[tuple[str, ...], list[str]] = {}
        for node in self.nodes:
            if _find_scaled_input(node, builder):
                same = self.equal.setdefault((node.op_type, *map(self._get_canonical_name, node.inputs)), [])
                same.append(node.outputs[0])
                self.names[node.outputs[0]] = same[0]

    def _get_canonical_name(self, value: str) -> str:
        return self.names.get(value, value)

    def find_uneven(self) -> set[str]:
        """Return the scaled tensors that MatMuls take after different numbers of further scalings, including none."""
        times: dict[str, set[int]] = {}
        for node in reversed(self.nodes):
            source = _find_scaled_input(node, self.builder)
            if source:
                self._add_counts(times, source, {n + 1 for n in times.get(self._get_canonical_name(node.outputs[0]), ())})
            elif node.op_type == "MatMul":
                for value in node.inputs:
                    self._add_counts(times, value, {0})
        return {value for same in self.equal.values() if len(times.get(same[0], ())) > 1 for value in same}

    def _add_counts(self, times: dict[str, set[int]], value: str, more: set[int]) -> None:
        """Record counts. Two different ones are enough to show the problem."""
        name = self._get_canonical_name(value)
        times[name] = set(sorted(times.get(name, set()) | more)[:2])


def _walk_nodes(nodes: Sequence[BuilderNode]) -> Iterator[BuilderNode]:
    """Iterate over the nodes, including those in loops, in the order of computation."""
    for node in nodes:
        if node.body is not None:
            yield from _walk_nodes(node.body.nodes)
        yield node
