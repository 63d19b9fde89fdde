"""Folds several operators into one, for patterns that PyTorch modules write out.

`x.view(N, T, 4, 16).transpose(1, 2)` becomes `rearrange "n t (h d) -> n h t d" h=4`.

In: a view of a graph, and a node that may be the last of a pattern. Out: nothing. The node becomes another operator if the pattern matches.
Always: a pattern compares all numbers and axes that it depends on.
"""

from __future__ import annotations

from collections.abc import Callable

from ...dims import SymDim
from ...ir.graph import Node, OpNode
from ...ir.graph_values import Value
from ...ops.arithmetic import Add, Div, Mul, Sub
from ...ops.attention import Attention
from ...ops.constants import ParamOperator
from ...ops.normalization import RMSNorm
from ...ops.operator import Operator
from ...ops.rearrange import Rearrange
from ...ops.regularization import Identity
from ...ops.shape import Expand, Reshape, Transpose, Unsqueeze
from ..composites import recognize_operator
from ..graph_view import GraphView, iterate_orders
from ..layout_patterns import drop_undone, merge_permutations, merge_reshapes
from .fold_dense import fold_dense

FoldFunction = Callable[[GraphView, Node], object]


# --- operators without an effect -----------------------------------------------------------------------------------------------


def drop_identity(view: GraphView, node: Node) -> None:
    """Drop operators without an effect: `x * 1`, `x / 1`, `x + 0`, `identity`, and `reshape` or `expand` to the same shape."""
    if not isinstance(node, OpNode) or len(node.inputs) != 1:
        return
    (x,), op = node.inputs, node.op
    # `x * 1.0` of an integer tensor is a conversion to floats.
    if x.type != node.outputs[0].type:
        return
    neutral = _NEUTRAL.get(type(op))
    is_neutral = neutral is not None and op.scalars[:1] == (neutral,) and not op.number_first and not isinstance(op.scalars[0], bool)
    if is_neutral or isinstance(op, (Identity, Reshape, Expand)):
        view.replace_uses(node, x)


_NEUTRAL: dict[type[Operator], int] = {Mul: 1, Div: 1, Add: 0, Sub: 0}


# --- composite operators -----------------------------------------------------------------------------------------------------


def fold_composite(view: GraphView, node: Node) -> None:
    """Replace the written-out definition of an operator, such as `gelu` or `layer_norm`, by the operator."""
    if isinstance(node, OpNode) and (match := recognize_operator(view, node)) is not None:
        match.replace_node(view, node)


def fold_rms_norm_weight(view: GraphView, node: Node) -> None:
    """Fold the weight that follows an `rms_norm` into it."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Mul):
        return
    for scale, scaled in iterate_orders(node.inputs):
        weight, norm = view.match_maker(scale, ParamOperator), view.match_maker(scaled, RMSNorm)
        if (
            weight is None
            or norm is None
            or norm.specs
            or view.count_uses(scale) > 1
            or view.count_uses(scaled) > 1
            or not _is_weight(weight)
        ):
            continue
        assert isinstance(norm.op, RMSNorm)
        # A weight that broadcasts would be another parameter in `rms_norm`.
        if scale.type.shape == norm.op.normalized_shape(norm.inputs[0].type):
            level = weight.label.rpartition(".")[0]
            if view.replace_operator(node, RMSNorm(**{**norm.op.args, "affine": True}), norm.inputs, level, frozen=weight.frozen):
                view.graph.nodes.remove(weight)
            return


def _is_weight(node: OpNode) -> bool:
    # The norm's own parameter is called `weight` and is trained. With another name, or as a buffer, the key or its kind would change.
    return node.label.rpartition(".")[2] == "weight" and bool(node.op.args["trainable"])


# --- heads of attention ------------------------------------------------------------------------------------------------------


def split_heads(view: GraphView, node: Node) -> None:
    """Fold a reshape and a transpose that split heads, `[N, T, h * d]` to `[N, h, T, d]`, into `rearrange`."""
    if not isinstance(node, OpNode) or not _swaps_axes(node.op, 1, 2):
        return
    reshape = view.match_maker(node.inputs[0], Reshape)
    if reshape is None or view.count_uses(node.inputs[0]) > 1:
        return
    before, after = reshape.inputs[0].type.shape, reshape.outputs[0].type.shape
    # `rearrange` needs the number of heads as a number.
    if len(before) == 3 and len(after) == 4 and before[:2] == after[:2] and not isinstance(after[2], SymDim):
        view.replace_operator(node, Rearrange(pattern="n t (h d) -> n h t d", sizes=(("h", after[2]),)), reshape.inputs)


def merge_heads(view: GraphView, node: Node) -> None:
    """Fold a transpose and a reshape that merge heads, `[N, h, T, d]` to `[N, T, h * d]`, into `rearrange`."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Reshape):
        return
    swap = view.find_maker(node.inputs[0])
    if swap is None or not _swaps_axes(swap.op, 1, 2) or view.count_uses(node.inputs[0]) > 1:
        return
    before, after = node.inputs[0].type.shape, node.outputs[0].type.shape
    if len(before) == 4 and len(after) == 3 and before[:2] == after[:2]:
        view.replace_operator(node, Rearrange(pattern="n h t d -> n t (h d)", sizes=()), swap.inputs)


def _swaps_axes(op: Operator, a: int, b: int) -> bool:
    return isinstance(op, Transpose) and {op.args["a"], op.args["b"]} in ({a, b}, {a - 4, b - 4}, {a, b - 4}, {a - 4, b})


def fold_repeated_heads(view: GraphView, node: Node) -> None:
    """Drop the repetition of heads of keys and values for grouped queries: netc's attention takes fewer heads of them."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Attention) or len(node.inputs) < 3:
        return
    q, k, v, *rest = node.inputs
    keys, values = _find_repeated_heads(view, k), _find_repeated_heads(view, v)
    if keys is not None and values is not None and keys.type.shape[1] == values.type.shape[1]:
        view.replace_operator(node, node.op, (q, keys, values, *rest))


def _find_repeated_heads(view: GraphView, value: Value) -> Value | None:
    """Return the tensor `[N, h, T, d]` whose heads `value` repeats several times in a row each, or None."""
    reshape = view.match_maker(value, Reshape)
    expand = view.match_maker(reshape.inputs[0], Expand) if reshape is not None else None
    single = view.match_maker(expand.inputs[0], Unsqueeze) if expand is not None else None
    if single is None or expand is None or single.op.args["axis"] not in (2, -3):
        return None
    (x,), wide = single.inputs, expand.outputs[0].type.shape
    if x.type.rank != 4 or len(wide) != 5 or (*wide[:2], *wide[3:]) != x.type.shape:
        return None
    return x if value.type.shape == (wide[0], wide[1] * wide[2], *wide[3:]) else None


def drop_expand(view: GraphView, node: Node) -> None:
    """Drop an `expand` in front of an operator that broadcasts by itself."""
    if isinstance(node, OpNode) and node.op.symbol and len(node.inputs) == 2:
        operands = tuple(_strip_expand(view, value) for value in node.inputs)
        if operands != node.inputs:
            view.replace_operator(node, node.op, operands, node.label)


def _strip_expand(view: GraphView, value: Value) -> Value:
    expand = view.match_maker(value, Expand)
    return value if expand is None else expand.inputs[0]


PATTERNS: tuple[FoldFunction, ...] = (
    drop_undone,
    drop_identity,
    fold_composite,
    fold_rms_norm_weight,
    split_heads,
    merge_heads,
    fold_repeated_heads,
    drop_expand,
    fold_dense,
    merge_permutations,
    merge_reshapes,
)
"""In this order: the patterns of attention and its heads know the axes as modules arrange them, so layouts are merged last."""
