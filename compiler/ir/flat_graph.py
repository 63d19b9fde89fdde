"""Iterate over a program as if every call were inlined: each operator with its full path, in the order of computation.

Analyses that follow single values use it, so that they need not know about blocks. A block that is called twice yields its operators
twice, with other paths and keys.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from .frames import Frame
from .graph import CallNode, Graph, OpNode
from .graph_values import Value
from .walk import join_labels


class FlatNode:
    """An operator node with its full path, and the values it takes and makes as keys that are unique in the whole program; `frame` is the
    block that it is in, None for the model."""

    __slots__ = ("frame", "inputs", "node", "outputs", "owner", "path")

    def __init__(
        self, node: OpNode, path: str, owner: str, inputs: tuple[int, ...], outputs: tuple[int, ...], frame: Frame | None = None
    ) -> None:
        self.node = node
        self.path = path
        self.owner = owner
        self.inputs = inputs
        self.outputs = outputs
        self.frame = frame


class FlatScan:
    """The beginning of a loop: its call, and what a step takes, as keys: of the tensors around it, and of the states and parts of scanned
    tensors that a step gets of them. The nodes of a step follow, and then the `FlatScanEnd`."""

    __slots__ = ("frame", "given", "inputs", "node", "path")

    def __init__(self, node: CallNode, path: str, inputs: tuple[int, ...], given: tuple[int, ...], frame: Frame | None = None) -> None:
        self.node = node
        self.path = path
        self.inputs = inputs
        self.given = given
        self.frame = frame


class FlatScanEnd:
    """The end of a loop: the keys of what a step makes, and of the results of the loop."""

    __slots__ = ("made", "outputs")

    def __init__(self, made: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        self.made = made
        self.outputs = outputs


FlatItem = FlatNode | FlatScan | FlatScanEnd


class FlatGraph:
    """All operator nodes in the order of computation, every call opened, one at a time: to be iterated once. The nodes of a `scan` are
    between a `FlatScan` and a `FlatScanEnd`.

    Keys of values: the main graph's inputs are 0, 1, ...; each operator output gets the next number. `path` is the full path of the
    node's parameters (that of the declaration for a shared stage); `owner` the full path of the graph that contains it. With a `path` and
    a `frame`, the graph is a part of the program that is there.
    """

    def __init__(self, main: Graph, path: str = "", frame: Frame | None = None) -> None:
        self._main, self._path, self._frame = main, path, frame
        self._next = len(main.inputs)
        self._top: dict[int, int] = {id(v): i for i, v in enumerate(main.inputs)}

    def __iter__(self) -> Iterator[FlatItem]:
        return self._walk_graph(self._main, self._path, self._top, {}, self._frame)

    def iterate_operators(self) -> Iterator[FlatNode]:
        """The operator nodes alone, those in loops once."""
        return (item for item in self if isinstance(item, FlatNode))

    def output_keys(self) -> list[int]:
        """The keys of the main graph's outputs, once all nodes have been asked for."""
        return [self._top[id(v)] for v in self._main.outputs]

    def ids_of(self, keys: Container[int]) -> set[int]:
        """The ids of the main graph's values that have these keys, once all nodes have been asked for."""
        return {value for value, key in self._top.items() if key in keys}

    def _walk_graph(self, graph: Graph, path: str, keys: dict[int, int], homes: dict[int, str], frame: Frame | None) -> Iterator[FlatItem]:
        if graph.declares:
            homes = {**homes, **{id(m): join_labels(path, m.label) for m in graph.declares}}
        for node in graph.nodes:
            own_path = homes[id(node.shared)] if node.shared is not None else join_labels(path, node.label)
            inputs = tuple([keys[id(v)] for v in node.inputs])
            if isinstance(node, OpNode):
                outputs = self._assign_keys(node.outputs, keys)
                yield FlatNode(node, own_path, path, inputs, outputs, node.frame or frame)
                continue
            inner = {id(v): k for v, k in zip(node.graph.inputs, inputs, strict=True)}
            if node.scan is not None:
                count = node.scan.own_count
                yield FlatScan(node, path, inputs[:count], self._assign_keys(node.graph.inputs[:count], inner), node.frame or frame)
            inside = {id(m): homes[id(given)] for m, given in zip(node.graph.modules, node.modules, strict=True)}
            block_frame = Frame(node.graph.name, own_path, frame) if node.graph.kind == "block" else frame
            yield from self._walk_graph(node.graph, own_path, inner, inside, block_frame)
            if node.scan is not None:
                made = tuple([inner[id(v)] for v in node.graph.outputs])
                yield FlatScanEnd(made, self._assign_keys(node.outputs, keys))
                continue
            for value, result in zip(node.outputs, node.graph.outputs, strict=True):
                keys[id(value)] = inner[id(result)]

    def _assign_keys(self, values: Sequence[Value], keys: dict[int, int]) -> tuple[int, ...]:
        """Numbers for values."""
        found = tuple(range(self._next, self._next + len(values)))
        self._next += len(values)
        for value, key in zip(values, found, strict=True):
            keys[id(value)] = key
        return found
