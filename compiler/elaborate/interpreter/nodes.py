"""Adds operators to the graph.

`add_operator` applies an operator's rules to the types of its inputs and appends a node. A rule knows no text: it says that "the argument
`kernel`" or "the second input" is wrong, and `locate_problem` turns that into spans.

    >>> import netc
    >>> netc.compile("x = input 3; y = input 4; x + y")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    netc.errors.CompileError: error[shape-mismatch]: cannot add [N, 3] and [N, 4]
     --> <text>:1:29
      |
    1 | x = input 3; y = input 4; x + y
      |     -------      -------    ^ axis 1 is 3 in one and 4 in the other
      |     |            |
      |     |            this is [N, 4]
      |     this is [N, 3]
    ...
"""

from __future__ import annotations

from collections.abc import Callable

from netc.dsl.diagnostics import Edit
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...dims import SymDim, free_symbols
from ...errors.argument_errors import WrongTensors
from ...errors.parameter_errors import SymbolicParameter
from ...errors.problem import STAGE, Location, Problem
from ...ir.graph import OpNode, SharedModule
from ...ir.graph_values import Value
from ...ops.operator import Operator, OperatorError, ParameterSpec
from ...ops.parameter_of import ParameterOf
from ...types.tensor_types import FLOAT32, UNNAMED_INPUT, TensorType, show_shape
from ..elaboration_session import ElaborationSession
from ..inferences import Inference
from ..resource_limits import check_tensor, count_items
from ..scopes.compile_time_values import Flow, TensorTuple
from ..scopes.early_exits import Failure
from ..scopes.scope import GraphFrame
from .habits_of_shapes import add_habit_help, find_habit_warnings
from .input_sources import source_of
from .model_element_types import makes_weak, types_for_operator
from .shared_stages import check_same_parameters

Locate = Callable[[Location], Span]


class NodeText:
    """The textual side of a node: its span, its label, where each argument is, and the shared stage that it is a use of."""

    __slots__ = ("label", "locate", "shared", "span")

    def __init__(self, span: Span, label: str, locate: Locate, shared: SharedModule | None = None) -> None:
        self.span = span
        self.label = label
        self.locate = locate
        self.shared = shared


def add_operator(op: Operator, inputs: list[Value], frame: GraphFrame, session: ElaborationSession, text: NodeText) -> Flow:
    """Applies the operator's rules and adds a node to the frame's graph."""
    session.count_stage(text.span, frame.trace)
    session.count_items(sum([count_items(value) for value in op.args.values()]), text.span)
    types = types_for_operator(op, inputs, session)
    # The warnings are repeated even for known inferences, since each stage has its own place.
    known = session.inferences.find_inference(op, types)
    inference = known or _infer_or_fail(op, types, inputs, frame, session, text)
    for problem, place in inference.warnings:
        session.report_failure(locate_problem(problem, place, inputs, text.locate), frame.trace)
    _warn_of_sources(inference, inputs, frame, session, text)
    for problem, place in find_habit_warnings(op, inputs, inference.results[0], frame):
        marks = ((inputs[0].span, f"this is {inputs[0].type}"),)
        session.report_problem(problem, text.locate(place), marks, frame.trace)
    if known is None:
        _check_inference(inference, inputs, text)
        inference = session.inferences.store_inference(inference)
    results, specs = inference.results, inference.specs
    # A pointwise operator leaves an image an image, unless broadcasting changed its shape.
    keeps = op.pointwise and any(v.spatial and v.type.shape == results[0].shape for v in inputs)
    weak = makes_weak(op, inputs, session)
    outputs = tuple([Value(t, text.span, spatial=op.spatial or keeps, weak=weak and t.dtype == FLOAT32) for t in results])
    node = OpNode(op, tuple(inputs), outputs, text.label, text.span, specs, shared=text.shared)
    if not session.is_full and any(t.dtype != v.type.dtype for t, v in zip(types, inputs, strict=True)):
        # The inputs are converted to the types that the rule saw when the program is finished (program/float_conversions.py).
        node.rule_dtypes = tuple([t.dtype for t in types])
    if text.shared is not None and not isinstance(op, ParameterOf):
        check_same_parameters(text.shared, {s.name: (s.shape, s.dtype) for s in specs}, text.span, session)
    session.append_node(frame.graph, node, text.span, frame.trace)
    if len(outputs) == 1:
        return outputs[0]
    return TensorTuple(outputs, node if op.extras else None)


def _infer_or_fail(
    op: Operator, types: tuple[TensorType, ...], inputs: list[Value], frame: GraphFrame, session: ElaborationSession, text: NodeText
) -> Inference:
    """Apply the operator's rules to inputs of these types, or raise a `Failure`."""
    try:
        return session.inferences.infer_types(op, types)
    except OperatorError as error:
        failure = locate_problem(add_habit_help(error.problem, op, inputs, frame), error.at, inputs, text.locate)
        if error.stated is not None:
            failure.declared_type = types[0].with_shape(error.stated)
        raise failure from None


def _warn_of_sources(inference: Inference, inputs: list[Value], frame: GraphFrame, session: ElaborationSession, text: NodeText) -> None:
    """Reports warnings about the operators that made the inputs. Only operators that have such warnings look for them, as it takes time."""
    op = inference.op
    if type(op).find_source_warnings is Operator.find_source_warnings:
        return
    op_inputs = op.bind_inputs(inference.types, session.deciding)
    sources = {name: node for name, value in zip(op_inputs.names, inputs, strict=True) if (node := source_of(value, frame)) is not None}

    def locate(place: Location) -> Span:
        return sources[op_inputs.names[place.index]].span if place.kind == "source" else text.locate(place)

    for problem, place in op.find_source_warnings(op_inputs, {name: node.op for name, node in sources.items()}):
        session.report_failure(locate_problem(problem, place, inputs, locate), frame.trace)


def locate_problem(problem: Problem, location: Location, inputs: list[Value], locate: Locate) -> Failure:
    """A problem of an operator with the spans that it concerns. `{0}` in its suggestion becomes the name of that input."""
    problem = _with_input_names(problem, inputs)
    marks = [(_span_of(p, inputs, locate), text) for p, text in problem.list_marks()]
    if location.kind == "input" and location.index < len(inputs) and not problem.list_marks():
        marks.append((inputs[location.index].span, problem.format_label() or f"this is {inputs[location.index].type}"))
        return Failure(problem, locate(location), tuple(marks), label="")
    return Failure(problem, locate(location), tuple(marks), edits=_before_stage(problem, locate))


def _before_stage(problem: Problem, locate: Locate) -> tuple[Edit, ...]:
    """A stage to insert is inserted before this one, also where an argument has the problem."""
    new = problem.make_replacement()
    return (Edit(locate(STAGE).shrink_to_start(), new.text, new.safe),) if new is not None and new.before else ()


def _with_input_names(problem: Problem, inputs: list[Value]) -> Problem:
    suggestion: str = getattr(problem, "suggestion", "")
    if "{" not in suggestion:
        return problem
    for index, value in enumerate(inputs):
        named = value.name and not value.name.startswith(UNNAMED_INPUT)
        suggestion = suggestion.replace(f"{{{index}}}", value.name if named else "...")
    return replace(problem, suggestion=suggestion)


def _span_of(place: Location, inputs: list[Value], locate: Locate) -> Span:
    if place.kind == "input" and place.index < len(inputs):
        return inputs[place.index].span
    return locate(place)


def _check_inference(inference: Inference, inputs: list[Value], text: NodeText) -> None:
    """Rejects tensors that are too large, and parameters of a symbolic shape."""
    _check_static(inference.op, inference.specs, inputs, text.locate)
    for shape in (*[t.shape for t in inference.results], *[s.shape for s in inference.specs]):
        check_tensor(shape, text.span)


def _check_static(op: Operator, specs: tuple[ParameterSpec, ...], inputs: list[Value], locate: Locate) -> None:
    """Rejects parameters of a symbolic shape."""
    for spec in specs:
        symbolic = [d for d in spec.shape if isinstance(d, SymDim)]
        if symbolic:
            names = tuple(sorted(free_symbols(symbolic[0])))
            marks = tuple((v.span, f"this is {v.type}") for v in inputs)
            raise Failure(SymbolicParameter(op.name, spec.name or op.name, show_shape(spec.shape), names), locate(STAGE), marks)


_ELEMENTWISE = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum"}
"""For reductions of one tensor's elements, the operators that combine several tensors in the same way."""


def check_arity(cls: type[Operator], inputs: list[Value], span: Span) -> None:
    """Rejects a number of tensors that the operator does not take."""
    least, most = cls.arity()
    if len(inputs) < least or (most is not None and len(inputs) > most):
        names = list(cls.operands)
        hint = f"pass it a tuple: `({', '.join(names[:least])}) -> {cls.name}`" if least > 1 else ""
        if least == most == 1 and inputs:
            hint = "continue with one of them, `(a, b) = ...`, or join them, for example by `-> concat axis=1`"
            hint = f"for several tensors, element by element, use `-> {_ELEMENTWISE[cls.name]}`" if cls.name in _ELEMENTWISE else hint
        marks = tuple((v.span, f"this is {v.type}") for v in inputs[:3])
        raise Failure(WrongTensors(cls.name, _format_arity(least, most, names), len(inputs), hint), span, marks)


def _format_arity(least: int, most: int | None, names: list[str]) -> str:
    """The number of tensors that an operator takes, in words."""
    if most == least:
        listed = " and ".join(filter(None, (", ".join(f"`{n}`" for n in names[: least - 1]), f"`{names[-1]}`"))) if least else ""
        return {0: "no tensors", 1: "one tensor"}.get(least, f"{least} tensors, {listed}")
    if most is None:
        return f"{least} {'tensor' if least == 1 else 'tensors'} or more"
    return f"{least} {'or' if most == least + 1 else 'to'} {most} tensors"
