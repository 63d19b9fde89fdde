"""Operators applied: arguments bound, rules asked, a node added to the graph."""

from __future__ import annotations

import re
from collections.abc import Callable

from netc.dsl import ast
from netc.dsl.record import replace
from netc.dsl.source import Span

from ..dims import SymDim, symbols
from ..errors.base import STAGE, Location, Problem
from ..errors.dense import DenseAfterSpatial
from ..errors.names import NO_LEVEL, TAKEN_LABELS, BadLabel, LabelTwice, LabelWithin, WrongTensors
from ..errors.structure import NoTie, SymbolicParameter
from ..ir.graph import OpNode, SharedModule, Value
from ..ir.types import show_shape
from ..ops.base import Operator, OperatorError, ParameterSpec
from ..ops.dense import Dense
from .arguments import BoundArguments, bind_operator
from .evaluate import evaluate
from .limits import check_tensor
from .scope import GraphFrame, Scope
from .session import Session
from .sharing import check_shared
from .ties import PendingTie
from .values import UNKNOWN, Failure, Flow, TensorTuple, Unknown, show_value

Locate = Callable[[Location], Span]
BARE_INPUT = "input"
"""What an input is called that has no name of its own."""


def operate(
    node: ast.Apply,
    cls: type[Operator],
    flow: Flow,
    scope: Scope,
    session: Session,
    shared: SharedModule | None = None,
) -> Flow:
    """Applies the operator that a stage names, and the activation behind it."""
    assert scope.frame is not None
    bound = bind_operator(cls, node, scope, session)
    label = shared.label if shared is not None else stage_label(node.label, cls.name, node.span, scope, session)
    inputs = tensors(flow)
    if inputs is None:
        return UNKNOWN
    check_arity(cls, inputs, node.name_span)

    def locate(place: Location) -> Span:
        return bound.spans.get(place.name, node.name_span) if place.kind == "argument" else node.name_span

    result = add_operator(bound.op, inputs, scope.frame, session, span=node.span, label=label, locate=locate, shared=shared)
    if bound.tie is not None:
        _tie(bound, scope.frame)
    if bound.activation is None:
        return result
    follower, where = bound.activation.op, bound.activation.span
    follow = scope.frame.namer.automatic(follower.name, where)
    return add_operator(follower, tensors(result) or [], scope.frame, session, span=where, label=follow, locate=lambda place: where)


def add_operator(
    op: Operator,
    inputs: list[Value],
    frame: GraphFrame,
    session: Session,
    *,
    span: Span,
    label: str,
    locate: Locate,
    shared: SharedModule | None = None,
) -> Flow:
    """Asks the operator's rules and adds it to the frame's graph."""
    given = op.bind(tuple(v.type for v in inputs), session.facts)
    try:
        results = op.infer(given)
    except OperatorError as refusal:
        raise locate_problem(refusal.problem, refusal.at, inputs, locate) from None
    for problem, place in op.warnings(given):
        _warn(problem, place, inputs, locate, frame, session)
    if isinstance(op, Dense) and inputs[0].spatial and inputs[0].type.rank > 2:
        marks = ((inputs[0].span, f"this is {inputs[0].type}"),)
        session.report(DenseAfterSpatial(inputs[0].type, results[0]), locate(STAGE), marks, frame.trace)
    specs = op.parameters(given)
    _check_static(op, specs, inputs, locate(STAGE))
    for shape in (*(t.shape for t in results), *(s.shape for s in specs)):
        check_tensor(shape, span)
    keeps = bool(inputs) and inputs[0].spatial and results[0].shape == inputs[0].type.shape and op.pointwise
    outputs = tuple(Value(t, span, spatial=op.spatial or keeps) for t in results)
    node = OpNode(op, tuple(inputs), outputs, label, span, specs, shared=shared)
    if shared is not None:
        check_shared(shared, {s.name: (s.shape, s.dtype) for s in specs}, span, session)
    frame.graph.nodes.append(node)
    session.grow(frame.graph, 1, span, frame.trace)
    if len(outputs) == 1:
        return outputs[0]
    return TensorTuple(outputs, node if op.extras else None)


def locate_problem(problem: Problem, at: Location, inputs: list[Value], locate: Locate) -> Failure:
    """A problem of an operator with the places of the text it concerns. `{0}` in what it suggests becomes the name of that input."""
    problem = _told_by_names(problem, inputs)
    marks = [(_where(p, inputs, locate), text) for p, text in problem.marks()]
    if at.kind == "input" and at.index < len(inputs) and not problem.marks():
        marks.append((inputs[at.index].span, problem.label() or f"this is {inputs[at.index].type}"))
        return Failure(problem, locate(at), tuple(marks), label="")
    return Failure(problem, locate(at), tuple(marks))


def _told_by_names(problem: Problem, inputs: list[Value]) -> Problem:
    suggestion: str = getattr(problem, "suggestion", "")
    if "{" not in suggestion:
        return problem
    for index, value in enumerate(inputs):
        named = value.name and not value.name.startswith(BARE_INPUT)
        suggestion = suggestion.replace(f"{{{index}}}", value.name if named else "...")
    return replace(problem, suggestion=suggestion)


def _where(place: Location, inputs: list[Value], locate: Locate) -> Span:
    if place.kind == "input" and place.index < len(inputs):
        return inputs[place.index].span
    return locate(place)


def _warn(problem: Problem, place: Location, inputs: list[Value], locate: Locate, frame: GraphFrame, session: Session) -> None:
    failure = locate_problem(problem, place, inputs, locate)
    session.report(failure.problem, failure.span, failure.marks, frame.trace)


def _check_static(op: Operator, specs: tuple[ParameterSpec, ...], inputs: list[Value], span: Span) -> None:
    for spec in specs:
        symbolic = [d for d in spec.shape if isinstance(d, SymDim)]
        if symbolic:
            names = tuple(sorted(symbols(symbolic[0])))
            marks = tuple((v.span, f"this is {v.type}") for v in inputs)
            raise Failure(SymbolicParameter(op.name, spec.name or op.name, show_shape(spec.shape), names), span, marks)


def _tie(bound: BoundArguments, frame: GraphFrame) -> None:
    assert bound.tie is not None
    node = frame.graph.nodes[-1]
    if not isinstance(node, OpNode) or not any(s.name == "weight" for s in node.specs):
        raise Failure(NoTie(bound.op.name), bound.tie.span)
    frame.ties.append(PendingTie(node, bound.tie))


def tensors(flow: Flow) -> list[Value] | None:
    """The tensors that flow on; None if they are unknown. Extra results that nobody unpacked are dropped for good."""
    if isinstance(flow, Unknown):
        return None
    if isinstance(flow, Value):
        return [flow]
    if flow.extras is not None:
        flow.extras.outputs = flow.extras.outputs[:1]
        return [flow.values[0]]
    return list(flow.values)


def main_result(flow: Flow) -> Flow:
    """What a single name or `in` stands for: of an operator with extra results, the main one."""
    if isinstance(flow, TensorTuple) and flow.extras is not None:
        return (tensors(flow) or [])[0]
    return flow


def check_arity(cls: type[Operator], inputs: list[Value], span: Span) -> None:
    least, most = cls.arity()
    if len(inputs) < least or (most is not None and len(inputs) > most):
        names = list(cls.operands)
        hint = f"feed it a tuple: `({', '.join(names[:least])}) -> {cls.name}`" if least > 1 else ""
        if least == most == 1 and inputs:
            hint = "go on with one of them, `(a, b) = ...`, or join them, as by `-> concat axis=1`"
        wanted = _count(least, most, names)
        marks = tuple((v.span, f"this is {v.type}") for v in inputs[:3])
        raise Failure(WrongTensors(cls.name, wanted, len(inputs), hint), span, marks)


def _count(least: int, most: int | None, names: list[str]) -> str:
    """How many tensors an operator takes, in words."""
    if most == least:
        listed = " and ".join(filter(None, (", ".join(f"`{n}`" for n in names[: least - 1]), f"`{names[-1]}`"))) if least else ""
        return {0: "no tensors", 1: "one tensor"}.get(least, f"{least} tensors, {listed}")
    if most is None:
        return f"{least} {'tensor' if least == 1 else 'tensors'} or more"
    return f"{least} {'or' if most == least + 1 else 'to'} {most} tensors"


def stage_label(label: ast.Label | None, operator: str, span: Span, scope: Scope, session: Session) -> str:
    """The name of a stage in the graph that is being built: as labelled, or by kind and number."""
    assert scope.frame is not None
    if label is None:
        return scope.frame.namer.automatic(operator, span)
    return claim(label_text(label, scope, session), label.span, scope.frame)


def claim(text: str, span: Span, frame: GraphFrame) -> str:
    given = text in frame.namer.taken and text not in frame.namer.explicit
    earlier = frame.namer.claim(text, span)
    if earlier is None:
        return text
    other, place = earlier
    if given:
        raise Failure(LabelTwice(text, given=True), span, ((place, f"this one has no label and is called `{text}`"),))
    if other != text:
        raise Failure(LabelWithin(*sorted((text, other), key=len)), span, ((place, f"this is `{other}`"),))
    raise Failure(LabelTwice(text, place == span), span, ((place, "first here"),))


def label_text(label: ast.Label, scope: Scope, session: Session) -> str:
    """The label with its `{expressions}` worked out."""
    parts = []
    for part in label.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        value = evaluate(part, scope, session)
        if isinstance(value, (float, bool, tuple)) or not isinstance(value, (int, str)):
            raise Failure(BadLabel(show_value(value), show_value(value)), part.span)
        parts.append(str(value))
    text = "".join(parts)
    if text == NO_LEVEL:
        raise Failure(BadLabel(text, text), label.span)
    for level in text.split("."):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", level) or level in TAKEN_LABELS:
            raise Failure(BadLabel(text, level), label.span)
    return text
