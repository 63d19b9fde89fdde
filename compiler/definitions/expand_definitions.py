"""Replace operators by calls of their definitions, where a backend has no kernel and an analysis no rule for them.

In: the graphs of a program, copied for the pass. Out: the graphs, changed in place, and the graphs of the definitions. Always: the values
and the keys of the state dict stay the same.

>>> import netc
>>> program = netc.compile("input 6 -> glu").program
>>> (call,) = expand_program(program, lambda operator: operator.name != "glu").main.nodes
>>> [node.op.name for node in call.graph.nodes]
['chunk', 'sigmoid', 'mul']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..dims import Facts
from ..ir.copy_graph import copy_graphs
from ..ir.graph import CallNode, Graph, OpNode, Program
from ..ir.graph_values import Value
from ..ir.walk import collect_graphs
from ..ops.operator import Operator
from ..types.tensor_types import TensorType
from ..types.traced_ints import Origin, strip_formulas
from .definition_graphs import elaborate_definition

Key = tuple[Operator, tuple[TensorType, ...], tuple[TensorType, ...], str]


def expand_program(program: Program, is_primitive: Callable[[type[Operator]], bool]) -> Program:
    """Return a program with the same inputs, outputs and parameters, in which only primitive operators and operators without a definition
    are left."""
    operators = {type(node.op) for graph in collect_graphs(program.main) for node in graph.nodes if isinstance(node, OpNode)}
    if all(is_primitive(operator) for operator in operators):
        return program
    order = copy_graphs(program.main)
    expand_operators(order, program.facts, is_primitive)
    return Program(order[-1], program.facts, program.symbols, program.conditions, program.dims)


def expand_operators(order: Iterable[Graph], facts: Facts, is_primitive: Callable[[type[Operator]], bool]) -> list[Graph]:
    """Replace, in place, each operator that has a definition and is not primitive for the caller.

    Args:
        order: The graphs of the program, called graphs before their callers. They are changed.
        facts: The facts about sizes.
        is_primitive: Whether the caller has a kernel or a rule of its own for an operator.

    Returns:
        The same graphs and the graphs of the definitions, called graphs first.
    """
    expander = _Expander(facts, is_primitive)
    result: list[Graph] = []
    for graph in order:
        result += [*expander.expand_graph(graph), graph]
    return result


class Definitions:
    """The definitions that a program needs, each elaborated once for equal operators on equal types."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._known: dict[Key, Graph] = {}

    def get_definition(self, node: OpNode, text: str = "") -> Graph:
        """The definition of an operator, or another `text` for it. Raises `MissingDefinition` if there is none."""
        op, inputs, outputs = _plain_operator(node.op), _plain_types(node.inputs), _plain_types(node.outputs)
        key = (op, inputs, outputs, text)
        if key not in self._known:
            self._known[key] = elaborate_definition(op, inputs, outputs, self._facts, text)
        return self._known[key]


class _Expander:
    def __init__(self, facts: Facts, is_primitive: Callable[[type[Operator]], bool]) -> None:
        self.facts, self.is_primitive = facts, is_primitive
        self.definitions = Definitions(facts)
        self.done: set[int] = set()

    def expand_graph(self, graph: Graph) -> list[Graph]:
        """Replace the operators of one graph. Return the definitions that are new, in which operators are replaced as well."""
        definitions: list[Graph] = []
        for index, node in enumerate(graph.nodes):
            if not isinstance(node, OpNode) or self.is_primitive(type(node.op)) or not has_definition_for(node.op, node.inputs, self.facts):
                continue
            definition = self.definitions.get_definition(node)
            for inner in collect_graphs(definition):  # the graphs that it calls, such as the step of a scan, and itself
                # Definitions are memoized, so a graph may be met again. Its operators are replaced already.
                if id(inner) not in self.done:
                    self.done.add(id(inner))
                    definitions += [*self.expand_graph(inner), inner]
            graph.nodes[index] = make_call(node, definition)
        # verify.py compares the size, and a call counts the operators of its graph.
        graph.size = sum(node.graph.size if isinstance(node, CallNode) else 1 for node in graph.nodes)
        return definitions


def has_definition_for(op: Operator, inputs: Iterable[Value], facts: Facts) -> bool:
    """Whether an operator has a definition for these inputs."""
    return bool(op.write_definition(op.bind_inputs(tuple(value.type for value in inputs), facts)))


def _plain_operator(op: Operator) -> Operator:
    """The operator with numbers that are traced to nothing: the symbols of the graph around it have no values in its definition."""
    return type(op)(**{name: strip_formulas(value) for name, value in op.args.items()})


def _plain_types(values: Iterable[Value]) -> tuple[TensorType, ...]:
    return tuple(value.type.with_shape(strip_formulas(value.type.shape)) for value in values)


def make_call(node: OpNode, definition: Graph) -> CallNode:
    """Make the call of its definition that replaces an operator."""
    arguments = {symbol: _find_symbol_value(origin, node, definition) for symbol, origin in definition.origins.items()}
    call = CallNode(
        definition, node.inputs, node.outputs, node.label, node.span, shared=node.shared, arguments=arguments, frozen=node.frozen
    )
    call.frame = node.frame
    return call


def _find_symbol_value(origin: Origin, node: OpNode, definition: Graph) -> Any:
    """The value of a symbol of the definition at this use: an argument, an item of an argument, or the size of an input."""
    if origin.input is None:
        value = node.op.args[origin.name]
        value = value if origin.index is None else value[origin.index]
        # `a=2` was bound as the float 2.0, see `_name_argument`.
        return float(value) if isinstance(origin.value, float) and type(value) is int else value
    (position,) = [index for index, value in enumerate(definition.inputs) if value is origin.input]
    assert origin.axis is not None
    return node.inputs[position].type.shape[origin.axis]
