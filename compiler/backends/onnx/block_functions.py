"""Writes one function of ONNX for each block, so that viewers show the hierarchy of the spec.

In: a builder whose nodes are complete, each with the block that it is part of. Out: functions, and calls of them in the builder. Always:
uses of a block that compute the same, except for weights, are one function; other uses are several. Weights are inputs of functions, and
small constants are within them. A loop with its body is one node of the block that it is in.

    >>> import netc
    >>> model = netc.compile("block layer { dense 8 relu }; input 8 -> layer -> layer").onnx(functions=True)
    >>> [node.op_type for node in model.graph.node], [node.op_type for node in model.functions[0].node]
    (['layer', 'layer'], ['Gemm', 'Relu'])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from netc.dsl.record import Record

from ...ir.frames import Frame
from .attributes import AttributeCache
from .messages import FunctionProto
from .onnx_builder import BuilderNode, GraphBuilder, LoopBody, NameAllocator, write_nodes

DOMAIN = "netc"
"""The domain of the functions."""
_SMALL = 1024
"""The largest constant, in bytes, that is put into a function. Larger ones are inputs, as weights are."""
_INPUT = "in"
"""The name in a function for a tensor that another part of the model computes, as in a block of the language."""


class _BlockUse(Record):
    """A use of a block: its nodes, with calls in place of inner blocks; its inputs, computed tensors before weights; the values that
    others take; its own constants."""

    frame: Frame
    nodes: list[BuilderNode]
    inputs: list[str]
    outputs: list[str]
    constants: list[str]


class FunctionWriter:
    """Writes the functions of one builder."""

    def __init__(self, builder: GraphBuilder, opset: int) -> None:
        self._builder = builder
        self._opset = opset
        self._names = NameAllocator()
        self._attributes = AttributeCache()
        self._written: dict[bytes, FunctionProto] = {}
        """The functions so far, by the bytes of what they compute."""
        self._small = {name for name in builder.list_constants() if builder.stored[name].nbytes <= _SMALL}
        self._use_counts: Counter[str] = Counter()

    def write_functions(self, outputs: Iterable[str]) -> list[FunctionProto]:
        """Write the functions and replace nodes of the builder by calls. `outputs` are the model's outputs."""
        self._use_counts.update(chain(outputs, *map(_iter_used_values, self._builder.nodes)))
        self._builder.nodes = self._replace_with_calls(self._builder.nodes, None)
        return list(self._written.values())

    def _replace_with_calls(self, nodes: Sequence[BuilderNode], frame: Frame | None) -> list[BuilderNode]:
        """Replace the nodes of inner blocks by calls. Sizes that are computed between these nodes come first."""
        within = [_find_inner_frame(node.frame, frame) for node in nodes]
        remaining, groups = Counter(within), dict[Frame, list[BuilderNode]]()
        result: list[BuilderNode] = []
        for node, inner in zip(nodes, within, strict=True):
            if inner is None:
                result.append(node)
                continue
            groups.setdefault(inner, []).append(node)
            # The call goes where the block's last node was: by then, all of its inputs exist.
            remaining[inner] -= 1
            if not remaining[inner]:
                result.append(self._make_call(self._make_use(inner, groups[inner])))
        return result

    def _make_use(self, frame: Frame, nodes: Sequence[BuilderNode]) -> _BlockUse:
        computed = dict.fromkeys(output for node in nodes for output in node.outputs)
        uses = Counter(chain.from_iterable(map(_iter_used_values, nodes)))
        inner = self._replace_with_calls(nodes, frame)
        inputs = [value for value in uses if value not in computed and value not in self._small]
        inputs.sort(key=self._builder.stored.__contains__)
        constants = [value for value in dict.fromkeys(chain.from_iterable(map(_iter_used_values, inner))) if value in self._small]
        return _BlockUse(frame, inner, inputs, [value for value in computed if self._use_counts[value] > uses[value]], constants)

    def _make_call(self, use: _BlockUse) -> BuilderNode:
        plain = {value: f"{number}" for number, value in enumerate(dict.fromkeys((*use.inputs, *_iter_all_values(use)))) if value}
        # Serialized with plain names, two uses of a block that compute the same are equal, so they share a function.
        key = self._make_function("", use, plain, lambda name: "").SerializeToString(deterministic=True)
        function = self._written.get(key)
        if function is None:
            prefix = f"{use.frame.path}." if use.frame.path else ""
            name = self._names.make_unique(use.frame.name)
            function = self._make_function(name, use, self._name_local_values(use, prefix), lambda name: name.removeprefix(prefix))
            self._written[key] = function
        name_of_call = self._builder.node_names.make_unique(use.frame.path or use.frame.name)
        return BuilderNode(function.name, name_of_call, use.inputs, tuple(use.outputs), {}, DOMAIN)

    def _name_local_values(self, use: _BlockUse, prefix: str) -> dict[str, str]:
        """Name the values in a function: values of stages lose the path of the block."""
        names, final = NameAllocator(), self._builder.final_names
        local: dict[str, str] = {}
        for value in use.inputs:
            name = final.get(value, value)
            # The inputs of a function have its own names, so that all uses of a block read alike.
            known = value in self._builder.stored or name.startswith(("size/", prefix or "size/"))
            local[value] = names.make_unique(name.removeprefix(prefix) if known else _INPUT)
        for value in filter(None, _iter_all_values(use)):
            if value not in local:
                local[value] = names.make_unique(final.get(value, value).removeprefix(prefix))
        return local

    def _make_function(self, name: str, use: _BlockUse, values: Mapping[str, str], label: Callable[[str], str]) -> FunctionProto:
        function = FunctionProto(name=name, domain=DOMAIN)
        function.opset_import.add(domain="", version=self._opset)
        if any(node.domain for node in use.nodes):
            function.opset_import.add(domain=DOMAIN, version=1)
        function.input.extend([values[value] for value in use.inputs])
        function.output.extend([values[value] for value in use.outputs])
        stored = self._builder.stored
        # A function has no initializers, so its constants are nodes.
        constants = [BuilderNode("Constant", value, [], (value,), {"value": stored[value].read()}) for value in use.constants]
        write_nodes(function, [_relabel_node(node, label) for node in (*constants, *use.nodes)], values, self._attributes)
        return function


def _find_inner_frame(frame: Frame | None, outer: Frame | None) -> Frame | None:
    """Return the block directly inside `outer` that contains the frame. None for `outer` itself."""
    while frame is not None and frame is not outer and frame.parent is not outer:
        frame = frame.parent
    return None if frame is outer else frame


def _iter_used_values(node: BuilderNode) -> Iterator[str]:
    """Iterate over the values that a node takes from its graph, once for each use."""
    yield from filter(None, node.inputs)
    if node.body is not None:
        # A loop also takes values from the graph around it, without listing them as inputs.
        local = {*node.body.inputs, *(output for inner in node.body.nodes for output in inner.outputs)}
        yield from (value for value in chain(*map(_iter_used_values, node.body.nodes), node.body.outputs) if value not in local)


def _iter_all_values(use: _BlockUse) -> Iterator[str]:
    """Iterate over all values of a use, including those in loops."""
    yield from use.constants
    yield from _iter_node_values(use.nodes)


def _iter_node_values(nodes: Iterable[BuilderNode]) -> Iterator[str]:
    for node in nodes:
        yield from node.inputs
        if node.body is not None:
            yield from node.body.inputs
            yield from _iter_node_values(node.body.nodes)
            yield from node.body.outputs
        yield from node.outputs


def _relabel_node(node: BuilderNode, label: Callable[[str], str]) -> BuilderNode:
    """Copy a node under another name, with the nodes in it."""
    copy = BuilderNode(node.op_type, label(node.name), node.inputs, node.outputs, node.attributes, node.domain)
    if node.body is not None:
        copy.body = LoopBody(label(node.body.name), node.body.inputs, node.body.types)
        copy.body.nodes = [_relabel_node(inner, label) for inner in node.body.nodes]
        copy.body.outputs = node.body.outputs
    return copy
