"""Folds rotary position embedding as transformers writes it: `x * cos + (-x[d / 2:], x[:d / 2]) * sin` becomes `rotary`.

The cosines come from another block or from a constant, so their numbers decide, not the steps that made them.

In: the graphs of a program. Out: the same graphs with `rotary`, which computes its own angles. Always: the positions count from 0, and the
frequencies are `base ** (-2 i / d)`, along the axes of the operator. Otherwise nothing changes.
"""

from __future__ import annotations

import math

import numpy as np

from ...ir.graph import Node, OpNode, Program
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...ops.arithmetic import Add, Mul
from ...ops.constants import TableOperator
from ...ops.elementwise import Neg
from ...ops.formula import IndexFormula
from ...ops.joining import Concat
from ...ops.rotary import Rotary
from ...ops.slicing import Slice
from ...ops.trigonometry import Cos, Sin
from ..graph_view import GraphView, iterate_orders
from .tensor_origins import TensorOrigins


def fold_rotary(program: Program) -> None:
    """Replace all rotations whose angles `rotary` computes."""
    origins = TensorOrigins(program.main)
    for graph in collect_graphs(program.main):
        view = GraphView(graph, program.facts)
        for node in list(graph.nodes):
            _fold_rotation(view, node, origins)


def _fold_rotation(view: GraphView, node: Node, origins: TensorOrigins) -> None:
    if not isinstance(node, OpNode) or not isinstance(node.op, Add):
        return
    for first, second in iterate_orders(node.inputs):
        first_product, second_product = view.match_maker(first, Mul), view.match_maker(second, Mul)
        for x, cos in iterate_orders(first_product.inputs if first_product is not None else ()):
            for turned, sin in iterate_orders(second_product.inputs if second_product is not None else ()):
                base = _find_base(x, cos, sin, origins) if _is_rotated_half(view, turned, x) else None
                if base is not None and view.replace_operator(node, Rotary(base=base, dims=None, interleaved=False), (x,)):
                    return


def _is_rotated_half(view: GraphView, value: Value, x: Value) -> bool:
    """Return whether a tensor is the second half of the features of `x`, negated, and then the first half."""
    # A factor may be a scalar, which has no features.
    size, joined = x.type.shape[-1] if x.type.rank else None, view.match_maker(value, Concat)
    if joined is None or not isinstance(size, int) or not _is_last(joined.op.args["axis"], x) or len(joined.inputs) != 2:
        return False
    negative, low = view.match_maker(joined.inputs[0], Neg), view.match_maker(joined.inputs[1], Slice)
    high = view.match_maker(negative.inputs[0], Slice) if negative is not None else None
    return (
        high is not None
        and low is not None
        and _get_feature_range(high, x) == (size // 2, size)
        and _get_feature_range(low, x) == (0, size // 2)
    )


def _get_feature_range(node: OpNode, x: Value) -> tuple[object, object] | None:
    """Return the first and the end of the features of `x` that a slice takes, or None."""
    args, size = node.op.args, x.type.shape[-1]
    if node.inputs != (x,) or not _is_last(args["axis"], x) or args["step"] != 1:
        return None
    return args["start"], size if args["stop"] is None else args["stop"]


def _is_last(axis: object, x: Value) -> bool:
    return axis in (-1, x.type.rank - 1)


def _find_base(x: Value, cos: Value, sin: Value, origins: TensorOrigins) -> float | None:
    """Return the base of the frequencies, if the two factors are the cosines and sines that `rotary` would compute."""
    cos_origin, sin_origin = origins.find_origin(cos), origins.find_origin(sin)
    if cos_origin is None or sin_origin is None or x.type.rank < 3:
        return None
    # `rotary` turns all heads by the same angles, so the cosines have no axis of heads.
    if any(value.type.shape[-2:] != x.type.shape[-2:] or any(size != 1 for size in value.type.shape[1:-2]) for value in (cos, sin)):
        return None
    if isinstance(cos_origin.op, TableOperator) and isinstance(sin_origin.op, TableOperator):
        return _find_base_of_tables(cos_origin.op, sin_origin.op, x)
    if not isinstance(cos_origin.op, Cos) or not isinstance(sin_origin.op, Sin):
        return None
    bases = [_find_base_of_angles(angles, x, origins) for angles in (cos_origin.inputs[0], sin_origin.inputs[0])]
    return bases[0] if bases[0] == bases[1] else None


def _find_base_of_tables(cos: TableOperator, sin: TableOperator, x: Value) -> float | None:
    """Find the base of the frequencies where the constants hold all angles."""
    positions, size = x.type.shape[-2:]
    if not isinstance(positions, int) or not isinstance(size, int) or positions < 2 or size < 4 or not (cos.is_static and sin.is_static):
        return None
    tables = [table.compute_values().astype(np.float64) for table in (cos, sin)]
    if any(table.size != positions * size for table in tables):
        return None
    # At position 1 the angle is the frequency itself. Frequency 0 is always 1, so frequency 1 tells the base.
    first = float(tables[1].reshape(positions, size)[1, 1])
    base = _round_base(math.asin(first) ** (-size / 2)) if 0 < first < 1 else 0
    if base <= 1:
        return None
    angles = np.arange(positions)[:, None] * np.tile(base ** (-2 * np.arange(size // 2) / size), 2)
    wanted = (np.cos(angles), np.sin(angles))
    # Float32 angles of late positions are inexact, so the tolerance grows with the position.
    near = all(
        np.allclose(table.reshape(positions, size), expected, atol=1e-5 + 1e-6 * positions)
        for table, expected in zip(tables, wanted, strict=True)
    )
    return base if near else None


def _round_base(base: float) -> float:
    """Round a base that was computed from a float32 frequency to the number that a person wrote, such as 10000."""
    base = float(f"{base:.5g}")
    return int(base) if base == int(base) else base


def _find_base_of_angles(angles: Value, x: Value, origins: TensorOrigins) -> float | None:
    concat = origins.find_origin(angles)
    if concat is None or not isinstance(concat.op, Concat) or not _is_last(concat.op.args["axis"], angles) or len(concat.inputs) != 2:
        return None
    halves = [origins.find_origin(value) for value in concat.inputs]
    product = halves[0]
    if product is None or product is not halves[1] or not isinstance(product.op, Mul):
        return None
    for position, frequency in iterate_orders(product.inputs):
        places, table = origins.find_origin(position), origins.find_origin(frequency)
        if places is not None and table is not None and _counts_positions(places, position, x):
            return _find_base_of_frequencies(table, frequency, x)
    return None


def _counts_positions(node: OpNode, position: Value, x: Value) -> bool:
    """Return whether the positions count from 0 along the last axis but one."""
    op, shape = node.op, position.type.shape
    if not isinstance(op, TableOperator) or len(shape) < 2 or shape[-2] != x.type.shape[-2] or shape[-1] != 1:
        return False
    long = [axis for axis, size in enumerate(op.shape) if size != 1]
    return len(long) == 1 and op.formula == IndexFormula(long[0]) and op.shape[long[0]] == shape[-2]


def _find_base_of_frequencies(node: OpNode, frequency: Value, x: Value) -> float | None:
    op, size = node.op, x.type.shape[-1]
    if not isinstance(op, TableOperator) or not op.is_static or not isinstance(size, int) or size < 4:
        return None
    values = [float(value) for value in op.compute_values().reshape(-1)]
    if len(values) != size // 2 or frequency.type.shape[-1] != len(values) or values[1] <= 0:
        return None
    base = float(f"{values[1] ** (-size / 2):.6g}")
    base = int(base) if base == int(base) else base
    return base if all(math.isclose(v, base ** (-2 * i / size), rel_tol=1e-5) for i, v in enumerate(values)) else None
