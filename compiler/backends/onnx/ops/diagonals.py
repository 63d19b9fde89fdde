"""Emit diagonals, taken and embedded, as ONNX nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("input [4, 4] -> diagonal axis1=1 axis2=2").onnx().graph.node]
['Reshape', 'Gather']
"""

from __future__ import annotations

from ....dims import Dim
from ....ops.diagonals import DiagEmbed, Diagonal
from ....ops.operator import numel
from ....types.tensor_types import INT64
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr
from .shape import reshape_tensor, transpose_tensor


@emits(Diagonal, onnx="Transpose, Reshape and Gather")
def emit_diagonal(op: Diagonal, site: Site) -> str:
    x = site.given.x
    # In the flattened matrix, neighbors on a diagonal are one row and one element apart.
    rows, columns = op.matrix_axes(x)
    order = [*(axis for axis in range(x.rank) if axis not in (rows, columns)), rows, columns]
    shape = tuple(x.shape[axis] for axis in order)
    flat = reshape_tensor(site, transpose_tensor(site, site.x.name, order), shape, (*shape[:-2], numel(shape[-2:])))
    wide, length = shape[-1], op.diagonal_length(site.given)
    start: Dim = op.offset if op.offset >= 0 else -op.offset * wide
    ends = [site.scalar(n, INT64) for n in (start, start + length * (wide + 1), wide + 1)]
    return site.add("Gather", [flat, site.add("Range", ends)], axis=x.rank - 2)


@emits(DiagEmbed, onnx="Gather, Equal and Where")
def emit_diag_embed(op: DiagEmbed, site: Site) -> str:
    x, x_type = site.x, site.given.x
    side, above = op.side_length(x_type), max(-op.offset, 0)
    count = TensorExpr(site, site.add("Range", [site.scalar(n, INT64) for n in (0, side, 1)]), INT64)
    # Clamped, because positions outside of the diagonal are looked up too, before zeros replace them.
    source = count if not op.offset else (count - above).op("Max", 0).op("Min", x_type.shape[-1] - 1)
    # Row i holds its element of the input in column `i + offset`, and zeros elsewhere.
    column = TensorExpr(site, site.add("Unsqueeze", [count.name, site.ints([1])]), INT64)
    values = x.op("Gather", source, axis=x_type.rank - 1)
    spread = TensorExpr(site, site.add("Unsqueeze", [values.name, site.ints([x_type.rank])]), x.dtype)
    matrices = (column + op.offset).equal(count).choose(spread, 0 if not x.dtype.is_float else 0.0)
    rows, columns = op.matrix_axes(x_type)
    rest = [axis for axis in range(x_type.rank + 1) if axis not in (rows, columns)]
    order = [*rest, rows, columns]
    return transpose_tensor(site, matrices.name, [order.index(axis) for axis in range(x_type.rank + 1)])
