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

from ..definitions import Definitions, WrongDefinition
from ..definitions.expand_definitions import has_definition_for, make_call
from ..ir.copy_graph import copy_graphs
from ..ir.differentiated_values import has_gradients
from ..ir.graph import CallNode, Graph, Node, OpNode, Program
from ..ir.graph_values import Value
from ..ir.inline_calls import can_inline, inline_call
from ..ir.replace_values import replace_values
from ..ir.walk import collect_graphs, find_needed_nodes
from ..ops.differentiation import Gradient
from ..ops.operator import OperatorError
from ..ops.parameter_of import ParameterOf
from .differentiable_forms import find_form
from .graph_stages import GraphStages
from .missing_derivatives import explain_missing
from .product_rules import CONSTANT, JOINT_RULES, RULES
from .rule_parts import Gradients


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
        """Replace the stages without a rule between two tensors by others that have one."""
        while (node := next(filter(self._has_no_rule, self._find_path(self.main.nodes, y, x)), None)) is not None:
            call = node if isinstance(node, CallNode) else self._make_definition_call(node)
            if not can_inline(call):
                stage = "a loop" if call.scan is not None else "a shared stage"
                raise NoClosedForm(f"{stage} has no derivative in closed form", node.span)
            index = next(i for i, other in enumerate(self.main.nodes) if other is node)
            self.main.nodes[index] = call
            inline_call(self.main, call)

    def _has_no_rule(self, node: Node) -> bool:
        if isinstance(node, CallNode):
            return True
        return bool(find_form(node)) or (node.op.name not in RULES and node.op.name not in JOINT_RULES)

    def _make_definition_call(self, node: OpNode) -> CallNode:
        text = find_form(node)
        if not text and not has_definition_for(node.op, node.inputs, self.program.facts):
            raise NoClosedForm(explain_missing(node.op.name), node.span)
        if node.shared is not None or node.tie is not None:
            # The definition reads the parameters of another stage.
            raise NoClosedForm(f"netc knows no derivative of `{node.op.name}` with parameters of another stage", node.span)
        try:
            definition = self.definitions.get_definition(node, text)
        except WrongDefinition:
            if not text:
                raise
            # A form may need to know more about the inputs than the operator itself.
            raise NoClosedForm(explain_missing(node.op.name, has_rule=True), node.span) from None
        calls = (inner for graph in collect_graphs(definition) for inner in graph.nodes if isinstance(inner, CallNode))
        if any(call.scan is not None for call in calls):
            raise NoClosedForm(f"`{node.op.name}` is a loop, which has no derivative in closed form", node.span)
        return make_call(node, definition)

    def _find_path(self, nodes: Sequence[Node], y: Value, x: Value) -> list[Node]:
        """Find the nodes that compute `y` from `x`, in order. Only floats have gradients."""
        dependent = {id(x)}
        for node in nodes:
            constant = isinstance(node, OpNode) and node.op.name in CONSTANT
            if not constant and any(id(value) in dependent for value in node.inputs):
                dependent.update(id(value) for value in node.outputs if value.type.dtype.is_float)
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
            assert isinstance(node, OpNode)
            by_result = [gradients.get(id(value)) for value in node.outputs]
            if not any(by_result):
                continue
            by_input = _apply_rule(stages, node, by_result)
            for index in _list_wanted(node, wanted):
                if index not in by_input:
                    raise NoClosedForm(explain_missing(node.op.name, has_rule=True), node.span)
                value, new = node.inputs[index], by_input[index]
                if new is None:
                    continue
                gradients[id(value)] = stages.apply("add", gradients[id(value)], new) if id(value) in gradients else new
        return gradients.get(id(x)) or stages.fill_like(x, 0.0)


def _apply_rule(stages: GraphStages, node: OpNode, by_result: Sequence[Value | None]) -> Gradients:
    """Apply the rule of a node. Not all of its results may have gradients. Its inputs are in the order of declaration, as the elaborator
    puts them."""
    try:
        if node.op.name in JOINT_RULES:
            filled = [g or stages.fill_like(value, 0.0) for g, value in zip(by_result, node.outputs, strict=True)]
            return JOINT_RULES[node.op.name](stages, node, filled)
        gradient = by_result[0]
        assert gradient is not None
        return RULES[node.op.name](stages, node, gradient)
    except OperatorError:
        # A stage of the derivative may need to know more about the sizes than the stage itself.
        raise NoClosedForm(explain_missing(node.op.name, has_rule=True), node.span) from None


def _list_wanted(node: OpNode, wanted: Iterable[int]) -> list[int]:
    wanted = set(wanted)
    return [index for index, value in enumerate(node.inputs) if id(value) in wanted]
