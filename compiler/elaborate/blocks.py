"""Blocks used as stages: arguments and tensors bound, the body elaborated, a call added."""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.record import replace

from ..dims import Dim, SymDim, advice, show
from ..errors.checks import PatternMismatch
from ..errors.names import NO_LEVEL, MissingArgument, WrongTensors
from ..errors.operators import Unprovable
from ..errors.structure import ModelAsStage, Recursion
from ..errors.values import NotANumber
from ..ir.graph import OpNode, SharedModule, Value
from .arguments import bind_parameters
from .bodies import Run, elaborate_body, emit_call, emit_inline
from .evaluate import evaluate
from .memo import Entry
from .operators import main_result, stage_label, tensors
from .scope import Scope
from .session import Session
from .stages import USES
from .statements import run_body
from .values import UNKNOWN, BlockDef, Failure, Flow, show_value


def apply_block(node: ast.Apply, block: BlockDef, flow: Flow, scope: Scope, session: Session, shared: SharedModule | None) -> Flow:
    """Uses a block on what flows in. With `as _` its stages stand around it."""
    definition = block.node
    name = definition.name.name
    around = shared is None and node.label is not None and node.label.parts == (NO_LEVEL,)
    _check_usable(node, block, session)
    outside = Scope(block.scope, scope.frame)
    constants = tuple(p for p in definition.parameters if isinstance(p, ast.Parameter))
    declared = [p for p in definition.parameters if isinstance(p, ast.TensorParameter)]
    arguments = _bind(definition, constants, node, outside, scope, session)
    values = tensors(flow)
    if values is not None:
        _fit(name, declared, values, node, outside, session)
    else:
        _leave_open(declared, outside)

    def run(inner: Scope) -> Flow:
        for parameter, value in zip(declared, tensors(inner.names["in"].value) or [], strict=False):  # type: ignore[arg-type]
            value.name = value.name if around else parameter.name.name
            inner.bind(parameter.name.name, value, parameter.span)
        for parameter in declared:
            if parameter.name.name not in inner.names:
                inner.bind(parameter.name.name, UNKNOWN, parameter.span)
        if declared and values is not None:
            inner.bind("in", inner.names[declared[0].name.name].value)
        return run_body(definition.body, inner, session, f"the block `{name}`")

    trace = CallSite(node.span, f"in block `{name}`, used here")
    if around:
        return _stand_around(definition, run, flow, outside, trace, session)
    label = shared.label if shared is not None else stage_label(node.label, name, node.span, scope, session)
    session.active.append(definition)
    try:
        entry = elaborate_body(definition, flow, outside, session, run, name=name, kind="block", trace=trace, arguments=arguments)
    finally:
        session.active.pop()
    if node.label is None and shared is None and _is_plain(entry, scope):
        return emit_inline(entry, flow, outside, session, label=label, span=node.span)
    return emit_call(entry, flow, outside, session, label=label, span=node.span, shared=shared)


def _stand_around(definition: ast.Block | ast.Model, run: Run, flow: Flow, outside: Scope, trace: CallSite, session: Session) -> Flow:
    """Runs the body of a block in the frame that it is used in: its stages stand among those around it."""
    frame = outside.frame
    assert frame is not None
    inner = Scope(outside, frame)
    inner.beside = outside
    inner.bind("in", main_result(flow))
    before, frame.trace = frame.trace, (trace, *frame.trace)
    session.active.append(definition)
    try:
        with session.nested(trace.span), frame.hosting():
            return run(inner)
    finally:
        session.active.pop()
        frame.trace = before


def _bind(
    block: ast.Block | ast.Model, constants: tuple[ast.Parameter, ...], node: ast.Apply, outside: Scope, scope: Scope, session: Session
) -> dict[str, Any]:
    """The block's arguments. One that is missing, and is used as a tensor, was meant to be what flows in."""
    try:
        return bind_parameters(block.name.name, constants, node, outside, scope, session)
    except Failure as failure:
        problem = failure.problem
        heads = [s.pipeline if isinstance(s, ast.Flow) else s.value for s in block.body.statements if isinstance(s, (ast.Flow, ast.Assign))]
        names = [h.head.name for h in heads if isinstance(h.head, ast.Apply) and h.stages]
        if not isinstance(problem, MissingArgument) or problem.name not in names:
            raise
        hint = f"what flows in is `in`, or a parameter with a shape: `block {problem.owner}({problem.name}: [...])`"
        raise Failure(replace(problem, hint=hint), failure.span, failure.marks) from None


def _is_plain(entry: Entry, scope: Scope) -> bool:
    """Whether a block is one operator that keeps nothing: no name is lost if the operator itself stands where the block is used.

    What it keeps for itself only, a constant, would get a number for its name in a sequence.
    """
    if entry.failed or not entry.single or scope.frame is None:
        return False
    stage = entry.graph.nodes[0]
    if not isinstance(stage, OpNode):
        return False
    return not stage.specs or not (scope.frame.namer.numbered or any(spec.persistent for spec in stage.specs))


def _check_usable(node: ast.Apply, block: BlockDef, session: Session) -> None:
    name = block.node.name.name
    if isinstance(block.node, ast.Model):
        raise Failure(ModelAsStage(name), node.name_span, ((block.node.name.span, "declared here"),))
    if any(a is block.node for a in session.active):
        raise Failure(Recursion(name, "block"), node.name_span, ((block.node.name.span, f"`{name}` is defined here"),))


def _fit(name: str, declared: list[ast.TensorParameter], values: list[Value], node: ast.Apply, outside: Scope, session: Session) -> None:
    """Checks what flows in against the declared tensors, and binds the dimensions of their patterns."""
    wanted = len(declared) or 1
    if len(values) != wanted:
        named = " and ".join(f"`{p.name.name}`" for p in declared) or "`in`"
        marks = tuple((v.span, f"this is {v.type}") for v in values[:3])
        hint = f"feed it a tuple: `({', '.join(p.name.name for p in declared)}) -> {name}`" if wanted > 1 else ""
        if not declared:
            hint = f"a block that takes several declares them: `block {name}(a: [...], b: [...])`"
        count = "one tensor" if wanted == 1 else f"{wanted} tensors"
        raise Failure(WrongTensors(name, f"{count}, {named}", len(values), hint), node.name_span, marks)
    for parameter, value in zip(declared, values, strict=False):
        _match(name, parameter, value, node, outside, session)


def _leave_open(declared: list[ast.TensorParameter], outside: Scope) -> None:
    """Of tensors that failed before, the dimensions are unknown too."""
    for item in (item for parameter in declared for item in parameter.pattern):
        if isinstance(item, ast.Name) and outside.find(item.name) is None:
            outside.bind(item.name, UNKNOWN, item.span)


def _match(name: str, parameter: ast.TensorParameter, value: Value, node: ast.Apply, outside: Scope, session: Session) -> None:
    pattern = parameter.pattern
    shape = value.type.shape
    text = "[" + ", ".join(p.span.text for p in pattern) + "]"

    def mismatch(why: str) -> Failure:
        problem = PatternMismatch(name, parameter.name.name, text, value.type, why)
        return Failure(problem, node.name_span, ((value.span, f"this is {value.type}"), (parameter.span, "declared here")))

    spreads = [i for i, item in enumerate(pattern) if isinstance(item, ast.Name) and item.name == "..."]
    if len(spreads) > 1:
        raise mismatch("`...` stands once in a pattern")
    front = pattern[: spreads[0]] if spreads else pattern
    back = pattern[spreads[0] + 1 :] if spreads else ()
    fixed = (*front, *back)
    if len(shape) < len(fixed) or (not spreads and len(shape) != len(fixed)):
        raise mismatch(f"needs {len(fixed)}{' or more' if spreads else ''} axes")
    for item, size in zip(fixed, (*shape[: len(front)], *shape[len(shape) - len(back) :]), strict=True):
        stated = _stated(item, size, outside, session)
        equal = True if stated is None else session.facts.equal(stated, size)
        if equal is None and stated is not None:
            problem = Unprovable(
                name, stated, size, f"`{item.span.text}` of `{parameter.name.name}` must be {show(stated)}", advice(stated, size) or ""
            )
            raise Failure(problem, node.name_span, ((value.span, f"this is {value.type}"), (item.span, "declared here")))
        if not equal and stated is not None:
            raise mismatch(f"`{item.span.text}` is {show(stated)}, but the tensor has {show(size)}")


def _stated(item: ast.Expr, size: Dim, outside: Scope, session: Session) -> Dim | None:
    """What the pattern says of an axis; a name that is new is bound to the actual size."""
    if isinstance(item, ast.Name):
        if item.name == "_":
            return None
        if item.name not in outside.names and (item.name.isupper() or outside.find(item.name) is None):
            outside.bind(item.name, size, item.span)
            return None
    stated: Any = evaluate(item, outside, session)
    if isinstance(stated, bool) or not isinstance(stated, (int, SymDim)):
        raise Failure(NotANumber("each part of a pattern", "an integer or a dimension", show_value(stated)), item.span)
    return stated


USES[BlockDef] = apply_block
