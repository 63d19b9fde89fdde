"""The table of replacements for operators that an opset lacks in the form that netc writes.

In: the requested node. Out: nodes of older forms. Each of these is checked in turn, so one replacement may lead to another. Always: half
types are computed in float32, as in ONNX Runtime's kernels of the newer forms.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3 -> gelu").onnx(opset=18).graph.node]
['Mul', 'Div', 'Erf', 'Add', 'Mul']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ....types.tensor_types import FLOAT32
from ..tensor_expressions import INT32, TensorExpr
from .node import RequestedNode

Names = tuple[str, ...]
Form = Callable[[RequestedNode], "Names | None"]
"""Returns the results. None if the node's own numbers are unknown, or if there is no replacement."""


def _move_axes_to_attribute(node: RequestedNode) -> Names | None:
    # Before opset 18, reductions other than ReduceSum have their axes as an attribute.
    axes = node.read_integers(1)
    return None if axes is None else (node.add(node.op_type, node.inputs[:1], axes=axes, keepdims=node.attributes.get("keepdims")),)


def _split_equally(node: RequestedNode) -> Names:
    # Before opset 18, Split has no `num_outputs`: parts are equal if no sizes are given.
    return node.add_many("Split", node.inputs, node.count, axis=node.attributes.get("axis"))


def _move_axis_to_attribute(node: RequestedNode) -> Names | None:
    # Before opset 20, DFT has its axis as an attribute.
    axis = node.read_integers(2)
    return None if axis is None else (node.add("DFT", node.inputs[:2], axis=axis[0], onesided=node.attributes.get("onesided")),)


def _replace_grid_sample(node: RequestedNode) -> Names | None:
    # Before opset 20, GridSample takes images only, and its modes have other names.
    named = {"linear": "bilinear", "cubic": "bicubic"}
    mode = node.attributes["mode"]
    assert isinstance(mode, str)
    return (node.add("GridSample", node.inputs, **{**node.attributes, "mode": named.get(mode, mode)}),)


def _replace_resize(node: RequestedNode) -> Names | None:
    # Before opset 18, sizes and scales cover all axes; netc never resizes the first two.
    if node.attributes.get("antialias"):
        return None
    attributes = {name: value for name, value in node.attributes.items() if name not in ("axes", "antialias")}
    x, roi, *sizes = node.inputs
    if len(sizes) == 1:
        ones = TensorExpr(node, node.constant(np.ones(2, dtype=np.float32)), FLOAT32)
        return (node.add("Resize", [x, roi, node.add("Concat", [ones.name, sizes[0]], axis=0)], **attributes),)
    ahead = node.add("Shape", [x], start=0, end=2)
    return (node.add("Resize", [x, roi, "", node.add("Concat", [ahead, sizes[1]], axis=0)], **attributes),)


def _replace_pad(node: RequestedNode) -> Names | None:
    return _pad_axes(node) if len(node.inputs) > 3 else _wrap_pad(node)


def _pad_axes(node: RequestedNode) -> Names | None:
    """Pad one axis after the other, as the middle one of three. Before opset 18, Pad has amounts for all axes."""
    axes = node.read_integers(3)
    if axes is None:
        return None
    x, amounts, fill, _ = node.inputs
    for index, axis in enumerate(axes):
        ends = [node.add("Slice", [amounts, *(node.ints([n]) for n in (start, start + 1, 0))]) for start in (index, len(axes) + index)]
        x = _pad_along(node, x, axis, ends, fill)
    return (x,)


def _pad_along(node: RequestedNode, x: str, axis: int, ends: list[str], fill: str) -> str:
    """Pad along one axis, with the tensor as [before, the axis, after]."""
    open_, zero = node.ints([-1]), node.ints([0])
    after = [] if axis == -1 else [node.add("Shape", [x], start=axis + 1)]
    sizes_after = node.add("ReduceProd", [after[0], zero], keepdims=1) if after else node.ints([1])
    size = node.add("Shape", [x], start=axis, end=axis + 1 if after else None)
    flat = node.add("Reshape", [x, node.add("Concat", [open_, size, sizes_after], axis=0)])
    amounts = node.add("Concat", [zero, ends[0], zero, zero, ends[1], zero], axis=0)
    padded = node.add("Pad", [flat, amounts, *([fill] if fill else [])], mode=node.attributes.get("mode"))
    return node.add("Reshape", [padded, node.add("Concat", [node.add("Shape", [x], end=axis), open_, *after], axis=0)])


def _wrap_pad(node: RequestedNode) -> Names | None:
    """Put the ends together by Concat. Before opset 19, Pad has no wrap mode."""
    amounts = node.read_integers(1)
    if amounts is None or min(amounts, default=0) < 0:
        return None
    x, rank = node.inputs[0], len(amounts) // 2
    for axis, (before, after) in enumerate(zip(amounts[:rank], amounts[rank:], strict=True)):
        parts = [x]
        if before:
            parts.insert(0, node.add("Slice", [x, *(node.ints([n]) for n in (-before, 2**63 - 1, axis))]))
        if after:
            parts.append(node.add("Slice", [x, *(node.ints([n]) for n in (0, after, axis))]))
        x = node.add("Concat", parts, axis=axis) if len(parts) > 1 else x
    return (x if x != node.inputs[0] else node.add("Identity", [x]),)  # the result must be a new value


def _replace_bitwise_not(node: RequestedNode) -> Names:
    """Negate the bits in two's complement. For unsigned integers, subtract from the greatest number."""
    x = node.make_expr(0)
    if x.dtype.kind == "uint":
        return ((-x.cast(INT32) + float(2 ** (8 * x.dtype.size) - 1)).cast(x.dtype).name,)
    # Compute in 32 bits: runtimes rarely have kernels for arithmetic of smaller integers.
    wide = x.cast(INT32) if x.dtype.size < 4 else x
    return ((-wide - 1).cast(x.dtype).name,)


_REDUCTIONS = ("ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd")

FORMS: Mapping[str, Form] = {
    **dict.fromkeys(_REDUCTIONS, _move_axes_to_attribute),
    "BitwiseNot": _replace_bitwise_not,
    "DFT": _move_axis_to_attribute,
    "GridSample": _replace_grid_sample,
    "Pad": _replace_pad,
    "Resize": _replace_resize,
    "Split": _split_equally,
}
"""The replacements, by the requested operator."""
