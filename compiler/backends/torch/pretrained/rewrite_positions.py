"""Let rotary positions and tables of positions take the position of each token, `position_ids`.

In: a program that takes tokens. Out: the same program, with the new input wherever a stage depends on positions. A stage that computes with
positions in another way raises `NotPretrained`, because its result would not fit the positions of a cache.
"""

from __future__ import annotations

from ....dims import Dim
from ....ir.graph import CallNode, Graph, Node, OpNode, Program
from ....ir.graph_values import Value
from ....ir.replace_values import replace_values
from ....ir.walk import collect_graphs
from ....ops.constants import ParamOperator, TableOperator
from ....ops.formula import IndexFormula
from ....ops.operator import OperatorError
from ....ops.rotary import Rotary
from ....ops.slicing import Slice
from ....types.tensor_types import INT64
from .interface_operators import PositionRows
from .pass_inputs import pass_input, retype_values
from .pretrained_program import POSITIONS, NotPretrained


def rewrite_positions(program: Program, base: CallNode | None, tokens: Value) -> bool:
    """Let rotary positions, tables of positions and learned tables of positions take the position of each token."""
    order, length = collect_graphs(program.main), tokens.type.shape[1]
    needing = [graph for graph in order if any(_depends_on_position(node, graph, length) for node in graph.nodes)]
    if not needing:
        return False
    batch = tokens.type
    # layers get `position_ids` in their keywords too, for implementations of attention, so their own argument has another name
    called = [program.main, *([] if base is None else [base.graph])]
    names = {id(graph): POSITIONS for graph in called}
    values = pass_input(order, needing, lambda graph: Value(batch, graph.span, names.get(id(graph), "positions")))
    changed = {id(value) for value in values.values()}
    for graph in needing:
        positions = values[id(graph)]
        nodes: list[Node] = []
        for node in graph.nodes:
            if not _depends_on_position(node, graph, length):
                nodes.append(node)
                continue
            assert isinstance(node, OpNode)
            if isinstance(node.op, Rotary):
                nodes.append(OpNode(node.op, (*node.inputs, positions), node.outputs, node.label, node.span, ()))
            elif isinstance(node.op, Slice):
                (rows,) = node.outputs
                rows.type = rows.type.with_shape((*batch.shape, *rows.type.shape[1:]))
                changed.add(id(rows))
                nodes.append(OpNode(PositionRows(), (node.inputs[0], positions), node.outputs, node.label, node.span, ()))
            else:
                replace_values(graph, {id(node.outputs[0]): positions})
        graph.nodes = nodes
    try:
        retype_values(program.main, changed, program.facts)
    except OperatorError as error:
        raise NotPretrained(f"its positions cannot differ between samples: {error}") from None
    return True


def _depends_on_position(node: Node, graph: Graph, length: Dim) -> bool:
    """Whether a stage depends on positions in a way that `position_ids` can replace. `length` is the number of tokens."""
    if isinstance(node, CallNode):
        return False
    match node.op:
        case Rotary():
            return len(node.inputs) == 1
        case TableOperator() as op if length in op.shape:
            if op.shape != (length,) or op.formula != IndexFormula(0) or op.element_type != INT64:
                raise NotPretrained(f"`table` (`{node.label}`) is computed from positions, which netc cannot take from a cache")
            return True
        case Slice() as op if node.outputs[0].type.shape[0] == length:
            makers = [n for n in graph.nodes if isinstance(n, OpNode) and n.outputs[0] is node.inputs[0]]
            if not makers or not isinstance(makers[0].op, ParamOperator) or op.start not in (None, 0):
                raise NotPretrained(f"`slice` (`{node.label}`) takes positions that netc cannot take from a cache")
            return True
    return False
