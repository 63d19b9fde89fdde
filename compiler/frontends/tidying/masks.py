"""Masks of attention that say what the operator says by itself: nothing is hidden, or what comes later is.

In: a program whose tables are as simple as tables.py makes them. Out: the same program, in which attention has no such mask, or
`causal=true`. Always: a mask is known through the calls of graphs, and the same in all of them.
"""

from __future__ import annotations

import math

from ...ir.graph import OpNode, Program
from ...ir.types import BOOL
from ...ir.values import Value
from ...ir.walk import graphs
from ...ops.attention import Attention
from ...ops.comparison import Where
from ...ops.constants import TableOperator
from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, UnaryFormula
from ...ops.multihead import MultiheadAttention
from ...ops.operand import NAMED
from .origins import Origins
from .view import GraphView


def masks(program: Program) -> None:
    """Rewrites all of them."""
    origins = Origins(program.main)
    for graph in graphs(program.main):
        view = GraphView(graph, program.facts)
        for node in list(graph.nodes):
            if isinstance(node, OpNode) and isinstance(node.op, Attention):
                _simplify(view, node, origins)
            elif isinstance(node, OpNode) and isinstance(node.op, MultiheadAttention):
                _simplify_multihead(view, node, origins)


def _simplify(view: GraphView, node: OpNode, origins: Origins) -> None:
    if len(node.inputs) != 4 or node.op.args["causal"]:
        return
    q, k, v, mask = node.inputs
    chosen = view.made_by(mask, Where)
    if chosen is not None and len(chosen.inputs) == 2 and not chosen.op.number_first and _hides_nothing(chosen.inputs[0], origins):
        mask = chosen.inputs[1]
    arguments = {name: value for name, value in node.op.args.items() if name not in (NAMED, "align")}
    if _hides_nothing(mask, origins):
        view.put(node, Attention(**arguments), (q, k, v))
    elif _is_causal(mask, origins):
        view.put(node, Attention(**{**arguments, "causal": True, "align": _align(view, q, k)}), (q, k, v))
    elif mask is not node.inputs[3]:
        view.put(node, Attention(**arguments, align=node.op.args["align"], **{NAMED: ("mask",)}), (q, k, v, mask))


def _simplify_multihead(view: GraphView, node: OpNode, origins: Origins) -> None:
    """The same of the operator that has projections, whose bool masks are true where nothing is seen. Its parameters stay."""
    given = node.op.bind(tuple(value.type for value in node.inputs), view.facts)
    if "attn_mask" not in given or node.op.args["causal"] or node.shared is not None:
        return
    at = given.position("attn_mask")
    mask, inputs = node.inputs[at], (*node.inputs[:at], *node.inputs[at + 1 :])
    arguments = {name: value for name, value in node.op.args.items() if name not in (NAMED, "align")}
    if _is_causal(mask, origins, hides=True):
        keys = node.inputs[given.position(MultiheadAttention.keys(given))]
        arguments |= {"causal": True, "align": _align(view, node.inputs[0], keys)}
    elif not _hides_nothing(mask, origins, hides=True):
        return
    named = tuple(name for name in node.op.args.get(NAMED, ()) if name != "attn_mask")
    op = MultiheadAttention(**arguments, **({NAMED: named} if named else {}))
    if op.infer(op.bind(tuple(value.type for value in inputs), view.facts))[: len(node.outputs)] == tuple(v.type for v in node.outputs):
        node.op, node.inputs = op, inputs


def _align(view: GraphView, queries: Value, keys: Value) -> str | None:
    """Which position of both is the same, where it has to be said."""
    return None if view.facts.equal(queries.type.shape[-2], keys.type.shape[-2]) else "start"


def _hides_nothing(mask: Value, origins: Origins, *, hides: bool = False) -> bool:
    """Whether it is the same for all keys: true everywhere, or false if a mask `hides` where it is true; or zeros, which are added."""
    formula = _formula(mask, origins)
    if mask.type.dtype == BOOL:
        return formula == Const(not hides)
    return formula is not None and _number(formula) == 0


def _is_causal(mask: Value, origins: Origins, *, hides: bool = False) -> bool:
    """Whether a query sees the positions up to its own, both counted from 0: by a mask that is true there, or elsewhere if it `hides`; or
    by one that is added, of 0 there and minus infinity elsewhere.
    """
    made = origins.of(mask)
    formula = _formula(mask, origins)
    if made is None or formula is None or mask.type.rank < 2 or made.op.args["shape"][-2:] != mask.type.shape[-2:]:
        return False
    if mask.type.dtype != BOOL:
        added = _added(formula)
        if added is None:
            return False
        formula, hides = added
    while isinstance(formula, UnaryFormula) and formula.op == "not":
        formula, hides = formula.operand, not hides
    rank = len(made.op.args["shape"])
    query, key = IndexFormula(rank - 2), IndexFormula(rank - 1)
    wanted = {(">", key, query), ("<", query, key)} if hides else {("<=", key, query), (">=", query, key)}
    return isinstance(formula, BinaryFormula) and (formula.op, formula.left, formula.right) in wanted


def _added(formula: Formula) -> tuple[Formula, bool] | None:
    """The condition of a mask that is added, and whether keys are hidden where it is true; None if it is not 0 and minus infinity."""
    match formula:
        case CallFormula("where", (condition, then, otherwise)):
            numbers = (_number(then), _number(otherwise))
            return (condition, numbers[0] != 0) if numbers in ((-math.inf, 0), (0, -math.inf)) else None
    return None


def _number(formula: Formula) -> object:
    """The number that it is, None for one that depends on anything."""
    match formula:
        case Const(int() | float() as number):
            return number
        case UnaryFormula("-", Const(int() | float() as number)):
            return -number
    return None


def _formula(mask: Value, origins: Origins) -> Formula | None:
    made = origins.of(mask)
    return made.op.formula if made is not None and isinstance(made.op, TableOperator) and made.op.element == mask.type.dtype else None
