"""Stages with arguments as values: `(batch_norm eps=0.001)`, given to a block as `norm=...` or bound by `let`.

In: the expression, and the scope it is written in. Out: a `StageClosure`, whose arguments have been worked out there, so that it means the
same wherever it is used; and, where it is used, the stage with what is written there added. Always: a wrong argument is told at its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..errors.names import ArgumentTwice, NotAStage
from ..ir.graph import Value
from ..ops.base import Operator
from ..ops.kinds import Kind
from .evaluate import RULES, evaluate, force, known, lookup
from .limits import check_partial, stages_within
from .scope import Scope
from .session import Session
from .unknown import unbound
from .values import BlockDef, ConstExpr, Failure, LazyLet, OperatorRef, StageClosure, TensorTuple, show_value


class TrailingActivation(Record):
    """The activation behind a stage, and where it is written."""

    op: Operator
    span: Span


def make_partial(expr: ast.StageExpr, scope: Scope, session: Session) -> StageClosure:
    """The value of `(name arguments)`."""
    node = expr.stage
    if scope.find(node.name) is None and node.name not in Operator.registry:
        raise unbound(node, scope, session)
    if hidden_by_tensor(node.name, scope):
        target: Any = OperatorRef(node.name)
    else:
        target = known(lookup(node.name, node.name_span, scope, session), node.name, node.name_span, session)
    if isinstance(target, StageClosure):
        node, target = applied(target, node, scope, session), target.stage
    if isinstance(target, OperatorRef):
        return _of_operator(target, node, expr.span, scope, session)
    if isinstance(target, BlockDef):
        return _of_block(target, node, expr.span, scope, session)
    raise Failure(NotAStage(node.name, f"the value {show_value(target)}"), node.name_span)


def _of_operator(target: OperatorRef, node: ast.Apply, span: Span, scope: Scope, session: Session) -> StageClosure:
    from .arguments import bind_written, raw_value

    cls = Operator.registry[target.operator]
    written = bind_written(cls, node, scope, session)

    def worked_out(name: str, kind: Kind[Any], value: ast.Expr) -> ConstExpr:
        return value if isinstance(value, ConstExpr) else ConstExpr(value.span, raw_value(cls.name, name, kind, value, scope, session))

    slots = [arg for arg in cls.signature.values() if arg.positional]
    positional = tuple(worked_out(a.name, a.kind, e) for a, e in zip(slots, written.positional, strict=False))
    kinds = {alias: arg.kind for arg in cls.signature.values() for alias in (arg.name, arg.alias) if alias}
    keywords = []
    for keyword in node.keywords:
        kind = kinds.get(keyword.name, cls.open_keywords)
        value = keyword.value if kind is None else worked_out(keyword.name, kind, keyword.value)  # `tie` holds a way, not a value
        keywords.append(ast.Keyword(keyword.span, keyword.name, keyword.name_span, value))
    return _value(target, positional, tuple(keywords), written.activation, span)


def _of_block(target: BlockDef, node: ast.Apply, span: Span, scope: Scope, session: Session) -> StageClosure:
    from .arguments import check_given

    check_given(target.node.name.name, [p for p in target.node.parameters if isinstance(p, ast.Parameter)], node)

    def worked_out(value: ast.Expr) -> ConstExpr:
        return value if isinstance(value, ConstExpr) else ConstExpr(value.span, evaluate(value, scope, session))

    keywords = tuple(ast.Keyword(k.span, k.name, k.name_span, worked_out(k.value)) for k in node.keywords)
    return _value(target, tuple(worked_out(e) for e in node.positional), keywords, None, span)


def _value(
    target: OperatorRef | BlockDef,
    positional: tuple[ConstExpr, ...],
    keywords: tuple[ast.Keyword, ...],
    activation: TrailingActivation | None,
    span: Span,
) -> StageClosure:
    given = (*positional, *(k.value for k in keywords))
    size = 1 + sum(stages_within(e.value) for e in given if isinstance(e, ConstExpr))
    return check_partial(StageClosure(target, positional, keywords, activation, span, size))


def applied(partial: StageClosure, node: ast.Apply, scope: Scope, session: Session) -> ast.Apply:
    """The stage that `node` is when its name stands for `partial`: its own arguments come behind, and replace those of the same name."""
    slots, names = _parameters(partial.stage)
    own = {names.get(k.name, k.name) for k in node.keywords}
    here = node.name_span
    positional = tuple(ConstExpr(here, e.value) for e in partial.positional)
    before = {names.get(k.name, k.name): ast.Keyword(here, k.name, here, _moved(k.value, here)) for k in partial.keywords}
    ends = isinstance(partial.stage, OperatorRef) and _ends_in_activation(node.positional, scope, session)
    for slot, expr in zip(slots[len(positional) :], node.positional[: len(node.positional) - ends], strict=False):
        if slot in before:
            raise Failure(ArgumentTwice(node.name, slot), expr.span, ((here, "given by name in what this stands for"),))
    keywords = (*(k for name, k in before.items() if name not in own), *node.keywords)
    activation: ast.Expr | None = node.activation
    if partial.activation is not None and activation is None and not ends:
        activation = ConstExpr(here, partial.activation.op)
    return ast.Apply(node.span, node.name, here, (*positional, *node.positional), keywords, node.label, False, activation)


def _parameters(stage: OperatorRef | BlockDef) -> tuple[list[str], dict[str, str]]:
    """What a stage takes without a name, in order; and for each name of an argument the one that it goes by."""
    if isinstance(stage, BlockDef):
        return [p.name.name for p in stage.node.parameters if isinstance(p, ast.Parameter)], {}
    signature = Operator.registry[stage.operator].signature.values()
    return [arg.name for arg in signature if arg.positional], {arg.alias: arg.name for arg in signature if arg.alias}


def _moved(value: ast.Expr, here: Span) -> ast.Expr:
    return ConstExpr(here, value.value) if isinstance(value, ConstExpr) else value


def _ends_in_activation(positional: Iterable[ast.Expr], scope: Scope, session: Session) -> bool:
    last = tuple(positional)[-1:]
    return bool(last) and activation_named(last[0], scope, session) is not None


# --- activations ---------------------------------------------------------------------------------------------------------------


def activation_named(expr: ast.Expr, scope: Scope, session: Session) -> TrailingActivation | None:
    """The activation that an argument names or is: an operator, a name that stands for one, or one with arguments in parentheses."""
    stage = _stage_of(expr, scope, session)
    if isinstance(stage, Operator):
        return TrailingActivation(stage, expr.span)
    if isinstance(stage, OperatorRef) and is_activation(stage.operator):
        return TrailingActivation(Operator.registry[stage.operator](), expr.span)
    if isinstance(stage, StageClosure) and isinstance(stage.stage, OperatorRef) and is_activation(stage.stage.operator):
        from .arguments import bind_operator

        bare = ast.Apply(expr.span, stage.stage.operator, expr.span, (), ())
        return TrailingActivation(
            bind_operator(Operator.registry[bare.name], applied(stage, bare, scope, session), scope, session).op, expr.span
        )
    return None


def _stage_of(expr: ast.Expr, scope: Scope, session: Session) -> object:
    match expr:
        case ConstExpr(value=value):
            return value
        case ast.StageExpr():
            return make_partial(expr, scope, session)
        case ast.Name(name=name):
            found = scope.find(name)
            if found is None or hidden_by_tensor(name, scope):
                return OperatorRef(name)
            value = found[0].value
            value = force(found[0], value, session) if isinstance(value, LazyLet) else value
            if isinstance(value, (OperatorRef, StageClosure)):
                scope.use(name)
            return value
    return None


def hidden_by_tensor(name: str, scope: Scope) -> bool:
    """Whether an operator is meant though a tensor has its name: a tensor is no stage."""
    found = scope.find(name)
    return found is not None and isinstance(found[0].value, (Value, TensorTuple)) and name in Operator.registry


def is_activation(name: str) -> bool:
    operator = Operator.registry.get(name)
    return operator is not None and operator.is_activation


RULES[ast.StageExpr] = make_partial
