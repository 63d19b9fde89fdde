"""`trainable=false`: stages whose parameters are not trained.

`freeze_new_nodes` marks the nodes that a stage adds to the graph. A stage within a frozen one is frozen, whatever it says itself.

    >>> import netc
    >>> main = netc.compile("input 3 -> (dense 4 as fc) trainable=false -> dense 2 as head").program.main
    >>> {node.label: node.frozen for node in main.nodes}
    {'fc': True, 'head': False}
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


def trainable_keyword(node: ast.Apply, named: BlockDef | SharedDef | type[Operator]) -> ast.Keyword | None:
    """The keyword `trainable` of a stage that has no argument of this name."""
    keyword = next((k for k in node.keywords if k.name == TRAINABLE), None)
    if keyword is None:
        return None
    match named:
        case BlockDef():
            is_argument = any(isinstance(p, ast.ParameterDecl) and p.name.name == TRAINABLE for p in named.node.parameters)
        case SharedDef():
            is_argument = True
        case _:
            is_argument = TRAINABLE in named.signature or named.parameters is Operator.parameters
    return None if is_argument else keyword


@contextmanager
def freeze_new_nodes(keyword: ast.Keyword | None, trainable: bool, scope: Scope) -> Iterator[None]:
    """Marks what is added to the graph meanwhile, if it is not to be trained."""
    nodes = scope.frame.graph.nodes if scope.frame is not None else []
    start = len(nodes)
    yield
    if keyword is None or trainable or len(nodes) == start:
        return
    frozen = [node for node in nodes[start:] if _has_parameters(node)]
    # An argument without an effect is an error everywhere.
    if not frozen:
        raise Failure(NothingToFreeze(), keyword.span)
    for node in frozen:
        node.frozen = True


def _has_parameters(node: Node) -> bool:
    stack: list[Node] = [node]
    seen: set[int] = set()
    while stack:
        current = stack.pop()
        if isinstance(current, OpNode):
            if any(spec.trainable for spec in current.specs):
                return True
        elif id(current.graph) not in seen:
            seen.add(id(current.graph))
            stack += current.graph.nodes
    return False
