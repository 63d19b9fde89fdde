"""`shared name = stage`: declared once, elaborated at each use, with the same parameters."""

from __future__ import annotations

from netc.dsl import ast

from ..errors.names import TooManyArguments, UnknownArgument
from ..errors.structure import Recursion
from ..ir.graph import SharedModule
from .arguments import extra_argument_hint
from .operators import claim, label_text
from .scope import GraphFrame, Scope
from .session import Session
from .stages import USES, run_stage
from .values import Failure, Flow, SharedDef


def declare_shared(node: ast.Shared, scope: Scope, session: Session) -> SharedDef:
    """The identity of a shared stage, and its label in the graph that is being built: its own, or else its name."""
    assert scope.frame is not None
    label = getattr(node.stage, "label", None)
    if label is not None:
        text = claim(label_text(label, scope, session), label.span, scope.frame)
    else:
        text = claim(node.name.name, node.name.span, scope.frame)
    module = SharedModule(text, node.span)
    scope.frame.graph.declares.append(module)
    return SharedDef(node.stage, scope, module)


def use_shared(node: ast.Apply, shared: SharedDef, flow: Flow, scope: Scope, session: Session, _: SharedModule | None) -> Flow:
    """The stage on what flows in. Its text is read in the scope where it was declared, its nodes go where it is used."""
    if node.positional:
        raise Failure(TooManyArguments(node.name, 0, extra_argument_hint(node.positional[0])), node.positional[0].span)
    if node.keywords:
        raise Failure(UnknownArgument(node.name, node.keywords[0].name), node.keywords[0].name_span)
    if any(a is shared.module for a in session.active):
        found = scope.find(node.name)
        place = found[0].span if found is not None and found[0].span is not None else shared.module.span
        raise Failure(Recursion(node.name, "shared stage"), node.name_span, ((place, f"`{node.name}` is defined here"),))
    inside = _seen_from(shared.scope, scope.frame)
    session.active.append(shared.module)
    session.uses.append(node.name_span)
    try:
        return run_stage(shared.stage, flow, inside, session, shared.module)
    finally:
        session.active.pop()
        session.uses.pop()


def _seen_from(scope: Scope, frame: GraphFrame | None) -> Scope:
    return scope if scope.frame is frame else Scope(scope, frame)


USES[SharedDef] = use_shared
