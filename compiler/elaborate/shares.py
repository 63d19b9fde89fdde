"""`shared name = stage`: declared once, elaborated at each use, with the same parameters."""

from __future__ import annotations

from netc.dsl import ast

from ..errors.names import TooManyArguments
from ..graph import SharedModule
from .operators import claim
from .scope import Frame, Scope
from .session import Session
from .stages import USES, run_stage
from .values import Failure, Flow, SharedDef


def declare_shared(node: ast.Shared, scope: Scope) -> SharedDef:
    """The identity of a shared stage, and its label in the graph that is being built."""
    assert scope.frame is not None
    module = SharedModule(claim(node.name.name, node.name.span, scope.frame), node.span)
    scope.frame.graph.declares.append(module)
    return SharedDef(node.stage, scope, module)


def use_shared(node: ast.Apply, shared: SharedDef, flow: Flow, scope: Scope, session: Session, _: SharedModule | None) -> Flow:
    """The stage on what flows in. Its text is read in the scope where it was declared, its nodes go where it is used."""
    surplus = [*node.positional, *(k.value for k in node.keywords)]
    if surplus:
        raise Failure(TooManyArguments(node.name, 0), surplus[0].span)
    inside = _seen_from(shared.scope, scope.frame)
    return run_stage(shared.stage, flow, inside, session, shared.module)


def _seen_from(scope: Scope, frame: Frame | None) -> Scope:
    return scope if scope.frame is frame else Scope(scope, frame)


USES[SharedDef] = use_shared
