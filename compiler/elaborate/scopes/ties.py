"""`tie=label`: a weight that belongs to another stage. Resolved when a body is complete, since the other stage may come later."""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.record import Record

from ...errors.parameters import TieMismatch, TieTarget
from ...errors.values import NotANumber
from ...ir.graph import Graph, OpNode, Tie
from ...ir.types import show_shape
from ...ir.walk import join, route
from .failures import Failure

WEIGHT = ".weight"


class PendingTie(Record):
    """A node whose weight is that of the stage named by `keyword`."""

    node: OpNode
    keyword: ast.Keyword


def resolve(pending: PendingTie, graph: Graph) -> None:
    """Finds the stage in the node's own graph, or in a graph that it calls."""
    path = tie_path(pending.keyword.value)
    found = route(graph, path)
    if not found and path.endswith(WEIGHT):  # `wte.weight` is the weight of `wte`
        path = path.removesuffix(WEIGHT)
        found = route(graph, path)
    target = found[-1] if found and isinstance(found[-1], OpNode) else None
    span = pending.keyword.value.span
    if target is None:
        labels = [n.label for n in graph.nodes if n.label != pending.node.label]
        raise Failure(TieTarget(path, tuple(near(path, labels))), span)
    own = next(s for s in pending.node.specs if s.name == "weight")
    other = next((s for s in target.specs if s.name == "weight"), None)
    if other is None or target is pending.node:
        problem = TieTarget(path, (), "that stage has no weight of its own", weightless=True)
        raise Failure(problem, span, ((target.span, "this one"),))
    if other.shape != own.shape:
        raise Failure(
            TieMismatch(show_shape(own.shape), path, show_shape(other.shape)),
            span,
            ((target.span, f"its weight is {show_shape(other.shape)}"),),
        )
    pending.node.tie = Tie("weight", path, "weight", span)


def tie_path(expr: ast.Expr) -> str:
    """The path of labels that a `tie=` names."""
    match expr:
        case ast.String(_, text):
            return text
        case ast.Name(_, name):
            return name
        case ast.Attribute(_, value, name):
            return join(tie_path(value), name)
    raise Failure(NotANumber("`tie`", "the label of a stage", f"`{expr.span.text}`"), expr.span)
