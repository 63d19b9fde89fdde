"""Check the invariants of graph.py. Tests check every graph that they make; a failure is a mistake in the compiler.

In: a `Program`. Out: nothing, or `GraphInvalid`. Always: takes time in proportion to the distinct graphs and their nodes, not to the number
of calls.

    >>> import netc
    >>> program = netc.compile("input 3 -> relu -> exp").program
    >>> verify_program(program)
    >>> program.main.nodes.reverse()
    >>> verify_program(program)
    Traceback (most recent call last):
    netc.compiler.ir.verify.GraphInvalid: <graph net: 2 nodes>: exp (exp1) takes <value: [N, 3]>, which is not made before it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from ..dims import evaluate_dim
from ..types.tensor_types import TensorType
from ..types.traced_ints import TracedInt, is_opaque, names_in
from .graph import CallNode, Graph, Node, OpNode, Program, Scan
from .graph_values import Value, ValueTuple, flatten_parts
from .substitute_symbols import symbolic_numbers
from .walk import collect_symbol_values


class GraphInvalid(AssertionError):
    """The graph breaks a rule; the text names the rule and the node."""


def verify_program(program: Program) -> None:
    """Raise `GraphInvalid` if the program breaks any rule of graph.py."""
    main = program.main
    # There is no graph around the main one from which they could come.
    if main.captures or main.modules:
        raise GraphInvalid(f"{main}: the main graph takes something from outside")
    for graph in _sort_graphs(main):
        _GraphChecker(graph).check_graph()


def _sort_graphs(main: Graph) -> list[Graph]:
    """Sort the graphs, called graphs before their callers. A graph that calls itself is invalid."""
    done: dict[int, Graph] = {}
    active: set[int] = set()
    stack: list[tuple[Graph, bool]] = [(main, False)]
    while stack:
        graph, ready = stack.pop()
        if ready:
            active.discard(id(graph))
            done[id(graph)] = graph
            continue
        # `collect_graphs` would skip a graph that it is in the middle of, so the circle would pass unseen.
        if id(graph) in active:
            raise GraphInvalid(f"{graph} calls itself")
        if id(graph) in done:
            continue
        active.add(id(graph))
        stack.append((graph, True))
        called = {id(n.graph): n.graph for n in graph.nodes if isinstance(n, CallNode)}
        stack += [(g, False) for g in called.values() if id(g) not in done]
    return list(done.values())


class _GraphChecker:
    """One graph, its nodes in order."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.available: set[int] = set()
        self.labels: dict[str, Node] = {}
        self.modules = {id(m) for m in (*graph.modules, *graph.declares)}
        self.size = 0

    def check_graph(self) -> None:
        graph = self.graph
        if not 0 <= graph.captures <= len(graph.inputs):
            self._fail("more inputs are captured than there are")
        for value in graph.inputs:
            self._define_value(value, "an input")
        values = collect_symbol_values(graph)
        # The writer of Python once took 0 for a symbol without a value.
        for name in {name for value in symbolic_numbers(graph) for name in names_in(value)} - values.keys():
            self._fail(f"a number in it is computed from {name}, which is no symbol of it or of the graphs around it")
        for value in (*graph.inputs, *(v for n in graph.nodes for v in n.outputs)):
            self._check_formulas(value, values)
        for node in graph.nodes:
            self._check_node(node)
        for value in (*graph.outputs, *(graph.training_outputs or ())):
            if id(value) not in self.available:
                self._fail(f"the output {value} is not made in it")
        self._check_tuples(graph.inputs, graph.tuples, "the inputs")
        if tuple(v for tail in graph.tails for v in flatten_parts(tail.parts)) != tuple(graph.outputs[len(graph.single_outputs) :]):
            self._fail("its outputs do not end with the tuples that it returns")
        names = graph.output_names
        if len(names) not in (0, len(graph.outputs)):
            self._fail(f"{len(names)} names for {len(graph.outputs)} outputs")
        # The limit of operators is checked by this number alone, without walking the calls.
        if graph.size != self.size:
            self._fail(f"its size is {self.size}, not {graph.size}")

    def _check_formulas(self, value: Value, values: Mapping[str, int]) -> None:
        """Check that the formula of each size has the value of the size."""
        for size in value.type.shape:
            if isinstance(size, TracedInt) and not is_opaque(size.origin):
                value_of_formula = evaluate_dim(size.origin, values)
                if value_of_formula != size:
                    self._fail(f"{value} has a size {int(size)} whose formula {size.origin} is {value_of_formula}")

    def _fail(self, text: str) -> NoReturn:
        raise GraphInvalid(f"{self.graph}: {text}")

    def _check_tuples(self, values: Sequence[Value], tuples: Sequence[ValueTuple], what: str) -> None:
        """Check that each tuple is at its place among the values, in order and without overlaps."""
        end = 0
        for value_tuple in tuples:
            if value_tuple.at < end or tuple(values[value_tuple.at : value_tuple.at + len(value_tuple.values)]) != value_tuple.values:
                self._fail(f"{value_tuple} is not part of {what}")
            end = value_tuple.at + len(value_tuple.values)

    def _define_value(self, value: Value, where: str) -> None:
        if id(value) in self.available:
            self._fail(f"{value} is made twice, the second time by {where}")
        self.available.add(id(value))

    def _check_node(self, node: Node) -> None:
        name = _describe_node(node)
        for value in node.inputs:
            if id(value) not in self.available:
                self._fail(f"{name} takes {value}, which is not made before it")
        for value in node.outputs:
            self._define_value(value, name)
        self._check_label(node, name)
        if isinstance(node, OpNode):
            self._check_operator(node, name)
        else:
            self._check_call(node, name)

    def _check_label(self, node: Node, name: str) -> None:
        if node.shared is not None:
            if id(node.shared) not in self.modules:
                self._fail(f"{name} uses a shared stage that is not known here")
            return
        # Without a label: the call of a step of a `scan`, whose labels are the labels of the graph around it.
        if node.label:
            if node.label in self.labels:
                self._fail(f"two nodes have the label {node.label}")
            self.labels[node.label] = node

    def _check_operator(self, node: OpNode, name: str) -> None:
        self.size += 1
        if not node.outputs:
            self._fail(f"{name} has no result")
        if node.parts and flatten_parts(node.parts) != node.inputs:
            self._fail(f"{name} takes other tensors than its tuples have")
        least, most = type(node.op).arity()
        count = len(node.inputs)
        if count < least or (most is not None and count > most):
            self._fail(f"{name} takes {count} tensors")
        names = [spec.name for spec in node.specs]
        if len(set(names)) != len(names):
            self._fail(f"{name} has two parameters of one name")
        if node.tie is not None and node.tie.name not in names:
            self._fail(f"{name} ties {node.tie.name}, which it does not have")

    def _check_call(self, node: CallNode, name: str) -> None:
        graph = node.graph
        self.size += graph.size
        inputs, outputs = [v.type for v in node.inputs], [v.type for v in graph.outputs]
        if node.scan is not None:
            inputs, outputs = self._check_scan(node, node.scan, name)
        self._check_types(name, "inputs", inputs, [v.type for v in graph.inputs])
        self._check_types(name, "outputs", [v.type for v in node.outputs], outputs)
        self._check_tuples(node.outputs, node.tails, f"the results of {name}")
        if [len(tail_.values) for tail_ in node.tails] != [len(flatten_parts(tail.parts)) for tail in graph.tails]:
            self._fail(f"{name} has other tuples of results than its graph")
        if node.tails and node.tails[0].at != len(graph.single_outputs):
            self._fail(f"{name} has other tuples of results than its graph")
        if [flatten_parts(parts) for parts in node.tuples] != [node.inputs[t.at : t.at + len(t.values)] for t in graph.tuples]:
            self._fail(f"{name} passes other tuples than its graph takes")
        if len(node.modules) != len(graph.modules):
            self._fail(f"{name} passes {len(node.modules)} shared stages")
        for module in node.modules:
            if id(module) not in self.modules:
                self._fail(f"{name} passes the shared stage {module.label}, which is not known here")

    def _check_scan(self, node: CallNode, scan: Scan, name: str) -> tuple[list[TensorType], list[TensorType]]:
        """Return the types of the inputs of a step, and of the outputs of the call if the outputs of a step are stacked."""
        input_types, step_types = [v.type for v in node.inputs], [v.type for v in node.graph.outputs]
        if len(input_types) != scan.own_count + node.graph.captures or len(step_types) != scan.states + len(scan.stacked):
            self._fail(f"{name} has another number of states or tensors than its graph")
        states = zip(input_types[: scan.states], step_types, strict=False)
        if any((before.dtype, before.rank) != (after.dtype, after.rank) for before, after in states):
            self._fail(f"{name} changes the type of a state")
        return scan.step_input_types(input_types), [*input_types[: scan.states], *scan.output_types(step_types)[scan.states :]]

    def _check_types(self, name: str, what: str, outer: Sequence[TensorType], inner: Sequence[TensorType]) -> None:
        if len(outer) != len(inner):
            self._fail(f"{name} has {len(outer)} {what}, its graph {len(inner)}")
        for a, b in zip(outer, inner, strict=True):
            # Identity first: the types of a deep model are mostly the same objects.
            if a is not b and a != b:
                self._fail(f"{name} has {a} among its {what} where its graph has {b}")


def _describe_node(node: Node) -> str:
    what = node.op.name if isinstance(node, OpNode) else node.graph.name
    return f"{what} ({node.label})" if node.label else what
