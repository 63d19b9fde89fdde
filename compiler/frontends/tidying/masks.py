"""Masks of attention that say what the operator says by itself: nothing is hidden, or what comes later is.

In: a program whose tables are as simple as tables.py makes them. Out: the same program, in which attention has no such mask, or
`causal=true`. Always: a mask is known through the calls of graphs, and the same in all of them.
"""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node, OpNode, Program
from ...ir.types import BOOL
from ...ir.values import Value
from ...ir.walk import graphs
from ...ops.attention import Attention
from ...ops.comparison import Where
from ...ops.constants import TableOperator
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ...ops.operand import NAMED
from .origins import Origins
from .view import GraphView


def masks(program: Program) -> None:
    """Rewrites all of them."""
    origins = Origins(program.main)
    for graph in graphs(program.main):
        view = GraphView(graph, program.facts)
        for node in list(graph.nodes):
            _simplify(view, node, origins)


def _simplify(view: GraphView, node: Node, origins: Origins) -> None:
    if not isinstance(node, OpNode) or not isinstance(node.op, Attention) or len(node.inputs) != 4 or node.op.args["causal"]:
        return
    q, k, v, mask = node.inputs
    chosen = view.made_by(mask, Where)
    if chosen is not None and len(chosen.inputs) == 2 and not chosen.op.number_first and _hides_nothing(chosen.inputs[0], origins):
        mask = chosen.inputs[1]
    arguments = {name: value for name, value in node.op.args.items() if name not in (NAMED, "align")}
    if _hides_nothing(mask, origins):
        view.put(node, Attention(**arguments), (q, k, v))
    elif _is_causal(mask, origins):
        align = None if view.facts.equal(q.type.shape[-2], k.type.shape[-2]) else "start"
        view.put(node, Attention(**{**arguments, "causal": True, "align": align}), (q, k, v))
    elif mask is not node.inputs[3]:
        view.put(node, Attention(**arguments, align=node.op.args["align"], **{NAMED: ("mask",)}), (q, k, v, mask))


def _hides_nothing(mask: Value, origins: Origins) -> bool:
    """Whether it is true everywhere; or zeros, which are added."""
    formula = _formula(mask, origins)
    wanted: Any = True if mask.type.dtype == BOOL else 0.0
    return formula == Const(wanted)


def _is_causal(mask: Value, origins: Origins) -> bool:
    """Whether it is true for the positions up to a query's own, both counted from 0."""
    made = origins.of(mask)
    formula = _formula(mask, origins)
    if (
        made is None
        or formula is None
        or mask.type.dtype != BOOL
        or mask.type.rank < 2
        or made.op.args["shape"][-2:] != mask.type.shape[-2:]
    ):
        return False
    rank = len(made.op.args["shape"])
    query, key = IndexFormula(rank - 2), IndexFormula(rank - 1)
    return formula in (BinaryFormula("<=", key, query), BinaryFormula(">=", query, key))


def _formula(mask: Value, origins: Origins) -> Formula | None:
    made = origins.of(mask)
    return made.op.formula if made is not None and isinstance(made.op, TableOperator) and made.op.element == mask.type.dtype else None
