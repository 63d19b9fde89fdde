"""Replaces masks of attention by arguments: a mask that hides nothing is dropped, and one that hides the later keys is `causal=true`.

A stream cannot compute attention with a mask chunk by chunk, but it can if the operator is causal.

In: a program whose tables are folded (tables.py). Out: the same program with such masks replaced. Always: a mask is followed through the
calls of graphs, and must be the same in all of them.
"""

from __future__ import annotations

from ...ir.graph import OpNode, Program
from ...ir.walk import collect_graphs
from ...ops.attention import Attention
from ...ops.comparison import Where
from ...ops.linear_algebra import Matmul
from ...ops.multihead import MultiheadAttention
from ...ops.operand import NAMED
from ..composites import recognize_hidden_attention
from ..graph_view import GraphView
from .mask_formulas import find_alignment, hides_nothing, is_causal, is_hiding
from .tensor_origins import TensorOrigins


def simplify_masks(program: Program) -> None:
    """Replace all masks that an argument of attention can express."""
    origins = TensorOrigins(program.main)
    for graph in collect_graphs(program.main):
        view = GraphView(graph, program.facts)
        for node in list(graph.nodes):
            match node:
                case OpNode(op=Matmul()):
                    _fold_causal_scores(view, node, origins)
        for node in list(graph.nodes):
            match node:
                case OpNode(op=Attention()):
                    _simplify_mask(view, node, origins)
                case OpNode(op=MultiheadAttention()):
                    _simplify_multihead(view, node, origins)


def _fold_causal_scores(view: GraphView, node: OpNode, origins: TensorOrigins) -> None:
    """Fold a written-out attention whose scores of later keys are replaced by a number.

    A query always sees its own position. So the number never fills a whole row, where it would make a uniform distribution.
    """
    match = recognize_hidden_attention(view, node)
    if match is None:
        return
    attention, hides = match
    q, k, v, mask = attention.inputs
    if is_hiding(attention.filled) and is_causal(mask, origins, hides=hides):
        op = Attention(**{**attention.op.args, "causal": True, "align": find_alignment(view, q, k)})
        attention.replace_node(view, node, op, (q, k, v))


def _simplify_mask(view: GraphView, node: OpNode, origins: TensorOrigins) -> None:
    if len(node.inputs) != 4 or node.op.args["causal"]:
        return
    q, k, v, mask = node.inputs
    chosen = view.match_maker(mask, Where)
    # A choice whose condition is always true is its first operand.
    if chosen is not None and len(chosen.inputs) == 2 and not chosen.op.number_first and hides_nothing(chosen.inputs[0], origins):
        mask = chosen.inputs[1]
    arguments = {name: value for name, value in node.op.args.items() if name not in (NAMED, "align")}
    if hides_nothing(mask, origins):
        view.replace_operator(node, Attention(**arguments), (q, k, v))
    elif is_causal(mask, origins):
        view.replace_operator(node, Attention(**{**arguments, "causal": True, "align": find_alignment(view, q, k)}), (q, k, v))
    elif mask is not node.inputs[3]:
        view.replace_operator(node, Attention(**arguments, align=node.op.args["align"], **{NAMED: ("mask",)}), (q, k, v, mask))


def _simplify_multihead(view: GraphView, node: OpNode, origins: TensorOrigins) -> None:
    """Replace the mask of `multihead_attention`, whose bool masks are true where a key is hidden. Its parameters stay."""
    bound_inputs = node.op.bind_inputs(tuple(value.type for value in node.inputs), view.facts)
    # A shared module has the same inputs in all its uses.
    if "attn_mask" not in bound_inputs or node.op.args["causal"] or node.shared is not None:
        return
    index = bound_inputs.position("attn_mask")
    mask, inputs = node.inputs[index], (*node.inputs[:index], *node.inputs[index + 1 :])
    arguments = {name: value for name, value in node.op.args.items() if name not in (NAMED, "align")}
    if is_causal(mask, origins, hides=True):
        keys = node.inputs[bound_inputs.position(MultiheadAttention.key_input(bound_inputs))]
        arguments |= {"causal": True, "align": find_alignment(view, node.inputs[0], keys)}
    elif not hides_nothing(mask, origins, hides=True):
        return
    named = tuple(name for name in node.op.args.get(NAMED, ()) if name != "attn_mask")
    op = MultiheadAttention(**arguments, **({NAMED: named} if named else {}))
    if op.check_and_infer(op.bind_inputs(tuple(value.type for value in inputs), view.facts))[: len(node.outputs)] == tuple(
        v.type for v in node.outputs
    ):
        node.op, node.inputs = op, inputs
