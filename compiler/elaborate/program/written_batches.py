"""Warns of a batch size at the front of a shape: `input [32, 3]`, where a PyTorch user means 32 samples.

There is no warning where a stage combines the positions along that axis, where the sizes are written as `32x3`, or for a number that is
rarely a batch size.

    >>> import netc
    >>> netc.compile("input [32, 3] -> dense 2").diagnostics[0].message
    'no stage combines the 32 positions along axis 1 of [N, 32, 3], as if they were a batch'
"""

from __future__ import annotations

from netc.dsl import ast

from ...binding.dimension_names import inputs_of
from ...errors.habit_errors import BatchSizeWritten
from ...ir.graph import Graph, OpNode
from ...ir.graph_values import Value
from ..elaboration_session import ElaborationSession

_USUAL_BATCHES = (16, 32, 64, 128, 256, 512)
_MAX_OPERATORS = 1000
"""The operators of a model that is looked at."""


def warn_of_batches(body: ast.Body, graph: Graph, session: ElaborationSession) -> None:
    """The warning for the only input of a model, of two sizes in brackets."""
    # The check walks over all operators of the model.
    if len(graph.inputs) != 1 or graph.size > _MAX_OPERATORS:
        return
    declared = list(inputs_of(body.statements))
    if len(declared) != 1:
        return
    shape, x = declared[0].shape, graph.inputs[0]
    if not isinstance(shape, ast.ListExpr) or not x.type.is_batch or x.type.rank != 3 or x.type.shape[1] not in _USUAL_BATCHES:
        return
    if all(isinstance(item, ast.NumberLiteral) for item in shape.items) and _keeps_axis(graph, x):
        session.report_problem(BatchSizeWritten(x.type, shape.items[0].span.text, shape.items[1].span.text), shape.span)


def _keeps_axis(graph: Graph, x: Value) -> bool:
    """Whether all stages work on each position alone, one of them a layer, and all results have the axis."""
    from ...ir.flat_graph import FlatGraph
    from ...ops.dense import Dense

    nodes = [use.node for use in FlatGraph(graph).iterate_operators()]
    kept = all(value.type.rank == 3 and value.type.shape[:2] == x.type.shape[:2] for value in graph.outputs)
    return kept and any(isinstance(node.op, Dense) for node in nodes) and all(map(_is_positionwise, nodes))


def _is_positionwise(node: OpNode) -> bool:
    from ...ops.dense import Dense
    from ...ops.normalization import LayerNorm, RMSNorm

    op = node.op
    return len(node.inputs) == 1 and (isinstance(op, (Dense, LayerNorm, RMSNorm)) or (op.pointwise and op.args.get("axis", -1) in (-1, 2)))
