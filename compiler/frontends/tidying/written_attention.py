"""Attention that a model writes out: `softmax(q k^T * scale + mask) v`, with dropout of the weights.

In: a view of a graph, and a product that may be the last of it. Out: nothing; the node is the operator if all of it is there. Always: only
what has the same result is one: scores that are replaced are those that a causal mask hides, so that each query sees a key.
"""

from __future__ import annotations

import math

from ...dims import SymDim
from ...ir.graph import OpNode
from ...ir.graph_values import Value
from ...ops.activation import Softmax
from ...ops.arithmetic import Add, Div, Mul
from ...ops.attention import Attention
from ...ops.comparison import Where
from ...ops.indexing import MaskedFill
from ...ops.linear_algebra import Matmul
from ...ops.operand import NAMED
from ...ops.operator import Operator
from ...ops.regularization import Dropout
from ...ops.shape import Transpose
from .mask_formulas import aligned, is_causal, is_hiding
from .tensor_origins import Origins
from .view import GraphView


def written_out(view: GraphView, node: OpNode, origins: Origins) -> None:
    """Makes it one operator if it is one."""
    weights, v = node.inputs
    drop = _alone(view, weights, Dropout)
    softmax = _alone(view, weights if drop is None else drop.inputs[0], Softmax)
    if softmax is None or softmax.op.args["axis"] not in (-1, weights.type.rank - 1):
        return
    scores, mask, causal = _unmasked(view, softmax.inputs[0], origins)
    scale, scores = _unscaled(view, scores)
    product = _alone(view, scores, Matmul)
    swap = None if product is None else _alone(view, product.inputs[1], Transpose)
    if product is None or swap is None or {swap.op.args[name] % scores.type.rank for name in "ab"} != _last(scores.type.rank):
        return
    factor, q = _unscaled(view, product.inputs[0])
    k = swap.inputs[0]
    if not q.type.rank == k.type.rank == v.type.rank >= 3:
        return
    arguments = {"dropout": 0.0 if drop is None else drop.op.args["p"], "scale": _scale(scale * factor, q), "causal": causal}
    arguments |= {"align": aligned(view, q, k)} if causal else {}
    if mask is None:
        view.put(node, Attention(**arguments), (q, k, v))
    elif mask.type.rank >= 2:
        view.put(node, Attention(**arguments, **{NAMED: ("mask",)}), (q, k, v, mask))


def _scale(scale: float, q: Value) -> float | None:
    """The number as an argument, None for the usual one."""
    features = q.type.shape[-1]
    return None if isinstance(features, int) and math.isclose(scale * features**0.5, 1.0, rel_tol=1e-9) else scale


def _last(rank: int) -> set[int]:
    return {rank - 2, rank - 1}


def _alone(view: GraphView, value: Value, kind: type[Operator]) -> OpNode | None:
    """The operator that made the tensor, if it is of this kind and nothing else reads the tensor."""
    found = view.made_by(value, kind)
    return found if found is not None and view.uses(value) == 1 else None


def _unmasked(view: GraphView, scores: Value, origins: Origins) -> tuple[Value, Value | None, bool]:
    """The scores before a mask; the mask if it is added, and whether there was one that is causal."""
    node = view.maker(scores) if view.uses(scores) == 1 else None
    match node:
        case OpNode(op=MaskedFill() as op, inputs=(x, hidden)) if is_hiding(op.value) and is_causal(hidden, origins, hides=True):
            return x, None, True
        case OpNode(op=Where() as op, inputs=(condition, x)) if is_hiding(op.scalars[0]):
            if is_causal(condition, origins, hides=op.number_first):
                return x, None, True
        case OpNode(op=Add(), inputs=(one, other)):
            x, mask = (one, other) if view.made_by(one, Matmul, Mul, Div) else (other, one)
            return (x, None, True) if is_causal(mask, origins) else (x, mask, False)
    return scores, None, False


def _unscaled(view: GraphView, scores: Value) -> tuple[float, Value]:
    """The number that the scores are multiplied by, and the scores without it."""
    node = view.made_by(scores, Mul, Div)
    if node is None or view.uses(scores) > 1 or len(node.inputs) != 1 or isinstance(node.op.scalars[0], SymDim):
        return 1.0, scores
    number = float(node.op.scalars[0])
    if isinstance(node.op, Div):
        return (1 / number, node.inputs[0]) if number and not node.op.number_first else (1.0, scores)
    return number, node.inputs[0]
