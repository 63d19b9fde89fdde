"""Constructs graphs that need no class: sequences as a row of modules, repeats with several tensors as a list, branches likewise.

In: a graph of kind `block`, `sequence` or `branches` whose callees have their constructions. Out: its `Construction`, such as a row of
`Linear(4, 8), ReLU()`, or None if it must be a class. Always: linear in the number of nodes. The members' names in the state
dict are the labels of the nodes.

    >>> import netc
    >>> source = netc.compile("input 8 -> (dense 8 as 0 -> relu -> dense 2 as 2) as head").source()
    >>> [line.strip() for line in source.splitlines() if "head" in line]
    ['self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))', 'return self.head(input)']
"""

from __future__ import annotations

import re
from typing import Literal

from netc.dsl.record import Record

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_values import TupleSlice
from ....ops.regularization import Identity
from ..classes import choice_branches
from ..code.class_tree import ElementCode, NameCode, RepeatStar, SharedModuleArg, substitute_call_arguments
from ..code.framework import Framework
from ..code.python_expressions import CallCode, Code, Lit, MembersCall, Ref
from ..identifiers import are_consecutive, make_unique
from ..operator_calls import OperatorForms, freeze_module
from ..tensors import TensorCodes
from .chains import is_chain, is_loop, is_parallel
from .collecting_loops import CollectingLoop, match_collecting_loop

ELEMENT = "_"
"""The name of the element in `Construction.element_call`, until `forward` chooses a variable."""


class Construction(Record):
    """The construction and the call of a graph's module.

    `code` is the constructor's expression. A class or a sequential is called itself. For a list, `element_call` is the call of one
    element, in terms of the graph's inputs (`Ref`) and modules (`SharedModuleArg`). `passed` are further numbers that a call takes.
    `depth` is the nesting of the expression, `size` the number of constructors in it. `is_counted`: a loop's number of iterations may
    vary.
    """

    kind: Literal["class", "sequential", "list"]
    code: Code
    is_keyed: bool = False
    is_list: bool = False
    element_call: Code | None = None
    passed: tuple[Code, ...] = ()
    depth: int = 0
    size: int = 1
    is_counted: bool = False
    slots: tuple[tuple[int, ...], ...] = ()
    items: tuple[str, ...] = ()
    """For a loop that collects: see `Loop`."""


DEEPEST = 3
"""Sequences nested more deeply get classes of their own."""
LARGEST = 40
"""Sequences with more members that are used several times get classes, too."""
Constructions = dict[int, Construction]
"""By the id of the graph, or of an operator's node that has a class of its own."""


def _is_scan(node: Node) -> bool:
    return isinstance(node, CallNode) and node.scan is not None


class ContainerForms:
    """Builds the constructions of graphs that need no class from the constructions of the graphs that they call."""

    def __init__(self, constructions: Constructions, operators: OperatorForms, framework: Framework) -> None:
        self.constructions, self.operators, self.framework = constructions, operators, framework

    def build_construction(self, graph: Graph) -> Construction | None:
        # Declared modules, modes and scans need statements in a `forward`.
        if graph.declares or graph.has_modes or any(n.shared is not None or _is_scan(n) for n in graph.nodes):
            return None
        match graph.kind:
            case "block":
                return self._build_row(graph) if graph.nodes and are_positional(graph.nodes) else None
            case "sequence":
                return self._build_row(graph) or (self._build_loop(graph) if graph.nodes else None)
            case "branches":
                return self._build_list(graph) if graph.nodes and is_parallel(graph) else None
        return None

    def _build_row(self, graph: Graph) -> Construction | None:
        """Build a row of members that are called one after the other, each with one tensor."""
        codes = [self._build_standalone(node) for node in graph.nodes] if is_chain(graph) else [None]
        members = [code for code in codes if code is not None]
        if len(members) < len(codes):
            return None
        nodes = self._trim_idle(graph.nodes)
        members = members[: len(nodes)]
        depth, size = self._measure_extent(graph)
        if graph.choices and are_positional(nodes):
            return Construction(
                "sequential",
                MembersCall(self.framework.containers.row, choice_branches.make_sequence_items(graph, members)),
                depth=depth,
                size=size,
            )
        if are_positional(nodes):
            row = MembersCall(self.framework.containers.row, merge_runs(members, nodes, graph.count))
            return Construction("sequential", row, depth=depth, size=size, is_counted=True)
        # Members whose labels are no positions need a row with names, such as a state dict's `features.conv0.weight`.
        labels = _make_keys(nodes)
        if not all(map(self.framework.is_key, labels)):
            return None
        return Construction("sequential", self.framework.containers.named(list(zip(labels, members, strict=True))), depth=depth, size=size)

    def _trim_idle(self, nodes: list[Node]) -> list[Node]:
        """Remove members at the end that do nothing, whatever the uses of the block are."""
        count = len(nodes)
        # An identity between others keeps its place: the keys of the members after it are their positions.
        while count > 1 and self._is_idle(nodes[count - 1]):
            count -= 1
        return nodes[:count]

    def _is_idle(self, node: Node) -> bool:
        return isinstance(node, OpNode) and type(node.op) is Identity and not self.operators.stages.is_varying(node)

    def _build_standalone(self, node: Node) -> Code | None:
        """Build the module of a node that only needs to be called with one tensor."""
        if isinstance(node, CallNode):
            construction = self.constructions[id(node.graph)]
            # A row calls its members with one tensor, so none of them may take sizes or shared modules.
            return None if construction.passed or node.modules else self._build_module(node)
        return self.constructions[id(node)].code if id(node) in self.constructions else self._build_module(node)

    def _build_module(self, node: Node) -> Code | None:
        """Build the module of a node, or return None if it has no module."""
        if isinstance(node, OpNode):
            return self.operators.build_standalone_module(node) if node.tie is None else None
        construction = self.constructions[id(node.graph)]
        return freeze_module(node, substitute_call_arguments(construction.code, node.arguments)) if construction.kind != "list" else None

    def _measure_extent(self, graph: Graph) -> tuple[int, int]:
        """Measure the depth and the size of the expression for all members. Equal members in a row count once."""
        depth, size = 1, 0
        before: Graph | None = None
        for node in graph.nodes:
            if isinstance(node, CallNode):
                # Equal members in a row become one repeat, which is written once.
                if node.graph is not before:
                    construction = self.constructions[id(node.graph)]
                    depth, size = max(depth, construction.depth + 1), size + construction.size
                before = node.graph
            else:
                size += 1
        return depth, size

    def _build_loop(self, graph: Graph) -> Construction | None:
        form = None if is_loop(graph) else match_collecting_loop(graph)
        return self._build_list(graph, form) if form is not None or is_loop(graph) else None

    def _build_list(self, graph: Graph, form: CollectingLoop | None = None) -> Construction | None:
        """Build a list of members that `forward` calls, all in the same way."""
        codes = [self._build_module(node) for node in graph.nodes]
        members = [code for code in codes if code is not None]
        # The keys of a list are positions, which the labels must equal.
        if len(members) < len(codes) or not are_consecutive(n.label for n in graph.nodes):
            return None
        depth, size = self._measure_extent(graph)
        # Calls of one graph are alike, so its first node stands for all of them.
        distinct = {id(node.graph) if isinstance(node, CallNode) else id(node): node for node in reversed(graph.nodes)}
        calls = {self._make_element_call(node, graph, form) for node in distinct.values()}
        # `forward` writes one call for all elements, so all of them must be called alike.
        if len(calls) != 1 or depth > DEEPEST:
            return None
        code = self.framework.containers.listed(merge_runs(members, graph.nodes, graph.count))
        slots, items = (form.slots, form.items) if form is not None else ((), ())
        return Construction("list", code, element_call=calls.pop(), depth=depth, size=size, is_counted=True, slots=slots, items=items)

    def _make_element_call(self, node: Node, graph: Graph, form: CollectingLoop | None) -> Code:
        """Make the call of one element, with the first node's inputs in place of the previous node's results."""
        first = graph.nodes[0]
        tensors = TensorCodes(Ref)
        for item in graph.grouped_inputs:
            tensors.add_tensor(item)
        args = list(tensors.list_call_inputs(first)) if isinstance(first, CallNode) else [tensors.get_code(v) for v in first.inputs]
        for position, (variable, of) in form.elements.items() if form is not None else ():
            args[position] = ElementCode(variable, tensors.get_tuple_code((TupleSlice(of),)))
        if isinstance(node, CallNode):
            order = {id(m): i for i, m in enumerate(graph.modules)}
            args += [SharedModuleArg(order[id(m)]) for m in node.modules]
            args += [substitute_call_arguments(code, node.arguments) for code in self.constructions[id(node.graph)].passed]
        return CallCode(NameCode(ELEMENT), tuple(args))


# --- members -----------------------------------------------------------------------------------------------------------------


def are_positional(nodes: list[Node]) -> bool:
    """Whether members without keys of their own get the right ones: each member with parameters has its position as its label."""
    # A member without parameters leaves no key, so its label does not matter.
    fitting = all(n.label == str(i) or _is_free(n) for i, n in enumerate(nodes))
    return fitting and (not nodes or any(n.label.isdigit() for n in nodes))


def _is_free(node: Node) -> bool:
    """Whether the member may have any key, because the state dict has nothing of it."""
    return isinstance(node, OpNode) and not node.specs


def _make_keys(nodes: list[Node]) -> list[str]:
    """Make the keys: the labels, except that a member with a number and no parameters is named after its operator and the number of the
    previous member."""
    labels = {n.label for n in nodes}
    keys: list[str] = []
    for node in nodes:
        label = node.label
        if isinstance(node, OpNode) and _is_free(node) and label.isdigit():
            before = re.search(r"(?<=\D)\d*$", keys[-1]) if keys else None
            label = make_unique(node.op.name + (before.group() if before else ""), labels)
            labels.add(label)
        keys.append(label)
    return keys


def merge_runs(codes: list[Code], nodes: list[Node], count: int | None = None) -> tuple[Code, ...]:
    """Merge equal members in a row into one `RepeatStar`. The first is written on its own, and a single one is followed by an empty
    repeat, so that stages of the same block differ in fewer ways. With a `count`, the members belong to a loop, and all but the first are
    equal."""
    if not codes:
        return ()
    items = [codes[0]]
    if count is not None:
        return (codes[0], RepeatStar(codes[-1], Lit(count - 1)))
    # So a stage with one block has the same shape as a stage with several, and both can be one class.
    if len(codes) == 1 and isinstance(nodes[0], CallNode):
        items.append(RepeatStar(codes[0], Lit(0)))
    start = 1
    while start < len(codes):
        end = start + 1
        while end < len(codes) and (codes[end] is codes[start] or codes[end] == codes[start]):
            end += 1
        many = end - start > 1 or isinstance(nodes[start], CallNode)
        items.append(RepeatStar(codes[start], Lit(end - start)) if many else codes[start])
        start = end
    return tuple(items)
