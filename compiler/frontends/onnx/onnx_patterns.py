"""Folds operators that exporters wrote out into one operator of netc.

PyTorch exports `group_norm` as Reshape, InstanceNormalization, Reshape, Mul and Add.

In: a graph without calls. Out: the same graph, with such operators folded. Always: values are the same except for rounding. An operator in
between that something else reads stays.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir.graph import Graph, OpNode
from ...ir.graph_values import Value
from ...ops.comparison import Isnan, Where
from ...ops.normalization import GroupNorm, InstanceNorm, LayerNorm
from ...ops.reduction import Any, Logsumexp, MinMaxReduction
from ...ops.regularization import Identity
from ...ops.shape import Flatten, Reshape, Unflatten
from ..composites import recognize_operator
from ..graph_view import GraphView
from ..layout_patterns import drop_undone, merge_permutations, merge_reshapes
from .emitter import Emitter
from .spread import fold_adaptive_pool

FoldFunction = Callable[[GraphView, OpNode], bool]
_SHAPE_OPERATORS = (Reshape, Flatten, Unflatten)


def fold_patterns(emit: Emitter) -> None:
    """Apply the patterns to the emitter's graph, in place."""
    view = GraphView(emit.builder.graph, emit.facts)
    for patterns in PATTERNS:
        for node in list(view.graph.nodes):
            # An operator with parameters is never the last step of a pattern.
            if isinstance(node, OpNode) and not node.specs:
                any(pattern(view, node) for pattern in patterns)
        _drop_identities(view.graph)


def _drop_identities(graph: Graph) -> None:
    """Drop identities, except between an input and an output of the model."""
    instead: dict[int, Value] = {}
    ports = {id(v) for v in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        node.inputs = tuple(instead.get(id(v), v) for v in node.inputs)
        if isinstance(node, OpNode) and node.op.name == "identity" and not (id(node.outputs[0]) in ports and id(node.inputs[0]) in ports):
            instead[id(node.outputs[0])] = node.inputs[0]
            ports.add(id(node.inputs[0]) if id(node.outputs[0]) in ports else 0)
    graph.outputs = [instead.get(id(v), v) for v in graph.outputs]


def fold_composite(view: GraphView, node: OpNode) -> bool:
    """Replace the written-out definition of an operator, such as `gelu` or `attention`, by the operator."""
    match = recognize_operator(view, node)
    return match is not None and match.replace_node(view, node)


def drop_nan_guard(view: GraphView, node: OpNode) -> bool:
    """Drop `where(any(isnan(x)), nan, max(x))`, because `max` in netc is NaN then anyway. The same goes for `min` and `logsumexp`.

    The files that netc writes have this guard.
    """
    number = node.op.scalars[0] if isinstance(node.op, Where) and node.op.number_first and len(node.inputs) == 2 else 0.0
    if number == number:
        return False
    seen, value = view.match_maker(node.inputs[0], Any), view.match_maker(node.inputs[1], MinMaxReduction, Logsumexp)
    isnan = view.match_maker(seen.inputs[0], Isnan) if seen is not None else None
    return (
        isnan is not None
        and value is not None
        and isnan.inputs == value.inputs
        and view.replace_operator(node, Identity(), node.inputs[1:])
    )


def fold_group_norm(view: GraphView, node: OpNode) -> bool:
    """Fold an instance norm between two reshapes into `group_norm`. The number of groups is only in the shapes."""
    normal = view.match_maker(node.inputs[0], InstanceNorm, LayerNorm) if isinstance(node.op, _SHAPE_OPERATORS) else None
    # Parameters of an instance norm are one for each group, which group_norm does not have.
    if normal is None or normal.specs or normal.inputs[0].type.rank != 3 or len(normal.inputs) != 1:
        return False
    first = view.match_maker(normal.inputs[0], *_SHAPE_OPERATORS)
    if first is None or first.inputs[0].type != node.outputs[0].type or node.outputs[0].type.rank < 3:
        return False
    x, groups = first.inputs[0], normal.inputs[0].type.shape[1]
    if not isinstance(groups, int) or normal.op.args.get("shape") is not None or x.type.shape[0] != normal.inputs[0].type.shape[0]:
        return False
    return view.replace_operator(node, GroupNorm(groups=groups, affine=False, eps=normal.op.args["eps"]), (x,))


PATTERNS: tuple[tuple[FoldFunction, ...], ...] = (
    (fold_composite, drop_undone, merge_permutations, drop_nan_guard),
    (fold_group_norm, drop_undone, merge_reshapes, fold_adaptive_pool),
)
"""The patterns of each pass over the graph. The second pass sees the results of the first."""
