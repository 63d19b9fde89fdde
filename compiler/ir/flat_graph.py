r"""Iterate over a program as if every call were inlined: each operator with its full path, in the order of computation.

Analyses that follow single values use it, so that they need not know about blocks. A block that is called twice yields its operators
twice, with other paths and keys.

>>> import netc
>>> program = netc.compile("block mlp { dense 4 relu }\ninput 3 -> mlp -> mlp").program
>>> [(node.path, node.inputs, node.outputs) for node in FlatGraph(program.main).iterate_operators()]
[('mlp1.dense1', (0,), (1,)), ('mlp1.relu1', (1,), (2,)), ('mlp2.dense1', (2,), (3,)), ('mlp2.relu1', (3,), (4,))]
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from .frames import Frame
from .graph import CallNode, Graph, OpNode
from .graph_values import Value
from .walk import join_labels


class FlatNode:
    """An operator node with its full path, and keys of its inputs and outputs that are unique in the program. `frame` is the block that
    contains it, None for the model."""

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
    """The beginning of a loop, with its call. `inputs` has the keys of the states and scanned tensors outside of the loop, `step_inputs`
    the keys of the states and slices that a step gets. The nodes of one step follow, and then the `FlatScanEnd`."""

    __slots__ = ("frame", "inputs", "node", "path", "step_inputs")

    def __init__(
        self, node: CallNode, path: str, inputs: tuple[int, ...], step_inputs: tuple[int, ...], frame: Frame | None = None
    ) -> None:
        self.node = node
        self.path = path
        self.inputs = inputs
        self.step_inputs = step_inputs
        self.frame = frame


class FlatScanEnd:
    """The end of a loop: `step_outputs` has the keys of the outputs of a step, `outputs` the keys of the results of the loop."""

    __slots__ = ("outputs", "step_outputs")

    def __init__(self, step_outputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        self.step_outputs = step_outputs
        self.outputs = outputs


FlatItem = FlatNode | FlatScan | FlatScanEnd


class FlatGraph:
    """All operator nodes in the order of computation, with every call inlined. Iterate over it once only. The nodes of a `scan` come
    between a `FlatScan` and a `FlatScanEnd`.

    Keys of values: the main graph's inputs are 0, 1, ...; each operator output gets the next number. `path` is the full path of the node's
    parameters; for a shared stage, it is the path of its declaration. `owner` is the full path of the graph that contains the node. To walk
    a part of a program, pass the `path` and the `frame` where the part is.
    """

    def __init__(self, main: Graph, path: str = "", frame: Frame | None = None) -> None:
        self._main, self._path, self._frame = main, path, frame
        self._next = len(main.inputs)
        self._top: dict[int, int] = {id(v): i for i, v in enumerate(main.inputs)}

    def __iter__(self) -> Iterator[FlatItem]:
        return self._walk_graph(self._main, self._path, self._top, {}, self._frame)

    def iterate_operators(self) -> Iterator[FlatNode]:
        """Iterate over the operator nodes alone. The nodes in a loop come once."""
        return (item for item in self if isinstance(item, FlatNode))

    def output_keys(self) -> list[int]:
        """Return the keys of the main graph's outputs. Call it after the iteration."""
        return [self._top[id(v)] for v in self._main.outputs]

    def ids_of(self, keys: Container[int]) -> set[int]:
        """Return the ids of the main graph's values that have these keys. Call it after the iteration."""
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
            # The inputs of the called graph are the same values as the arguments, so they get the same keys: analyses
            # see no call.
            inner = {id(v): k for v, k in zip(node.graph.inputs, inputs, strict=True)}
            if node.scan is not None:
                # Not so in a loop: a state differs in each step, so it has a key of its own. Captured tensors keep
                # theirs.
                count = node.scan.own_count
                yield FlatScan(node, path, inputs[:count], self._assign_keys(node.graph.inputs[:count], inner), node.frame or frame)
            inside = {id(m): homes[id(given)] for m, given in zip(node.graph.modules, node.modules, strict=True)}
            block_frame = Frame(node.graph.name, own_path, frame) if node.graph.kind == "block" else frame
            yield from self._walk_graph(node.graph, own_path, inner, inside, block_frame)
            if node.scan is not None:
                step_outputs = tuple([inner[id(v)] for v in node.graph.outputs])
                yield FlatScanEnd(step_outputs, self._assign_keys(node.outputs, keys))
                continue
            for value, result in zip(node.outputs, node.graph.outputs, strict=True):
                keys[id(value)] = inner[id(result)]

    def _assign_keys(self, values: Sequence[Value], keys: dict[int, int]) -> tuple[int, ...]:
        """Assign the next keys to values."""
        new_keys = tuple(range(self._next, self._next + len(values)))
        self._next += len(values)
        for value, key in zip(values, new_keys, strict=True):
            keys[id(value)] = key
        return new_keys
