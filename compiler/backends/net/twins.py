"""Pairs graphs of one class of which one gets a tensor more, such as `forward(self, x, skip=None)` with and without `skip`.

In: a graph, and another one with a further input. Out: both with the same inputs and the same nodes, except that an `Alternative` has the
nodes of only one of them: `if given(skip) { y + skip } else { y }`. Always: each graph computes what it computed before. All other nodes
differ in literals only, and so do the bodies. Bodies are not compared here, because one more node may give other tensors a name.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
from itertools import combinations

from netc.dsl.record import Record
from netc.dsl.trees import Different

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ops.parameter_of import ParameterOf
from .node_stages import get_label

Key = Callable[[Node], tuple[Hashable, Hashable]]
"""Makes the key of a node. The first part is equal for nodes that differ in literals and inputs only, both for nodes that differ in inputs
only."""


class Alternative(CallNode):
    """A tensor that depends on whether the optional input is given, which is the first of `inputs`.

    `graph` computes it from the optional input and the next inputs, and `otherwise` from the last inputs. `is_given`: whether the graph
    with this node has the optional input.
    """

    def __init__(self, graph: Graph, otherwise: Graph, inputs: tuple[Value, ...], is_given: bool) -> None:
        super().__init__(graph, inputs, tuple(graph.outputs), "", graph.span)
        self.otherwise = otherwise
        self.is_given = is_given


class TwinWay(Record):
    """A way in which graphs may be twins. `inputs` has for each input its number in the graph with one more, where the last one is
    optional. `results` has for each result of that graph its number in the other graph, which may also return the tensor that it computes
    instead. `several`: a region ends where a node equals the other graph's own one."""

    inputs: tuple[int, ...]
    results: tuple[int, ...]
    several: bool


def list_twin_ways(graph: Graph, other: Graph) -> list[TwinWay]:
    """List the ways in which the other graph may be the first one with an optional input, the best first."""
    last = len(graph.inputs)
    if not last or len(other.inputs) != last + 1 or len(graph.outputs) - len(other.outputs) not in (0, 1):
        return []
    names = [value.name for value in graph.inputs]
    orders = [(*(index for index in range(last + 1) if index != extra), extra) for extra in (*range(1, last + 1), 0)]
    # Of `x - skip` either may be the optional one. It is not the one that has the name of an input of the graph without it.
    orders.sort(key=lambda order: [other.inputs[index].name for index in order[:-1]] != names)
    results = list(combinations(range(len(graph.outputs)), len(other.outputs)))
    return [TwinWay(order, result_numbers, several) for result_numbers in results for order in orders for several in (True, False)]


def pair_twins(graph: Graph, other: Graph, way: TwinWay, key: Key) -> tuple[Graph, Graph] | None:
    """Return both graphs with the optional input last, and with alternatives. None if they differ in more than that."""
    if (
        not (_is_plain(graph) and _is_plain(other))
        or len(other.outputs) != len(way.results)
        or max(way.results, default=0) >= len(graph.outputs)
    ):
        return None
    try:
        return _Pairing(graph, other, way, key).rewrite_graphs()
    except Different:
        return None


class _Region:
    """Nodes that only one of the graphs has, in order. `output` is the only tensor that others use, and `inputs` come from outside."""

    def __init__(self, nodes: Sequence[Node], output: Value) -> None:
        inside = {id(value) for node in nodes for value in node.outputs}
        read = {id(value): value for node in nodes for value in node.inputs if id(value) not in inside}
        self.nodes = nodes
        self.output = output
        self.inputs = list(read.values()) if nodes else [output]

    def make_graph(self, around: Graph, inputs: Sequence[Value]) -> Graph:
        """Make the nodes a graph."""
        graph = Graph(around.name, "block", around.span)
        graph.inputs, graph.nodes, graph.outputs = list(inputs), list(self.nodes), [self.output]
        return graph


class _Pairing:
    """The nodes of two graphs that are alike, from the inputs on and from the results back, and the regions between them. `values` and
    `nodes` map the other graph's, by id, to the graph's own."""

    def __init__(self, graph: Graph, other: Graph, way: TwinWay, key: Key) -> None:
        self.graph, self.other, self.way, self.key = graph, other, way, key
        self.inputs = inputs = [other.inputs[index] for index in way.inputs]
        self.extra = inputs[-1]
        self.values: dict[int, Value] = {}
        self.origins: dict[int, Value] = {}
        self.nodes: dict[int, Node] = {}
        # The optional tensor comes last and has no partner.
        for value, ours in zip(inputs, graph.inputs, strict=False):
            self._pair_values(value, ours)
        self._pair_forward()
        self.ends = self._pair_backward()
        paired = set(map(id, self.nodes.values()))
        only_other = [node for node in other.nodes if id(node) not in self.nodes]
        only_own = [node for node in graph.nodes if id(node) not in paired]
        self.regions = [
            (_Region(_find_reaching_nodes(value, only_other), value), _Region(_find_reaching_nodes(ours, only_own), ours))
            for value, ours in self.ends.values()
        ]
        self._check_regions(only_other, only_own)
        alone = (ours for region, ours in self.regions if not region.nodes)
        self.instead = next((ours.output if ours.nodes else Value(self.extra.type, self.extra.span) for ours in alone), self.extra)
        """The tensor that nodes use in place of the optional tensor, if some of them use it directly."""

    def _pair_values(self, value: Value, ours: Value) -> None:
        self.values[id(value)] = ours
        self.origins[id(ours)] = value

    def _pair_nodes(self, node: Node, ours: Node) -> None:
        self.nodes[id(node)] = ours
        for value, its in zip(node.outputs, ours.outputs, strict=True):
            self._pair_values(value, its)

    def _pair_forward(self) -> None:
        waiting: dict[Hashable, list[Node]] = {}
        for node in self.graph.nodes:
            waiting.setdefault((self.key(node)[0], tuple(map(id, node.inputs))), []).append(node)
        for node in self.other.nodes:
            inputs = [self.values.get(id(value)) for value in node.inputs]
            alike = waiting.get((self.key(node)[0], tuple(map(id, inputs)))) if None not in inputs else None
            if alike:
                # Of several nodes that are alike, one with the same literals is the better partner.
                partner = next((partner for partner in alike if self.key(partner) == self.key(node)), alike[0])
                alike.remove(partner)
                self._pair_nodes(node, partner)

    def _pair_backward(self) -> dict[int, tuple[Value, Value]]:
        """Pair the nodes after the differences. Return the tensors at which this stops: the other graph's with the own one."""
        makers = {
            id(value): (node, position)
            for graph in (self.graph, self.other)
            for node in graph.nodes
            for position, value in _iterate_outputs(node)
        }
        paired = set(map(id, self.nodes.values()))
        ends: dict[int, tuple[Value, Value]] = {}
        todo = list(zip(self.other.outputs, (self.graph.outputs[position] for position in self.way.results), strict=True))
        while todo:
            value, ours = todo.pop()
            if self.values.get(id(value)) is ours:
                continue
            node, position = makers.get(id(value), (None, 0))
            its, place = makers.get(id(ours), (None, 0))
            # The node has got a partner on the way forward.
            if id(its) in paired:
                its = None
            if its is not None and position == place and self._may_pair(node, its):
                assert node is not None
                self._pair_nodes(node, its)
                paired.add(id(its))
                todo += zip(node.inputs, its.inputs, strict=True)
                continue
            # A tensor of the other graph cannot stand for two of this one.
            if ends.setdefault(id(value), (value, ours))[1] is not ours:
                raise Different
            like = self._find_earlier_twin(its, place, value, makers) if its is not None and self.way.several else None
            if like is not None:
                todo.append((like, ours))
        return ends

    def _may_pair(self, node: Node | None, ours: Node) -> bool:
        return node is not None and id(node) not in self.nodes and self.key(node)[0] == self.key(ours)[0]

    def _find_earlier_twin(self, ours: Node, place: int, value: Value, makers: Mapping[int, tuple[Node, int]]) -> Value | None:
        """Find the nearest earlier tensor that is result `place` of a node like the own one. The region ends there.

        Without `place` it could be the tensor itself, as another part of the same `chunk`, and the search would never end.
        """
        waiting = [value]
        seen: set[int] = set()
        for candidate in waiting:
            node, position = makers.get(id(candidate), (None, 0))
            if node is None or id(node) in self.nodes or id(node) in seen:
                continue
            if position == place and self._may_pair(node, ours):
                return candidate
            seen.add(id(node))
            waiting += node.inputs
        return None

    def _check_regions(self, only_other: Sequence[Node], only_own: Sequence[Node]) -> None:
        """Raise `Different` unless the regions are the only differences, and smaller than the common part."""
        for nodes, regions in ((only_other, [r for r, _ in self.regions]), (only_own, [r for _, r in self.regions])):
            if sorted(id(node) for region in regions for node in region.nodes) != sorted(map(id, nodes)):
                raise Different
        # Both branches of an `if` are in the text, so their labels must differ.
        labels = [label for node in (*only_other, *only_own) for label in _list_labels(node)]
        if "_" in labels or len(set(labels)) < len(labels) or not all(map(_is_movable, (*only_other, *only_own))):
            raise Different
        # A region without the optional tensor would be a difference that `if given` does not explain.
        if not self.regions or any(self.extra not in region.inputs for region, _ in self.regions):
            raise Different
        # With more differences than common nodes, one block would be harder to read than two.
        if not self.nodes or (only_own and len(only_other) + len(only_own) > len(self.nodes)):
            raise Different

    def rewrite_graphs(self) -> tuple[Graph, Graph]:
        """Return both graphs with alternatives. Raises `Different` if a region's tensors are used elsewhere."""
        places: dict[int, tuple[Alternative, Alternative]] = {}
        nodes: list[Node] = []
        others: list[Node] = []
        for region, otherwise in self.regions:
            free = [value for value in region.inputs if value is not self.extra]
            present = region.make_graph(self.other, [self.extra, *free])
            absent = otherwise.make_graph(self.graph, otherwise.inputs)
            theirs = (self.extra, *free, *map(self._get_other_value, otherwise.inputs))
            own_inputs = (self.extra, *map(self._get_own_value, theirs[1:]))
            pair = Alternative(present, absent, own_inputs, False), Alternative(present, absent, theirs, True)
            if region.nodes:
                places[id(region.nodes[-1])] = pair
                continue
            # The optional tensor itself, `source = if given(states) { states } else { x }`, exists from the start.
            if not all(value in self.graph.inputs for value in otherwise.inputs):
                raise Different
            for alternative, rewritten in zip(pair, (nodes, others), strict=True):
                alternative.outputs = (self.instead,)
                rewritten.append(alternative)
        inside = {id(node) for region, _ in self.regions for node in region.nodes}
        for node in self.other.nodes:
            if id(node) in places:
                nodes.append(places[id(node)][0])
                others.append(places[id(node)][1])
            elif id(node) not in inside:
                its = self.nodes[id(node)]
                # A node that reads a region's result now reads the alternative's, which has its place.
                nodes.append(_replace_inputs(its, self._list_own_values(node.inputs, its.inputs)))
                others.append(_replace_inputs(node, self._replace_extra(node.inputs)))
        results = self._list_results()
        return (
            _replace_nodes(self.graph, [*self.graph.inputs, self.extra], nodes, self._list_own_values(results, self.graph.outputs)),
            _replace_nodes(self.other, self.inputs, others, self._replace_extra(results)),
        )

    def _list_results(self) -> list[Value]:
        """Return the other graph's tensors for all results of the graph. A result that only the graph returns is computed, or given, in
        both."""
        its = dict(zip(self.way.results, self.other.outputs, strict=True))
        return [its[index] if index in its else self._get_other_value(output) for index, output in enumerate(self.graph.outputs)]

    def _replace_extra(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """Return the tensors that a node of the other graph uses now."""
        return tuple(self.instead if value is self.extra else value for value in values)

    def _list_own_values(self, values: Sequence[Value], own_values: Sequence[Value]) -> tuple[Value, ...]:
        """Return the tensors that a node of the graph uses now, from its twin's tensors and its own."""
        for value, its in zip(values, own_values, strict=True):
            end = self.ends.get(id(value))
            if (end[1] if end is not None else self.values.get(id(value))) is not its:
                raise Different
        return tuple(map(self._get_own_value, values))

    def _get_own_value(self, value: Value) -> Value:
        """Return the own tensor for a tensor of the other graph. For the result of an alternative, the result itself."""
        if id(value) in self.ends:
            return self._replace_extra((value,))[0]
        if id(value) not in self.values:
            raise Different
        return self.values[id(value)]

    def _get_other_value(self, ours: Value) -> Value:
        """Return the other graph's tensor for an own one."""
        at_end = next((value for value, end in self.ends.values() if end is ours and id(ours) not in self.origins), None)
        if at_end is None and id(ours) not in self.origins:
            raise Different
        return self.origins[id(ours)] if at_end is None else at_end


def _iterate_outputs(node: Node) -> Iterable[tuple[int, Value]]:
    return enumerate(node.outputs)


def _find_reaching_nodes(value: Value, nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes that compute the tensor, in order."""
    wanted = {id(value)}
    reaching: list[Node] = []
    for node in reversed(nodes):
        if any(id(output) in wanted for output in node.outputs):
            reaching.append(node)
            wanted.update(map(id, node.inputs))
    return reaching[::-1]


def _is_plain(graph: Graph) -> bool:
    return graph.kind == "block" and not (graph.modules or graph.captures or graph.tuples or graph.tails) and graph.iteration is None


def _list_labels(node: Node) -> Iterable[str]:
    """Return the labels in the text. An iteration has none, but its nodes do."""
    if isinstance(node, CallNode) and node.graph.iteration is not None:
        return [label for inner in node.graph.nodes for label in _list_labels(inner)]
    label = get_label(node)
    return [] if label is None else [label]


def _is_movable(node: Node) -> bool:
    """Whether the node may be inside an `if`: it uses no stage from outside, and is no loop at run time."""
    if isinstance(node, OpNode):
        return node.shared is None and node.tie is None and not isinstance(node.op, ParameterOf)
    if node.graph.iteration is not None and not all(map(_is_movable, node.graph.nodes)):
        return False
    return node.shared is None and node.scan is None


def _replace_inputs(node: Node, inputs: tuple[Value, ...]) -> Node:
    new_node = copy(node)
    new_node.inputs = inputs
    return new_node


def _replace_nodes(graph: Graph, inputs: Sequence[Value], nodes: list[Node], outputs: Sequence[Value]) -> Graph:
    new_graph = copy(graph)
    new_graph.inputs, new_graph.nodes, new_graph.outputs = list(inputs), nodes, list(outputs)
    return new_graph
