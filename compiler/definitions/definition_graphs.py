"""Elaborate the definition of an operator for one use.

In: an operator with its arguments, and the types of its inputs. Out: the graph of a block with these inputs, the operator's parameters and
its results. Always: the results have the types that the operator's type rule gives. If they do not, a `WrongDefinition` names the operator.

>>> from ..ops.activation import Glu
>>> image = TensorType(FLOAT32, (1, 4))
>>> [node.op.name for node in elaborate_definition(Glu(axis=-1), [image], None, Facts.empty()).nodes]
['chunk', 'sigmoid', 'mul']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.parser import parse_source
from netc.dsl.record import replace
from netc.dsl.source import SourceFile

from ..dims import Facts
from ..elaborate import deep_stack
from ..elaborate.elaboration_session import ElaborationSession
from ..elaborate.interpreter.block_arguments import BoundParameters
from ..elaborate.interpreter.elaborator import Elaborator
from ..elaborate.scopes.compile_time_values import AbsentTensor, TensorTuple, tensors_of
from ..elaborate.scopes.early_exits import LimitExceeded
from ..elaborate.scopes.label_scope import LabelAllocator
from ..elaborate.scopes.scope import GIVEN, GraphFrame, Scope
from ..ir.graph import Graph, OpNode
from ..ir.graph_values import Value
from ..ir.walk import collect_graphs
from ..ops.constants import ParamOperator
from ..ops.operand import Inputs
from ..ops.operator import Operator, OpInputs, ParameterSpec
from ..ops.shape import Cast
from ..types.tensor_types import FLOAT32, DType, TensorType, show_shape


class MissingDefinition(LookupError):
    """An operator without a definition, or without one for these inputs."""


class DefinitionFile(SourceFile):
    """The text of a definition, as the body of a block."""

    def __init__(self, operator: str, text: str) -> None:
        super().__init__(f"<definition of {operator}>", f"block {operator} {{\n{text}\n}}")
        self.operator = operator


class WrongDefinition(ValueError):
    """The definition of an operator that does not parse, does not compile, or gives another type than the operator's rule."""

    def __init__(self, name: str, why: str, cause: str = "") -> None:
        super().__init__(f"the definition of `{name}` {why}{': ' if cause else ''}{cause}")
        self.cause = cause or why


def elaborate_definition(
    op: Operator, inputs: Sequence[TensorType], results: Sequence[TensorType] | None, facts: Facts, text: str = ""
) -> Graph:
    """Elaborate the definition of an operator.

    Args:
        op: The operator, whose class has a definition.
        inputs: The types of the inputs of one use.
        results: The types of its results, as the operator's rule gives them. There may be fewer than the rule gives. None: the
            definition says what they are.
        facts: The facts about sizes.
        text: Another text than the operator's own definition.

    Returns:
        A graph of kind `block`. Its parameters are `param` nodes with the names of the operator's own. Half types are computed in float32,
        as PyTorch's kernels of composite operators do.

    Raises:
        MissingDefinition: The operator has no definition for these inputs.
        WrongDefinition: The text does not compile for these inputs, or its results have other types.
    """
    given = op.bind_inputs(tuple(inputs), facts)
    # The text may depend on the inputs: the text of `lstm` has a `scan` for each layer and direction.
    text = text or op.write_definition(given)
    if not text:
        raise MissingDefinition(op.name)
    body = _parse_body(op.name, text)
    writer = _DefinitionElaborator(op, body, facts)
    writer.bind_arguments()
    writer.bind_inputs(given)
    for spec in op.parameters(given):
        writer.bind_parameter(spec)
    values = writer.run_text()
    writer.set_outputs(values, writer.narrow_types(values) if results is None else results)
    return writer.graph


@lru_cache(maxsize=1000)
def _parse_body(name: str, text: str) -> ast.Body:
    """The statements of a definition."""
    file, problems = parse_source(DefinitionFile(name, text))
    _raise_first_error(name, problems)
    match file.items:
        case (ast.Block() as block,):
            return block.body
    # the text ends the block that netc writes around it, and begins something else
    raise WrongDefinition(name, "does not compile", "it closes a brace that it does not open")


class _DefinitionElaborator:
    """The graph of one definition, and the names that its text may use."""

    def __init__(self, op: Operator, body: ast.Body, facts: Facts) -> None:
        self.op, self.body = op, body
        self.session = ElaborationSession()
        self.session.set_facts(facts)
        self.owner = f"{op.name}#definition"
        self.frame = GraphFrame(Graph(op.name, "block", body.span), None, LabelAllocator(numbered=False), (), self.owner)
        self.graph = self.frame.graph
        self.parameters: list[OpNode] = []
        self.arguments = Scope(None, None)
        self.scope = self.frame.home = Scope(self.arguments, self.frame)

    def bind_arguments(self) -> None:
        """Bind the names of the arguments. An argument without a value can be tested with `given`, and passed to an operator, which is then
        called without it."""
        for name, value in self.op.args.items():
            self.arguments.bind_name(name, AbsentTensor(name) if value is None else self._name_argument(name, value))
            self.arguments.bind_name(name + GIVEN, value is not None)

    def _name_argument(self, name: str, value: Any) -> Any:
        """Replace numbers by symbols of the graph, as in the arguments of a block, so that a class made of the definition has these
        arguments."""
        default = self.op.signature[name].default if name in self.op.signature else None
        if isinstance(default, float) and type(value) is int:
            value = float(value)  # `a=2` and `a=2.5` are one class with an argument
        bound = BoundParameters.make_empty(self.owner)
        symbols = bound.name_value(name, value)
        usual = default if isinstance(default, (int, float)) and not isinstance(default, bool) else None
        self.graph.origins |= {symbol: replace(origin, default=usual) for symbol, origin in bound.origins.items()}
        return symbols

    def bind_inputs(self, given: OpInputs) -> None:
        """Bind the names of the inputs. An input replaces an argument of the same name, such as the flag `bias`."""
        for name, operand in self.op.operands.items():
            values = [
                self.frame.add_input(Value(type_, self.body.span), name, len(self.graph.inputs) + index)
                for index, type_ in enumerate(t for t, operand_name in zip(given.types, given.names, strict=True) if operand_name == name)
            ]
            widened = [self._add_cast(value, FLOAT32) if _is_half(value.type.dtype) else value for value in values]
            if isinstance(operand, Inputs):
                self.scope.bind_name(name, TensorTuple(tuple(widened)))
            elif widened:
                self.scope.bind_name(name, widened[0])
            elif operand.or_number and self.op.args[name] is not None:
                continue
            else:
                self.scope.bind_name(name, AbsentTensor(name))
            self.scope.bind_name(name + GIVEN, bool(values))

    def bind_parameter(self, spec: ParameterSpec) -> None:
        """Add a parameter of the operator as a `param` of the same name, so that the keys of the state dict stay."""
        op = ParamOperator(shape=spec.shape, dtype=spec.dtype, init=spec.init, trainable=spec.trainable)
        value = Value(TensorType(spec.dtype, spec.shape), self.body.span, spec.name)
        specs = op.parameters(op.bind_inputs((), self.session.facts))
        self.parameters.append(OpNode(op, (), (value,), spec.name, self.body.span, specs))
        self.graph.nodes.append(self.parameters[-1])
        # The label is taken: the parameter must keep it as its key in the state dict.
        self.frame.labels.used[spec.name] = self.body.span
        # `out_proj.weight` of a submodule is `out_proj_weight` in the text.
        name = spec.name.replace(".", "_")
        self.scope.bind_name(name, self._add_cast(value, FLOAT32) if _is_half(spec.dtype) else value)
        self.scope.bind_name(name + GIVEN, True)

    def run_text(self) -> list[Value]:
        """Run the text. Its errors are mistakes of the definition: the operator's rule has accepted the inputs."""
        try:
            # Blocks in the text nest like blocks of a model, deeper than Python's default limit of calls.
            with deep_stack(), self.session.decisions.collect_into(self.graph.decisions):
                flow = Elaborator(self.session).run_body(self.body, self.scope, f"the definition of `{self.op.name}`")
        except LimitExceeded:
            flow = TensorTuple(())
        _raise_first_error(self.op.name, self.session.diagnostics)
        # A `dense` in the text would have weights of its own, with keys that the operator's state dict does not have.
        if any(spec.persistent for node in self._iterate_operators() for spec in node.specs):
            raise WrongDefinition(self.op.name, "does not compile", "it has parameters that `parameters` does not declare")
        return tensors_of(flow) or []

    def _iterate_operators(self) -> Iterator[OpNode]:
        """Iterate over the operators that the text has made, also in its blocks."""
        nodes = (node for graph in collect_graphs(self.graph) for node in graph.nodes)
        return (node for node in nodes if isinstance(node, OpNode) and node not in self.parameters)

    def narrow_types(self, values: Sequence[Value]) -> list[TensorType]:
        """The types of the results of an operator without a rule. float32 results of half inputs get the half type of the inputs."""
        # The inputs were widened to float32, so results that come from them are narrowed again.
        half = next((v.type.dtype for v in self.graph.inputs if _is_half(v.type.dtype)), None)
        return [v.type.with_dtype(half) if half is not None and v.type.dtype == FLOAT32 else v.type for v in values]

    def set_outputs(self, values: Sequence[Value], results: Sequence[TensorType]) -> None:
        """Set the outputs of the graph, converted to the types of the results. Values after the last wanted result are left out."""
        wanted = [t.dtype for t in results]
        # Shorter than `values` where a caller needs the first results only.
        cast = [self._add_cast(v, d) if _is_half(d) and v.type.dtype != d else v for v, d in zip(values, wanted, strict=False)]
        types_found = [v.type for v in cast]
        if types_found != list(results):
            shown = [", ".join(f"{t.dtype} {show_shape(t.shape)}" for t in types) or "nothing" for types in (types_found, results)]
            raise WrongDefinition(self.op.name, f"gives {shown[0]}; its rule gives {shown[1]}")
        self.graph.outputs = cast

    def _add_cast(self, value: Value, dtype: DType) -> Value:
        cast = Value(value.type.with_dtype(dtype), self.body.span, value.name)
        self.graph.nodes.append(
            OpNode(Cast(dtype=dtype), (value,), (cast,), self.frame.labels.allocate_ordinal("cast", self.body.span), self.body.span, ())
        )
        return cast


def _is_half(dtype: DType) -> bool:
    return dtype.is_float and dtype.size < FLOAT32.size


def _raise_first_error(name: str, problems: Sequence[Diagnostic]) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise WrongDefinition(name, "does not compile", errors[0].message)
