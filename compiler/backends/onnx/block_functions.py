"""One function of ONNX for each block, so that viewers show the hierarchy of the spec.

In: a builder whose nodes are complete, and say which block they are part of. Out: functions; in the builder, calls of them. Always: uses of
a block that compute the same, but for weights, are one function, others are several; weights are inputs of functions, small constants are
within them; a loop and what is in it is one node, of the block that it is in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from netc.dsl.record import Record

from ...ir.frames import Frame
from .attributes import Attributes
from .messages import FunctionProto
from .onnx_builder import Body, BuilderNode, GraphBuilder, NameAllocator, write_nodes

DOMAIN = "netc"
"""That of the functions."""
_SMALL = 1024
"""Bytes of a constant that a function has itself; larger ones are inputs, as weights are."""
_INPUT = "in"
"""What a function calls a tensor that another part of the model computes, as a block of the language does."""


class _Use(Record):
    """A use of a block: its nodes, with calls in place of those of blocks in it; values that come in, those that are computed first; values
    that others take; constants of its own."""

    frame: Frame
    nodes: list[BuilderNode]
    inputs: list[str]
    outputs: list[str]
    constants: list[str]


class FunctionWriter:
    """See the module's docstring."""

    def __init__(self, builder: GraphBuilder, opset: int) -> None:
        self._builder = builder
        self._opset = opset
        self._names = NameAllocator()
        self._attributes = Attributes()
        self._written: dict[bytes, FunctionProto] = {}
        """By what they compute."""
        self._small = {name for name in builder.constants() if builder.stored[name].nbytes <= _SMALL}
        self._takers: Counter[str] = Counter()

    def write(self, outputs: Iterable[str]) -> list[FunctionProto]:
        """The functions; the nodes of the builder are changed. `outputs` are those of the model."""
        self._takers.update(chain(outputs, *map(_taken, self._builder.nodes)))
        self._builder.nodes = self._with_calls(self._builder.nodes, None)
        return list(self._written.values())

    def _with_calls(self, nodes: Sequence[BuilderNode], frame: Frame | None) -> list[BuilderNode]:
        """Nodes of a block, with calls in place of those of blocks in it. Sizes that are computed between these come first."""
        within = [_within(node.frame, frame) for node in nodes]
        left, groups = Counter(within), dict[Frame, list[BuilderNode]]()
        made: list[BuilderNode] = []
        for node, inner in zip(nodes, within, strict=True):
            if inner is None:
                made.append(node)
                continue
            groups.setdefault(inner, []).append(node)
            left[inner] -= 1
            if not left[inner]:
                made.append(self._call(self._use(inner, groups[inner])))
        return made

    def _use(self, frame: Frame, nodes: Sequence[BuilderNode]) -> _Use:
        made = dict.fromkeys(output for node in nodes for output in node.outputs)
        taken = Counter(chain.from_iterable(map(_taken, nodes)))
        inner = self._with_calls(nodes, frame)
        given = [value for value in taken if value not in made and value not in self._small]
        given.sort(key=self._builder.stored.__contains__)
        constants = [value for value in dict.fromkeys(chain.from_iterable(map(_taken, inner))) if value in self._small]
        return _Use(frame, inner, given, [value for value in made if self._takers[value] > taken[value]], constants)

    def _call(self, use: _Use) -> BuilderNode:
        plain = {value: f"{number}" for number, value in enumerate(dict.fromkeys((*use.inputs, *_values(use)))) if value}
        key = self._function("", use, plain, lambda name: "").SerializeToString(deterministic=True)
        function = self._written.get(key)
        if function is None:
            prefix = f"{use.frame.path}." if use.frame.path else ""
            name = self._names.unique(use.frame.name)
            function = self._function(name, use, self._local(use, prefix), lambda name: name.removeprefix(prefix))
            self._written[key] = function
        called = self._builder.node_names.unique(use.frame.path or use.frame.name)
        return BuilderNode(function.name, called, use.inputs, tuple(use.outputs), {}, DOMAIN)

    def _local(self, use: _Use, prefix: str) -> dict[str, str]:
        """Names of values in a function: those of stages without the path of the block."""
        names, final = NameAllocator(), self._builder.final
        local: dict[str, str] = {}
        for value in use.inputs:
            name = final.get(value, value)
            known = value in self._builder.stored or name.startswith(("size/", prefix or "size/"))
            local[value] = names.unique(name.removeprefix(prefix) if known else _INPUT)
        for value in filter(None, _values(use)):
            if value not in local:
                local[value] = names.unique(final.get(value, value).removeprefix(prefix))
        return local

    def _function(self, name: str, use: _Use, values: Mapping[str, str], label: Callable[[str], str]) -> FunctionProto:
        function = FunctionProto(name=name, domain=DOMAIN)
        function.opset_import.add(domain="", version=self._opset)
        if any(node.domain for node in use.nodes):
            function.opset_import.add(domain=DOMAIN, version=1)
        function.input.extend([values[value] for value in use.inputs])
        function.output.extend([values[value] for value in use.outputs])
        stored = self._builder.stored
        own = [BuilderNode("Constant", value, [], (value,), {"value": stored[value].read()}) for value in use.constants]
        write_nodes(function, [_labelled(node, label) for node in (*own, *use.nodes)], values, self._attributes)
        return function


def _within(frame: Frame | None, outer: Frame | None) -> Frame | None:
    """The block directly in `outer` that a frame is in, or is; None for `outer` itself."""
    while frame is not None and frame is not outer and frame.parent is not outer:
        frame = frame.parent
    return None if frame is outer else frame


def _taken(node: BuilderNode) -> Iterator[str]:
    """What a node takes of the graph that it is in, once for each time."""
    yield from filter(None, node.inputs)
    if node.body is not None:
        own = {*node.body.inputs, *(output for inner in node.body.nodes for output in inner.outputs)}
        yield from (value for value in chain(*map(_taken, node.body.nodes), node.body.outputs) if value not in own)


def _values(use: _Use) -> Iterator[str]:
    """All values of a use, those in loops too."""
    yield from use.constants
    yield from _values_of(use.nodes)


def _values_of(nodes: Iterable[BuilderNode]) -> Iterator[str]:
    for node in nodes:
        yield from node.inputs
        if node.body is not None:
            yield from node.body.inputs
            yield from _values_of(node.body.nodes)
            yield from node.body.outputs
        yield from node.outputs


def _labelled(node: BuilderNode, label: Callable[[str], str]) -> BuilderNode:
    """The node under another name, as those in it."""
    made = BuilderNode(node.op_type, label(node.name), node.inputs, node.outputs, node.attributes, node.domain)
    if node.body is not None:
        made.body = Body(label(node.body.name), node.body.inputs, node.body.types)
        made.body.nodes = [_labelled(inner, label) for inner in node.body.nodes]
        made.body.outputs = node.body.outputs
    return made
