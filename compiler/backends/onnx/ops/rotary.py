"""Emit rotary position embedding as ONNX's operator, on `[N, heads, T, D]` or `[N, T, D]`, with cosines and sines as inputs.

>>> import netc
>>> [node.op_type for node in netc.compile("input [2, 4, 8] -> rotary").onnx().graph.node]
['Shape', 'Concat', 'Expand', 'RotaryEmbedding']
"""

from __future__ import annotations

import numpy as np

from ....dims import Dim
from ....ops.operator import numel
from ....ops.rotary import Rotary
from ....types.tensor_types import FLOAT32, INT64, DType, Shape
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, TensorExpr


@emits(Rotary, onnx="RotaryEmbedding")
def emit_rotary(op: Rotary, site: Site) -> str | None:
    x = site.x
    # ONNX does not declare the operator for float64; ONNX Runtime's CPU has no kernel for bfloat16.
    if x.dtype == FLOAT64 or not site.has("RotaryEmbedding"):
        return None
    return x.within(FLOAT32, lambda y: _emit_rotation(op, site, y)).name if x.dtype.name == "bfloat16" else _emit_rotation(op, site, x).name


def _emit_rotation(op: Rotary, site: Site, x: TensorExpr) -> TensorExpr:
    shape = site.given.x.shape
    inner_shape = _make_operator_shape(shape)
    inputs = [x if inner_shape == shape else _reshape_to(x, inner_shape), *_cosine_and_sine(op, site, x.dtype)]
    # The operator always takes positions for each sample, even if they are the same for all.
    if not _has_sample_positions(site):
        rows = TensorExpr(site, site.add("Expand", [_emit_range(site, 0, shape[-2], 1), site.ints([inner_shape[0], shape[-2]])]), INT64)
        inputs.append(rows)
    rotated = site.add(
        "RotaryEmbedding",
        [i.name for i in inputs],
        interleaved=int(op.interleaved) or None,
        rotary_embedding_dim=op.dims,
        num_heads=1 if len(inner_shape) == 3 else None,
    )
    result = TensorExpr(site, rotated, x.dtype)
    return result if inner_shape == shape else _reshape_to(result, shape)


def _make_operator_shape(shape: Shape) -> Shape:
    """Return the shape that the operator takes, with a batch, and the heads on one axis."""
    if len(shape) == 2:
        return (1, *shape)
    return shape if len(shape) < 5 else (shape[0], numel(shape[1:-2]), *shape[-2:])


def _reshape_to(x: TensorExpr, shape: Shape) -> TensorExpr:
    return TensorExpr(x.site, x.site.add("Reshape", [x.name, x.site.shape(shape)]), x.dtype)


def _has_sample_positions(site: Site) -> bool:
    """Whether each sample has positions of its own."""
    return "positions" in site.given and site.given.positions.rank == 2


# --- angles ------------------------------------------------------------------------------------------------------------------


def _cosine_and_sine(op: Rotary, site: Site, dtype: DType) -> tuple[TensorExpr, TensorExpr]:
    """Compute cosines and sines of all angles, `[T, dims / 2]` or `[N, T, dims / 2]`, in float32, and round them to the type."""
    positions = site.positions.name if "positions" in site.given else _emit_range(site, 0, site.given.x.shape[-2], 1)
    column = TensorExpr(site, site.add("Unsqueeze", [site.cast(positions, FLOAT32), site.ints([-1])]), FLOAT32)
    angles = column * _make_frequencies(op, site)
    return angles.op("Cos").cast(dtype), angles.op("Sin").cast(dtype)


def _make_frequencies(op: Rotary, site: Site) -> TensorExpr:
    # The frequencies are computed in float64 and rounded once, as torch_rotary.py does for PyTorch.
    dims = op.rotated_size(site.given.x)
    if isinstance(dims, int):
        exact = 1 / np.power(float(op.base), np.arange(0, dims, 2, dtype=np.float64) / dims)
        return TensorExpr(site, site.constant(exact.astype(np.float32)), FLOAT32)
    exponents = TensorExpr(site, _emit_range(site, 0, dims, 2), INT64).cast(FLOAT64) / dims
    return exponents.like(float(op.base)).op("Pow", exponents).op("Reciprocal").cast(FLOAT32)


def _emit_range(site: Site, start: int, stop: Dim, step: int) -> str:
    return site.add("Range", [site.scalar(n, INT64) for n in (start, stop, step)])
