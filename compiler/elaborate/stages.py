"""Pipelines: a head and the stages it flows through, and arithmetic between tensors.

In: a pipeline and its scope. Out: what flows out of it, a tensor or several; in arithmetic also a compile-time value. Each stage is
guarded: what fails is reported and gives `UNKNOWN`, and the stages behind it are still looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netc.dsl import ast
from netc.dsl.source import Span

from ..errors.names import NoIn, NotAStage, NotATensor, TooManyArguments, UnknownName
from ..errors.structure import InputScaled
from ..ir.graph import SharedModule, Value
from ..ops.base import Operator
from .arguments import extra_argument_hint
from .bodies import elaborate_body, emit_call, notice_unused
from .builtins import BUILTINS
from .called import on_tensors, split_call
from .checks import check_is
from .constants import make_param, make_table
from .evaluate import evaluate, force
from .guard import guarded
from .infix import infix, prefix
from .inputs import make_input
from .limits import check_tuple
from .operators import main_result, operate, stage_label, tensors
from .partial import applied
from .scope import Scope
from .session import Session
from .unknown import bound_otherwise, unbound
from .values import (
    CONST_TYPES,
    UNKNOWN,
    AlreadyReported,
    BlockDef,
    Const,
    Failure,
    Flow,
    FnDef,
    LazyLet,
    OperatorRef,
    SharedDef,
    StageClosure,
    TensorTuple,
    Unknown,
    show_value,
)

Operand = Flow | Const


def run_pipeline(pipeline: ast.Pipeline, scope: Scope, session: Session, name: str = "") -> Operand:
    """What a pipeline gives. `name` is what its result will be called: an `input` takes it over."""
    head = pipeline.head
    flow: Operand
    if isinstance(head, ast.Input):
        flow = guarded(scope, session, make_input, head, "" if pipeline.stages else name, scope, session)
    else:
        flow = guarded(scope, session, operand, head, scope, session)
    if not pipeline.stages:
        return flow
    tensor = guarded(scope, session, only_tensors, flow, head.span, "")
    for stage in pipeline.stages:
        tensor = guarded(scope, session, run_stage, stage, tensor, scope, session)
    return tensor


def only_tensors(flow: Operand, span: Span, hint: str) -> Flow:
    """The flow, unless it is a compile-time value."""
    if isinstance(flow, CONST_TYPES):
        raise Failure(NotATensor(show_value(flow), hint), span)
    return flow


def run_tensor(pipeline: ast.Pipeline, scope: Scope, session: Session, name: str = "") -> Flow:
    """The same where only tensors will do."""
    flow = run_pipeline(pipeline, scope, session, name)
    return guarded(scope, session, only_tensors, flow, pipeline.span, "name compile-time values with `let`")


# --- what a pipeline begins with ---------------------------------------------------------------------------------------------


def operand(node: ast.Tensor, scope: Scope, session: Session) -> Operand:
    """A head, or one side of an operation."""
    return OPERANDS[type(node)](node, scope, session)


def _apply_operand(node: ast.Apply, scope: Scope, session: Session) -> Operand:
    if on_tensors(node, scope):
        return run_stage(*split_call(node, scope, session), scope, session)
    plain = not node.positional and not node.keywords and node.label is None and node.activation is None
    found = scope.use(node.name)
    value = found.value if found is not None else None
    if isinstance(value, LazyLet) and found is not None:
        value = force(found, value, session)
    if isinstance(value, Unknown):
        raise AlreadyReported
    if plain and isinstance(value, (Value, TensorTuple, *CONST_TYPES)):
        return value
    if isinstance(value, CONST_TYPES) and (index := _index(node)) is not None:
        return evaluate(index, scope, session)  # type: ignore[no-any-return]
    if plain and found is None and node.name in session.dims:
        return session.dims[node.name]
    if node.called and (isinstance(value, FnDef) or (found is None and node.name in BUILTINS)):
        if node.activation is not None:
            raise Failure(TooManyArguments(node.name, len(node.positional), extra_argument_hint(node.activation)), node.activation.span)
        call = ast.Call(node.span, ast.Name(node.name_span, node.name), node.positional, node.keywords)
        return evaluate(call, scope, session)  # type: ignore[no-any-return]
    if plain and found is None and node.name != "in" and node.name not in Operator.registry:
        known = [n for n in scope.visible() if n != "in"]
        raise Failure(UnknownName(node.name, session.near(node.name, [*Operator.registry, *known])), node.name_span)
    flow = scope.use("in")
    if flow is not None:
        return run_stage(node, flow.value, scope, session)  # type: ignore[arg-type]
    if node.name == "in":
        raise Failure(NoIn(), node.name_span)
    _stage_entity(node, scope, session)
    raise Failure(NoIn(node.name), node.name_span)


def _index(node: ast.Apply) -> ast.Index | None:
    """`xs[0]`: to the grammar a stage with a list close behind its name, to a reader an item of `xs`."""
    match node.positional:
        case (ast.ListExpr(span, (item,)),) if span.start == node.name_span.end and not (node.keywords or node.label or node.activation):
            return ast.Index(node.span, ast.Name(node.name_span, node.name), item)
    return None


def _group_operand(node: ast.Group, scope: Scope, session: Session) -> Operand:
    if node.label is not None:
        return _labelled_group(node, None, scope, session)
    if len(node.members) == 1:
        return run_pipeline(node.members[0], scope, session)
    return _tuple(node, scope, session)


def _from_in(node: ast.Tensor, scope: Scope, session: Session) -> Operand:
    flow = scope.use("in")
    if flow is None:
        raise Failure(NoIn(type(node).__name__.lower()), node.span)
    return run_stage(node, flow.value, scope, session)  # type: ignore[arg-type]


def _binary_operand(node: ast.TensorBinary, scope: Scope, session: Session) -> Operand:
    spine = [node]
    while isinstance(spine[-1].left, ast.TensorBinary):
        spine.append(spine[-1].left)
    value: Operand = guarded(scope, session, operand, spine[-1].left, scope, session)
    if isinstance(spine[-1].left, ast.Input) and isinstance(spine[-1].right, ast.Scalar) and spine[-1].op == "*":
        session.report(InputScaled(spine[-1].right.span.text), spine[-1].span)
    for step in reversed(spine):
        right = guarded(scope, session, operand, step.right, scope, session)
        value = guarded(scope, session, infix, step, value, right, scope, session)
    return value


def _unary_operand(node: ast.TensorUnary, scope: Scope, session: Session) -> Operand:
    return prefix(node, operand(node.operand, scope, session), scope, session)


OPERANDS: dict[type[ast.Tensor], Callable[[Any, Scope, Session], Operand]] = {
    ast.Apply: _apply_operand,
    ast.Group: _group_operand,
    ast.Pipeline: run_pipeline,
    ast.Scalar: lambda node, scope, session: node.value,
    ast.Value: lambda node, scope, session: evaluate(node.value, scope, session),
    ast.TensorBinary: _binary_operand,
    ast.TensorUnary: _unary_operand,
    ast.Input: lambda node, scope, session: make_input(node, "", scope, session),
    ast.Param: make_param,
    ast.Table: make_table,
    ast.Repeat: _from_in,
    ast.Each: _from_in,
    ast.Is: _from_in,
}


# --- stages --------------------------------------------------------------------------------------------------------------------


def run_stage(node: ast.Tensor, flow: Flow, scope: Scope, session: Session, shared: SharedModule | None = None) -> Flow:
    """A stage on what flows into it."""
    rule = STAGES.get(type(node))
    if rule is None:
        raise Failure(NotAStage(node.span.text.split()[0], "where a pipeline begins"), node.span)
    return rule(node, flow, scope, session, shared)


def _stage_entity(node: ast.Apply, scope: Scope, session: Session) -> tuple[Any, ast.Apply]:
    """The block, shared stage or operator class that a stage names, and the stage with all arguments."""
    found = scope.find(node.name)
    value = found[0].value if found is not None else None
    if isinstance(value, LazyLet) and found is not None:
        value = force(found[0], value, session)
    if isinstance(value, (BlockDef, SharedDef, OperatorRef, StageClosure)):
        used = scope.use(node.name)
        assert used is not None
        entity = used.value
        if isinstance(entity, StageClosure):
            node, entity = applied(entity, node, scope, session), entity.stage
        return (Operator.registry[entity.operator] if isinstance(entity, OperatorRef) else entity), node
    if node.name in Operator.registry:
        return Operator.registry[node.name], node
    if isinstance(value, Unknown):
        raise AlreadyReported
    raise unbound(node, scope, session) if found is None else bound_otherwise(node, found[0])


def _run_apply(node: ast.Apply, flow: Flow, scope: Scope, session: Session, shared: SharedModule | None) -> Flow:
    if node.name == "in":
        raise Failure(NotAStage("in", "what flows into the body"), node.name_span)
    entity, node = _stage_entity(node, scope, session)
    use = USES.get(type(entity), operate)
    return use(node, entity, flow, scope, session, shared)


def _run_group(node: ast.Group, flow: Flow, scope: Scope, session: Session, shared: SharedModule | None) -> Flow:
    if node.label is not None or shared is not None:
        return _labelled_group(node, flow, scope, session, shared)
    inner = Scope(scope, scope.frame)
    inner.bind("in", main_result(flow))
    return _members(node, inner, session)


def _members(node: ast.Group, inner: Scope, session: Session) -> Flow:
    return notice_unused(inner, _tuple(node, inner, session), node.span, session)


def _tuple(node: ast.Group, scope: Scope, session: Session) -> Flow:
    """The members' results, one after another; of one member, its own."""
    flows = [run_tensor(member, scope, session) for member in node.members]
    if len(flows) == 1:
        return flows[0]
    values = [tensors(flow) for flow in flows]
    if any(v is None for v in values):
        return UNKNOWN
    return TensorTuple(check_tuple(tuple(v for found in values if found is not None for v in found), node.span))


def _labelled_group(node: ast.Group, flow: Flow | None, scope: Scope, session: Session, shared: SharedModule | None = None) -> Flow:
    label = shared.label if shared is not None else stage_label(node.label, "group", node.span, scope, session)
    entry = elaborate_body(node, flow, scope, session, lambda inner: _members(node, inner, session), name=label)
    return emit_call(entry, flow, scope, session, label=label, span=node.span, shared=shared)


def _run_is(node: ast.Is, flow: Flow, scope: Scope, session: Session, shared: SharedModule | None) -> Flow:
    return check_is(node, flow, scope, session)


StageRule = Callable[[Any, Flow, Scope, Session, SharedModule | None], Flow]
STAGES: dict[type[ast.Tensor], StageRule] = {ast.Apply: _run_apply, ast.Group: _run_group, ast.Is: _run_is}
"""How each kind of stage runs. The loops and choices, which run bodies of statements, put themselves in (loops.py, choices.py)."""

USES: dict[type, Callable[[ast.Apply, Any, Flow, Scope, Session, SharedModule | None], Flow]] = {}
"""How a name is used as a stage that is not an operator: blocks and shared stages (blocks.py, shares.py)."""
