"""Replace the gradients of a program by the stages that compute them.

In: a program. Out: a program with the same inputs, outputs and parameters, without `gradient`. Always: `NoClosedForm` names the first stage
without a rule on the way from a tensor to the tensor that it is differentiated by.

    >>> import netc
    >>> program = netc.compile("x = input 3; y = x -> sin; out gradient(y, x)").program
    >>> [node.op.name for node in expand_gradients(program).main.nodes]
    ['sin', 'table', 'expand', 'cos', 'mul']
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netc.dsl.source import Span

from ..definitions import Definitions
from ..definitions.expand_definitions import has_definition_for, make_call
from ..ir.copy_graph import copy_graphs
from ..ir.differentiated_values import has_gradients
from ..ir.graph import CallNode, Graph, Node, OpNode, Program
from ..ir.graph_values import Value
from ..ir.inline_calls import can_inline, inline_call
from ..ir.replace_values import replace_values
from ..ir.walk import collect_graphs, find_needed_nodes
from ..ops.differentiation import Gradient
from ..ops.parameter_of import ParameterOf
from .graph_stages import GraphStages
from .product_rules import RULES, is_constant


class NoClosedForm(Exception):
    """A stage through which no rule leads a gradient. `str()` says which, as a clause."""

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(reason)
        self.span = span


def expand_gradients(program: Program) -> Program:
    """Write the gradients out. Raises `NoClosedForm`."""
    if not has_gradients(program.main):
        return program
    main = copy_graphs(program.main)[-1]
    _inline_calls(main)
    expander = _GradientExpander(program, main)
    _drop_unneeded(main)
    while (node := next((n for n in main.nodes if isinstance(n, OpNode) and isinstance(n.op, Gradient)), None)) is not None:
        expander.expand_gradient(node)
    main.size = sum(node.graph.size if isinstance(node, CallNode) else 1 for node in main.nodes)
    return Program(main, program.facts, program.symbols, program.conditions, program.dims)


def _drop_unneeded(main: Graph) -> None:
    """Drop the nodes that no output needs: the gradients of a loss are among them, which no rule has to cover."""
    paths = [node.op.path for node in main.nodes if isinstance(node, OpNode) and isinstance(node.op, ParameterOf)]
    owners = [node for node in main.nodes if any(path == node.label or path.startswith(f"{node.label}.") for path in paths)]
    main.nodes = list(find_needed_nodes(main.nodes, [*main.outputs, *(value for node in owners for value in node.outputs)]))


def _inline_calls(main: Graph) -> None:
    """Inline the calls, so that one graph has all stages between two tensors."""
    while (call := next((n for n in main.nodes if isinstance(n, CallNode) and can_inline(n)), None)) is not None:
        inline_call(main, call)
    for call in (node for node in main.nodes if isinstance(node, CallNode)):
        inside = (node for graph in collect_graphs(call.graph) for node in graph.nodes if isinstance(node, OpNode))
        lost = next((node for node in inside if isinstance(node.op, Gradient)), None)
        if lost is not None:
            raise NoClosedForm("a gradient within a loop or a shared stage has no closed form", lost.span)


class _GradientExpander:
    def __init__(self, program: Program, main: Graph) -> None:
        self.program, self.main = program, main
        self.definitions = Definitions(program.facts)
        self.count = 0

    def expand_gradient(self, node: OpNode) -> None:
        """Replace one node by the stages of the backward pass."""
        y, x = node.inputs
        self._expand_definitions(y, x)
        place = next(i for i, other in enumerate(self.main.nodes) if other is node)
        before = self.main.nodes[:place]
        self.count += 1
        stages = GraphStages(self.program.facts, node.span, f"{node.label}_{self.count}")
        result = self._run_backwards(before, y, x, stages)
        self.main.nodes[place : place + 1] = stages.nodes
        replace_values(self.main, {id(node.outputs[0]): result})

    def _expand_definitions(self, y: Value, x: Value) -> None:
        """Replace the operators without a rule between two tensors by their definitions."""
        while True:
            on_path = self._find_path(self.main.nodes, y, x)
            found = next((n for n in on_path if isinstance(n, OpNode) and n.op.name not in RULES and not is_constant(n.op.name)), None)
            if found is None:
                return
            if not has_definition_for(found.op, found.inputs, self.program.facts) or found.specs:
                raise NoClosedForm(f"netc knows no derivative of `{found.op.name}`", found.span)
            call = make_call(found, self.definitions.get_definition(found))
            index = next(i for i, node in enumerate(self.main.nodes) if node is found)
            self.main.nodes[index] = call
            if not can_inline(call):
                raise NoClosedForm(f"netc knows no derivative of `{found.op.name}`", found.span)
            inline_call(self.main, call)

    def _find_path(self, nodes: Sequence[Node], y: Value, x: Value) -> list[Node]:
        """Find the nodes that compute `y` from `x`, in order."""
        dependent = {id(x)}
        for node in nodes:
            constant = isinstance(node, OpNode) and is_constant(node.op.name)
            if not constant and any(id(value) in dependent for value in node.inputs):
                dependent.update(id(value) for value in node.outputs)
        needed, path = {id(y)}, list[Node]()
        for node in reversed(nodes):
            if any(id(value) in needed and id(value) in dependent and value is not x for value in node.outputs):
                path.append(node)
                needed.update(id(value) for value in node.inputs)
        return path[::-1]

    def _run_backwards(self, before: Sequence[Node], y: Value, x: Value, stages: GraphStages) -> Value:
        path = self._find_path(before, y, x)
        wanted = {id(x), *(id(value) for node in path for value in node.outputs)}
        gradients = {id(y): stages.fill_like(y, 1.0)}
        for node in reversed(path):
            if not isinstance(node, OpNode):
                raise NoClosedForm("a loop or a shared stage has no derivative in closed form", node.span)
            gradient = gradients.get(id(node.outputs[0]))
            if gradient is None:
                continue
            by_input = RULES[node.op.name](stages, node, gradient)
            for index in _list_wanted(node, wanted):
                if index not in by_input:
                    raise NoClosedForm(f"netc knows no derivative of `{node.op.name}` with these inputs", node.span)
                value, new = node.inputs[index], by_input[index]
                if new is None:
                    continue
                gradients[id(value)] = stages.apply("add", gradients[id(value)], new) if id(value) in gradients else new
        return gradients.get(id(x)) or stages.fill_like(x, 0.0)


def _list_wanted(node: OpNode, wanted: Iterable[int]) -> list[int]:
    wanted = set(wanted)
    return [index for index, value in enumerate(node.inputs) if id(value) in wanted]
