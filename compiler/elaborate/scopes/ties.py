"""`tie=label`, a weight that belongs to another stage, and `norms_of=label`, a parameter that starts as the norms of another one.

Both are resolved when a body is complete, since the other stage may come later in the text.

    >>> import netc
    >>> main = netc.compile("x = input [] int64; x -> embedding 10 4 as wte -> dense 10 tie=wte bias=false as head").program.main
    >>> main.nodes[1].tie.name, main.nodes[1].tie.path, main.nodes[1].tie.target_name
    ('weight', 'wte', 'weight')
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...errors.parameter_errors import NoNorms, NormsMismatch, TieMismatch, TieTarget
from ...errors.value_errors import NotANumber
from ...ir.graph import CallNode, Graph, Node, OpNode, Tie, has_operator
from ...ir.walk import find_route, join_labels
from ...types.tensor_types import show_shape
from .early_exits import Failure

WEIGHT = ".weight"


class PendingTie(Record):
    """A node that uses the weight of the stage named by `keyword`."""

    node: OpNode
    keyword: ast.Keyword

    @property
    def path(self) -> str:
        return tie_path(self.keyword.value)

    @property
    def span(self) -> Span:
        return self.keyword.value.span

    def resolve_in(self, graph: Graph) -> None:
        """Finds the stage in the node's own graph, or in a graph that it calls."""
        resolve_tie(self, graph)


class PendingNorms(Record):
    """A parameter that starts as the norms of the rows of the one with the label `path`."""

    node: OpNode
    path: str
    span: Span

    def resolve_in(self, graph: Graph) -> None:
        """Checks that the other one is in the same graph, and has a row for each of the norms."""
        from ...ops.constants import ParamOperator  # with all formulas of tables; only a norm needs them

        (norms,) = self.node.outputs
        params = [n for n in graph.nodes if has_operator(n, ParamOperator)]
        labeled = {n.label: n.outputs[0] for n in params if n.op.args["norms_of"] is None}
        other = labeled.get(self.path)
        if other is None:
            raise Failure(NoNorms(self.path, tuple(find_similar_names(self.path, list(labeled)))), self.span)
        wanted = (other.type.shape[:1] + (1,) * (other.type.rank - 1)) if other.type.rank else ()
        if norms.type.shape != wanted or not norms.type.dtype.is_float:
            problem = NormsMismatch(self.path, show_shape(other.type.shape), show_shape(wanted), show_shape(norms.type.shape))
            raise Failure(problem, self.span, ((other.span, f"this is {show_shape(other.type.shape)}"),))


def resolve_tie(pending: PendingTie, graph: Graph) -> None:
    path = pending.path
    route_nodes = find_route(graph, path)
    if not route_nodes and path.endswith(WEIGHT):  # `wte.weight` is the weight of `wte`
        path = path.removesuffix(WEIGHT)
        route_nodes = find_route(graph, path)
    target = route_nodes[-1] if route_nodes and isinstance(route_nodes[-1], OpNode) else None
    span = pending.span
    if route_nodes and isinstance(route_nodes[-1], CallNode):
        inside = [n.label for n in route_nodes[-1].graph.nodes if isinstance(n, OpNode) and any(spec.name == "weight" for spec in n.specs)]
        close = tuple(f"{path}.{label}" for label in inside[:2])
        raise Failure(TieTarget(path, close, "it has no weight of its own, but stages inside of it"), span)
    if target is None:
        labels = [n.label for n in graph.nodes if n.label != pending.node.label]
        raise Failure(TieTarget(path, tuple(find_similar_names(path, labels))), span)
    own_weight = next(s for s in pending.node.specs if s.name == "weight")
    other = next((s for s in target.specs if s.name == "weight"), None)
    if other is None or target is pending.node:
        problem = TieTarget(path, (), "that stage has no weight of its own", weightless=True)
        raise Failure(problem, span, ((target.span, "this one"),))
    # PyTorch would share the tensor anyway, and fail at the first forward pass.
    if other.shape != own_weight.shape:
        raise Failure(
            TieMismatch(show_shape(own_weight.shape), path, show_shape(other.shape)),
            span,
            ((target.span, f"its weight is {show_shape(other.shape)}"),),
        )
    # A circle of ties has no weight at all.
    if _leads_to(target, pending.node, graph):
        problem = TieTarget(path, (), "that stage has the weight of this one", weightless=True)
        raise Failure(problem, span, ((target.span, "tied to this one"),))
    pending.node.tie = Tie("weight", path, "weight", span)


def _leads_to(node: Node, end: OpNode, graph: Graph) -> bool:
    """Whether ties lead from the weight of `node` to the weight of `end`. Ties lead into bodies, not out of them: a circle is within
    one."""
    while isinstance(node, OpNode) and node.tie is not None and node in graph.nodes:
        route_nodes = find_route(graph, node.tie.path)
        if not route_nodes or route_nodes[-1] is end:
            return bool(route_nodes)
        node = route_nodes[-1]
    return False


def tie_path(expr: ast.Expr) -> str:
    """The path of labels that a `tie=` names."""
    match expr:
        case ast.String(_, text):
            return text
        case ast.Name(_, name):
            return name
        case ast.Attribute(_, value, name):
            return join_labels(tie_path(value), name)
    raise Failure(NotANumber("`tie`", "the label of a stage", f"`{expr.span.text}`"), expr.span)
