"""Builds a typed graph operator by operator, and checks each with the operator's own rules.

In: operators of netc by name, with arguments as in a spec, and tensors of the graph. Out: the tensors that they compute. Always: an
operator that refuses its inputs raises `ImportRefused` and leaves the graph as it was. `verify` accepts the finished graph.

    (y,) = builder.apply_multi_op("softmax", x, axis=-1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl.source import SourceFile, Span

from ..dims import Facts
from ..ir.graph import CallNode, Graph, Kind, OpNode, SharedModule, Tie
from ..ir.graph_values import Value
from ..ops import Operator
from ..ops.kinds import InvalidArgument
from ..ops.operand import NAMED
from ..ops.operator import OperatorError
from ..types.tensor_types import TensorType


class ImportRefused(Exception):
    """netc has no such operator, or its operator refuses the inputs. The text completes "cannot import ...: ". With the `condition`
    on sizes it can be imported."""

    def __init__(self, why: str, help: str = "", condition: str = "") -> None:
        super().__init__(why)
        self.why, self.help, self.condition = why, help, condition


class GraphBuilder:
    """Builds one graph. `span` is the source position of everything in it."""

    def __init__(self, name: str, kind: Kind, facts: Facts, span: Span) -> None:
        self.graph = Graph(name, kind, span)
        self.facts = facts
        self.span = span

    def add_input(self, type: TensorType, name: str = "") -> Value:
        """Add an input to the graph."""
        value = Value(type, self.span, name)
        self.graph.inputs.append(value)
        return value

    def apply_multi_op(
        self,
        operator: str,
        *inputs: Value,
        label: str = "",
        named: Sequence[str] = (),
        tie: Tie | None = None,
        shared: SharedModule | None = None,
        frozen: bool = False,
        **arguments: Any,
    ) -> tuple[Value, ...]:
        """Apply an operator, and return its results. `named` are the operands of the last inputs, if their number leaves that open."""
        cls = Operator.registry[operator]
        op = cls(
            **{name: _convert_argument(cls, name, value) for name, value in arguments.items()}, **({NAMED: tuple(named)} if named else {})
        )
        return self.add_node(op, *inputs, label=label, tie=tie, shared=shared, frozen=frozen)

    def add_node(
        self,
        op: Operator,
        *inputs: Value,
        label: str = "",
        tie: Tie | None = None,
        shared: SharedModule | None = None,
        frozen: bool = False,
    ) -> tuple[Value, ...]:
        """Add a node for an operator with its arguments, and return its results."""
        bound_inputs = op.bind_inputs(tuple(value.type for value in inputs), self.facts)
        try:
            results = op.check_and_infer(bound_inputs)
        except OperatorError as error:
            # The operator's own message tells the user why, as it does for a spec.
            raise ImportRefused(error.problem.format_message(), *error.problem.format_help()[:1]) from error
        outputs = tuple(Value(type, self.span) for type in results)
        specs = op.parameters(bound_inputs)
        self.graph.nodes.append(OpNode(op, inputs, outputs, label, self.span, specs, tie, shared, frozen=frozen))
        self.graph.size += 1
        return outputs

    def apply_op(self, operator: str, *inputs: Value, **arguments: Any) -> Value:
        """Apply an operator, and return its first result."""
        return self.apply_multi_op(operator, *inputs, **arguments)[0]

    def add_call(
        self, graph: Graph, *inputs: Value, label: str = "", shared: SharedModule | None = None, modules: tuple[SharedModule, ...] = ()
    ) -> tuple[Value, ...]:
        """Add a call of a complete graph, and return its results."""
        outputs = tuple(Value(output.type, self.span) for output in graph.outputs)
        self.graph.nodes.append(CallNode(graph, inputs, outputs, label, self.span, modules, shared))
        self.graph.size += graph.size
        return outputs


def make_empty_span(name: str) -> Span:
    """Return a source position for a graph without a text: the beginning of an empty file called `name`."""
    return Span(SourceFile(name, ""), 0, 0)


def _convert_argument(cls: type[Operator], name: str, value: object) -> object:
    declared = cls.signature.get(name)
    if declared is None:
        raise TypeError(f"{cls.name} has no argument {name}")
    # A default need not be a value that a text may state, so it is not converted.
    if value is None or (isinstance(value, type(declared.default)) and value == declared.default):
        return value if value is not None else declared.default
    try:
        return declared.kind.convert_value(value)
    except InvalidArgument:
        raise ImportRefused(f"`{cls.name} {name}={value}` is not possible: {name} is {declared.kind.describe_values()}") from None
