"""Writes a loop over time as a `scan`: a call of one step that runs for each position.

In: a graph, its nodes, and a loop among them. Out: the nodes with a `scan` in place of the steps, and the shared modules that the graph
still declares. Always: readers of a step's result keep their `Value`, which becomes a position of the stacked results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dims import Facts
from ...ir.graph import CallNode, Graph, Node, OpNode, Scan, SharedModule
from ...ir.graph_values import Value
from ...ops.constants import TableOperator
from ...ops.formula import Const
from ...ops.parameter_of import ParameterOf
from ...ops.recurrent_cell import RecurrentCell
from ...ops.shape import Squeeze
from ..graph_builder import GraphBuilder, ImportRefused
from .dead_code import drop_nodes
from .step_results import Place, StepResults
from .step_roles import Element, Outer, Role, SameStep, State, TimeLoop

_START_NAMES = "zeros", "start"
"""The names of tables with start values: zeros, and others."""


def replace_loop(graph: Graph, nodes: Sequence[Node], loop: TimeLoop, facts: Facts) -> tuple[list[Node], list[SharedModule]] | None:
    """Return the new nodes and the modules that the graph still declares, or None if the loop cannot be written as a `scan`."""
    try:
        return _ScanBuilder(graph, nodes, loop, facts).build_scan()
    except ImportRefused:
        return None


class _ScanBuilder:
    def __init__(self, graph: Graph, nodes: Sequence[Node], loop: TimeLoop, facts: Facts) -> None:
        self.graph, self.nodes, self.loop = graph, nodes, loop
        self.outer = GraphBuilder(graph.name, "block", facts, graph.span)
        self.inner = GraphBuilder("scan", "scan", facts, graph.span)
        self.inner.graph.around = graph
        self.makers = {id(value): node for node in nodes for value in node.outputs}
        self.starts: list[OpNode] = []
        """Tables with start values of states."""
        self.results = StepResults(graph, nodes, loop)
        self.elements = sorted(loop.elements, key=lambda element: -self.results.list_collected_axes().count(element.axis))
        """The elements. The first one has the axis along which most results are stacked."""
        self.reverse = self.elements[0].reverse
        self.axis = self.elements[0].axis
        self.local_modules = self._find_local_modules()

    def build_scan(self) -> tuple[list[Node], list[SharedModule]]:
        """Build the scan, and return the new nodes and the modules that the graph still declares."""
        call, results = self._build_call(), self.results
        self.outer.graph.nodes.append(call)
        states = len(self.loop.states)
        stacked = [
            results.find_stacked_output(place, self.axis) or value
            for place, value in zip(results.stacked, call.outputs[states:], strict=True)
        ]
        call.outputs = (*map(results.find_last_state, self.loop.states, call.outputs[:states]), *stacked)
        replacements: dict[int, list[Node]] = {}
        for place, value in zip(results.stacked, stacked, strict=True):
            results.select_positions(place, value, self.axis, self.outer)
            replacements |= results.rearrange_collections(place, value, self.axis, self.outer.facts)
        inside = [index for index, node in enumerate(self.nodes) if id(node) in results.steps]
        first, end = inside[0], inside[-1] + 1
        between = [node for node in self.nodes[first:end] if id(node) not in results.steps]
        after = [part for node in self.nodes[end:] for part in replacements.get(id(node), [node])]
        declares = [module for module in self.graph.declares if id(module) not in self.local_modules]
        # Nodes between the steps go first, because the loop may read their results.
        return [*self.starts, *self.nodes[:first], *between, *self.outer.graph.nodes, *after], declares

    # --- shared modules --------------------------------------------------------------------------------------------------

    def _find_local_modules(self) -> set[int]:
        """Return the ids of the modules that only one node of each step uses: they become stages of the step."""
        template = [node for k, node in enumerate(self.loop.template) if k not in self.loop.selections]
        uses = [node.shared for node in self.nodes if node.shared is not None]
        passed = {id(module) for node in self.nodes if isinstance(node, CallNode) for module in node.modules}
        read = [node.op.path for node in self.nodes if isinstance(node, OpNode) and isinstance(node.op, ParameterOf)]
        result: set[int] = set()
        for module in self.graph.declares:
            inside = sum(node.shared is module for node in template)
            everywhere = sum(used_module is module for used_module in uses)
            steps = sum(node is not None and node.shared is module for step in self.loop.steps for node in step)
            is_read = any(path == module.label or path.startswith(f"{module.label}.") for path in read)
            if inside == 1 and everywhere == steps and id(module) not in passed and not is_read:
                result.add(id(module))
        return result

    # --- the step --------------------------------------------------------------------------------------------------------

    def _build_call(self) -> CallNode:
        """Build the step, and the call that runs it for all positions."""
        loop, inner = self.loop, self.inner
        template = loop.template
        states = {(state.node, state.output): inner.add_input(state.start.type, self._choose_state_name(state)) for state in loop.states}
        elements = {
            element: inner.add_input(self._get_element_type(element), self._choose_element_name(element)) for element in self.elements
        }
        scanned = [self._slice_scanned_tensor(element) for element in self.elements]
        outer_values: dict[int, tuple[Value, Value]] = {}
        results: dict[Place, Value] = {}

        def tensor(role: Role) -> Value:
            match role:
                case State(node, output):
                    return states[node, output]
                case SameStep(node, output):
                    return results[node, output]
                case Element():
                    return element_values[role]
                case Outer(value):
                    return outer_values.setdefault(id(value), (value, Value(value.type, value.span, value.name)))[1]

        element_values = {
            element: inner.apply_op("unsqueeze", value, axis=element.axis) if element.kept else value for element, value in elements.items()
        }
        for number, (node, roles) in enumerate(zip(template, loop.roles, strict=True)):
            selected = loop.selections.get(number)
            if selected is not None or (selected := self._find_squeezed(node, roles)) is not None:
                results[number, 0] = element_values[selected] if number in loop.selections else elements[selected]
                continue
            copy = self._copy_node(node, tuple(map(tensor, roles)))
            inner.graph.nodes.append(copy)
            results |= {(number, output_index): value for output_index, value in enumerate(copy.outputs)}
        captured = list(outer_values.values())
        inner.graph.inputs += [value for _, value in captured]
        inner.graph.captures = len(captured)
        self._close_body([results[place] for place in (*states, *self.results.stacked)])
        # The `unsqueeze` of an element that every reader squeezes again is dead.
        drop_nodes(inner.graph)
        for place, value in states.items():
            results[place].name = value.name or results[place].name
        return self._make_scan_call((*scanned, *(value for value, _ in captured)))

    def _make_scan_call(self, inputs: Sequence[Value]) -> CallNode:
        """Make the call of the step. `inputs` are the scanned and the captured tensors."""
        states, body, span = self.loop.states, self.inner.graph, self.graph.span
        axes = tuple(element.axis for element in self.elements)
        scan = Scan(len(states), axes, (self.axis,) * len(self.results.stacked), self.loop.count, self.reverse)
        types = [*(state.start.type for state in states), *scan.output_types([value.type for value in body.outputs])[len(states) :]]
        outputs = tuple(Value(type_, span) for type_ in types)
        starts = [self._share_start_table(state.start) for state in states]
        return CallNode(body, (*starts, *inputs), outputs, "", span, tuple(body.modules), scan=scan)

    def _choose_state_name(self, state: State) -> str:
        """Choose the name of the state's start value, if no other state has it, or else its name inside of the loop."""
        if state.start.name and sum(other.start.name == state.start.name for other in self.loop.states) == 1:
            return state.start.name
        node = self.loop.template[state.node]
        name = node.outputs[state.output].name
        if isinstance(node, CallNode):
            return name or node.graph.outputs[state.output].name or "state"
        return name or (("h", "c")[state.output] if isinstance(node.op, RecurrentCell) else "state")

    def _choose_element_name(self, element: Element) -> str:
        """Choose the name of the variable that gets the position, or else the name of the whole tensor with `_t`."""
        taking = {number for number, selected in self.loop.selections.items() if selected == element}
        value_names = {k: value.name for k, node in enumerate(self.loop.template) for value in node.outputs if value.name}
        # In `x = a[:, t] * x`, the position is an intermediate value of x, so x names the product, not the position.
        others = {name for k, name in value_names.items() if k not in taking}
        name = next((value_names[k] for k in sorted(taking) if value_names.get(k, "") not in ("", *others)), "")
        return name or f"{element.whole.name or 'x'}_t"

    def _share_start_table(self, value: Value) -> Value:
        """Return the start value of a state. Equal tables become one table with a general name, because several states may start with
        it."""
        maker = self.makers.get(id(value))
        if not isinstance(maker, OpNode) or not isinstance(maker.op, TableOperator) or maker.label or maker.op.args["labeled"]:
            return value
        start_tables = [node for node in (*self.nodes, *self.starts) if isinstance(node, OpNode) and node.outputs[0].name in _START_NAMES]
        alike = next((node for node in start_tables if type(node.op) is type(maker.op) and repr(node.op.args) == repr(maker.op.args)), None)
        if alike is None:
            name = _START_NAMES[maker.op.formula not in (Const(0), Const(0.0))]
            alike = OpNode(maker.op, (), (Value(value.type, value.span, name),), "", maker.span, maker.specs)
            self.starts.append(alike)
        return alike.outputs[0]

    def _find_squeezed(self, node: Node, roles: Sequence[Role]) -> Element | None:
        """Return the element whose kept axis a `squeeze` removes, or None for other nodes."""
        if not isinstance(node, OpNode) or not isinstance(node.op, Squeeze) or not node.op.args["axis"]:
            return None
        element = self.loop.selections.get(roles[0].node) if isinstance(roles[0], SameStep) else roles[0]
        axes = {axis % node.inputs[0].type.rank for axis in node.op.args["axis"]}
        return element if isinstance(element, Element) and element.kept and axes == {element.axis} else None

    def _get_element_type(self, element: Element) -> Any:
        type_ = element.whole.type
        return type_.with_shape((*type_.shape[: element.axis], *type_.shape[element.axis + 1 :]))

    def _slice_scanned_tensor(self, element: Element) -> Value:
        """Return the tensor with one position for each step: a slice, if the loop does not cover the whole axis."""
        start = element.first - self.loop.count + 1 if element.reverse else element.first
        stop = start + self.loop.count
        if (start, stop) == (0, element.whole.type.shape[element.axis]):
            return element.whole
        return self.outer.apply_op("slice", element.whole, axis=element.axis, start=start, stop=stop)

    def _copy_node(self, node: Node, inputs: tuple[Value, ...]) -> Node:
        """Copy a node into the step. A module that only the loop uses is a stage there."""
        shared = None if id(node.shared) in self.local_modules else node.shared
        label = node.label if node.shared is None or shared is not None else node.shared.label
        if shared is not None and shared not in self.inner.graph.modules:
            self.inner.graph.modules.append(shared)
        outputs = tuple(Value(value.type, value.span, value.name) for value in node.outputs)
        if isinstance(node, OpNode):
            return OpNode(node.op, inputs, outputs, label, node.span, node.specs, None, shared, frozen=node.frozen)
        return CallNode(node.graph, inputs, outputs, label, node.span, (), shared, node.arguments, frozen=node.frozen)

    def _close_body(self, outputs: Sequence[Value]) -> None:
        """Set the results of the step. A result that no node of the step makes gets an `identity`, because a graph's output must have a
        node."""
        graph = self.inner.graph
        local_values = {id(v) for node in graph.nodes for v in node.outputs}
        graph.outputs = [value if id(value) in local_values else self.inner.apply_op("identity", value) for value in outputs]
        if any(value.type.rank < self.axis for value in graph.outputs[len(self.loop.states) :]):
            raise ImportRefused("a step gives a tensor with fewer axes than the one that is stacked")
        graph.size = len(graph.nodes)
