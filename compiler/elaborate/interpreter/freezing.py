"""`trainable=false`: stages whose parameters are not trained.

In: a stage, and the keyword on it. Out: the nodes that it adds to the graph, marked. Always: a stage within one that is frozen is frozen,
whatever it says itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netc.dsl import ast

from ...errors.parameter_errors import NothingToFreeze
from ...ir.graph import Node, OpNode
from ...ops.operator import Operator
from ..scopes.early_exits import Failure
from ..scopes.scope import BlockDef, Scope, SharedDef

TRAINABLE = "trainable"


def own_keyword(node: ast.Apply, named: BlockDef | SharedDef | type[Operator]) -> ast.Keyword | None:
    """The keyword `trainable` of a stage that has no argument of this name."""
    found = next((k for k in node.keywords if k.name == TRAINABLE), None)
    if found is None:
        return None
    match named:
        case BlockDef():
            taken = any(isinstance(p, ast.ParameterDecl) and p.name.name == TRAINABLE for p in named.node.parameters)
        case SharedDef():
            taken = True
        case _:
            taken = TRAINABLE in named.signature or named.parameters is Operator.parameters
    return None if taken else found


@contextmanager
def freezing(keyword: ast.Keyword | None, trainable: bool, scope: Scope) -> Iterator[None]:
    """Marks what is added to the graph meanwhile, if it is not to be trained."""
    nodes = scope.frame.graph.nodes if scope.frame is not None else []
    start = len(nodes)
    yield
    if keyword is None or trainable or len(nodes) == start:
        return
    found = [node for node in nodes[start:] if _has_parameters(node)]
    if not found:
        raise Failure(NothingToFreeze(), keyword.span)
    for node in found:
        node.frozen = True


def _has_parameters(node: Node) -> bool:
    stack: list[Node] = [node]
    seen: set[int] = set()
    while stack:
        found = stack.pop()
        if isinstance(found, OpNode):
            if any(spec.trainable for spec in found.specs):
                return True
        elif id(found.graph) not in seen:
            seen.add(id(found.graph))
            stack += found.graph.nodes
    return False
