"""Rules for operators that move, repeat or drop elements.

>>> sorted(SHAPE_RULES)[:3]
['channel_shuffle', 'concat', 'diag_embed']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.diagonals import DiagEmbed, Diagonal
from ..ops.formula import BinaryFormula, Const, IndexFormula
from ..ops.joining import Division
from ..ops.rearrange import Rearrange
from ..ops.slicing import RepeatInterleave, Slice, Tile
from .graph_stages import GraphStages
from .rule_parts import Gradients, JointRule, Rule


def _reshape(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.reshape(g, node.inputs[0].type.shape)}


def _transpose(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("transpose", g, a=node.op.args["a"], b=node.op.args["b"])}


def _permute(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: _permute_back(s, g, [int(axis) % g.type.rank for axis in node.op.args["axes"]])}


def _permute_back(s: GraphStages, g: Value, axes: Sequence[int]) -> Value:
    return s.apply("permute", g, axes=tuple(axes.index(axis) for axis in range(len(axes))))


def _rearrange(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    plan = cast(Rearrange, node.op).make_plan(node.op.bind_inputs((x.type,), s.facts))
    if plan.order is not None:
        single = x.type.shape if plan.split is None else plan.split
        g = _permute_back(s, s.reshape(g, tuple(single[axis] for axis in plan.order)), plan.order)
    return {0: s.reshape(g, x.type.shape)}


def _expand(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.sum_to(g, node.inputs[0].type.shape)}


def _tile(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    sizes, repeats = cast(Tile, node.op).align_repeats(x.type)
    parts = s.reshape(g, tuple(size for pair in zip(repeats, sizes, strict=True) for size in pair))
    return {0: s.reshape(s.apply("sum", parts, axis=tuple(range(0, 2 * len(sizes), 2))), x.type.shape)} if sizes else {0: g}


def _repeat_interleave(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    shape, axis = cast(RepeatInterleave, node.op).find_repeated_axis(x.type)
    parts = s.reshape(g, (*shape[: axis + 1], node.op.args["repeats"], *shape[axis + 1 :]))
    return {0: s.reshape(s.apply("sum", parts, axis=(axis + 1,)), x.type.shape)}


def _concat(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    axis = int(node.op.args["axis"]) % g.type.rank
    ends = [value.type.shape[axis] for value in node.inputs]
    starts = [sum(ends[:i]) for i in range(len(ends))]
    return {
        i: s.apply("slice", g, axis=axis, start=start, stop=start + size) for i, (start, size) in enumerate(zip(starts, ends, strict=True))
    }


def _stack(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    axis = int(node.op.args["axis"]) % g.type.rank
    return {i: s.apply("select", g, axis=axis, index=i) for i in range(len(node.inputs))}


def _divide(s: GraphStages, node: OpNode, gradients: Sequence[Value]) -> Gradients:
    axis = int(cast(Division, node.op).args["axis"]) % gradients[0].type.rank
    return {0: s.apply("concat", *gradients, axis=axis) if len(gradients) > 1 else gradients[0]}


def _select(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, index = node.inputs[0], node.op.args["index"]
    axis = int(node.op.args["axis"]) % x.type.rank
    size = x.type.shape[axis]
    positive = s.facts.is_at_least(index, 0)
    return {0: s.place(s.apply("unsqueeze", g, axis=axis), axis, index if positive else size + index, size)}


def _slice(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, step = node.inputs[0], node.op.args["step"]
    axis = int(node.op.args["axis"]) % x.type.rank
    size, count = x.type.shape[axis], g.type.shape[axis]
    start = cast(Slice, node.op).find_offset(node.op.args["start"], size, node.op.bind_inputs((x.type,), s.facts), "start")
    if step == 1:
        return {0: s.place(g, axis, start, size)}
    positions = BinaryFormula("+", BinaryFormula("*", IndexFormula(0), Const(step)), Const(start))
    return {0: s.apply("index_add", s.fill_like(x, 0.0), s.make_table(positions, (count,)), g, axis=axis)}


def _sliding_window(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, size = node.inputs[0], node.op.args["size"]
    axis = int(node.op.args["axis"]) % x.type.rank
    count = g.type.shape[axis]
    order = [*range(axis + 1), g.type.rank - 1, *range(axis + 1, g.type.rank - 1)]
    rows = s.reshape(s.apply("permute", g, axes=tuple(order)), (*x.type.shape[:axis], count * size, *x.type.shape[axis + 1 :]))
    window = BinaryFormula("*", BinaryFormula("//", IndexFormula(0), Const(size)), Const(node.op.args["step"]))
    positions = BinaryFormula("+", window, BinaryFormula("%", IndexFormula(0), Const(size)))
    return {0: s.apply("index_add", s.fill_like(x, 0.0), s.make_table(positions, (count * size,)), rows, axis=axis)}


def _pad(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """For zeros and other numbers around a tensor. The other modes are in differentiable_forms.py."""
    return {0: s.apply("pad", g, padding=tuple(-amount for amount in node.op.args["padding"]))}


def _flip(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("flip", g, axis=node.op.args["axis"])}


def _roll(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("roll", g, shifts=tuple(-shift for shift in node.op.args["shifts"]), axis=node.op.args["axis"])}


def _keep_triangle(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply(node.op.name, g, diagonal=node.op.args["diagonal"])}


def _diagonal(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    rows, columns = cast(Diagonal, node.op).matrix_axes(x.type)
    square = s.apply("diag_embed", g, offset=node.op.args["offset"], axis1=rows, axis2=columns)
    return {0: s.resize(s.resize(square, rows, x.type.shape[rows]), columns, x.type.shape[columns])}


def _diag_embed(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    rows, columns = cast(DiagEmbed, node.op).matrix_axes(node.inputs[0].type)
    return {0: s.apply("diagonal", g, offset=node.op.args["offset"], axis1=rows, axis2=columns)}


def _pixel_shuffle(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    inverse = "pixel_unshuffle" if node.op.name == "pixel_shuffle" else "pixel_shuffle"
    return {0: s.apply(inverse, g, r=node.op.args["r"])}


def _channel_shuffle(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("channel_shuffle", g, groups=g.type.shape[1] // node.op.args["groups"])}


def _unfold(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    args = {name: node.op.args[name] for name in ("kernel", "dilation", "padding", "stride")}
    return {0: s.apply("fold", g, output_size=node.inputs[0].type.shape[-2:], **args)}


def _fold(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("unfold", g, **{name: node.op.args[name] for name in ("kernel", "dilation", "padding", "stride")})}


SHAPE_RULES: dict[str, Rule] = {
    **dict.fromkeys(("reshape", "flatten", "squeeze", "unsqueeze", "unflatten"), _reshape),
    "transpose": _transpose,
    "permute": _permute,
    "rearrange": _rearrange,
    "expand": _expand,
    "tile": _tile,
    "repeat_interleave": _repeat_interleave,
    "concat": _concat,
    "stack": _stack,
    "select": _select,
    "slice": _slice,
    "sliding_window": _sliding_window,
    "pad": _pad,
    "flip": _flip,
    "roll": _roll,
    **dict.fromkeys(("tril", "triu"), _keep_triangle),
    "diagonal": _diagonal,
    "diag_embed": _diag_embed,
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), _pixel_shuffle),
    "channel_shuffle": _channel_shuffle,
    "unfold": _unfold,
    "fold": _fold,
}
SHAPE_JOINT_RULES: dict[str, JointRule] = dict.fromkeys(("split", "chunk"), _divide)
