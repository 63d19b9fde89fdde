"""Bounds of products of matrices and of attention.

With a known matrix, each result is bounded by the better of two: the sum of the largest terms, and, if the row is in a ball, its center and
the norm of the matrix's row (Cauchy-Schwarz). A row of weights, such as a softmax, gives a mean of the other tensor's rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops.attention import Attention
from ...ops.linear_algebra import Matmul
from ...ops.multihead import MultiheadAttention
from ...ops.rotary import Rotary
from ...types.numpy_types import Array
from ..bound_table import BoundSite, bound_rule
from ..tensor_bounds import TensorBound, multiply_ends, scalar_bound, unknown_bound

Bounds = Sequence[TensorBound]


def multiply_by_matrix(rows: TensorBound, matrix: Array, bias: Array | None, share: float) -> TensorBound:
    """Bound `x @ matrix.T + bias` for rows x of a tensor.

    Args:
        rows: The bound of the tensor, whose last axis is multiplied.
        matrix: The matrix, `[results, terms]`.
        bias: A number for each result, or None.
        share: The relative error of the sums.

    Returns:
        The bound, with size 1 for all axes but the last.
    """
    merged = rows.merge_axes(tuple(range(rows.rank - 1)))
    low, high = (np.broadcast_to(end.reshape(-1), matrix.shape[1:]) for end in (merged.low, merged.high))
    size = np.abs(matrix)
    largest = _weigh(size, np.maximum(np.abs(low), np.abs(high)))
    if np.isfinite(low).all() and np.isfinite(high).all():
        center, reach = matrix @ ((low + high) / 2), size @ ((high - low) / 2)
    else:
        center, reach = np.zeros(len(matrix)), largest
    bound = TensorBound(center - reach, center + reach)
    if rows.ball is not None:
        center, reach = matrix @ rows.ball.center, np.linalg.norm(matrix * rows.ball.scale, axis=1)
        bound = bound & TensorBound(center - reach, center + reach)
        largest = size @ (np.abs(rows.ball.center) + rows.ball.scale)
    if bias is not None:
        bound, largest = TensorBound(bound.low + bias, bound.high + bias), largest + np.abs(bias)
    bound = bound.widen(0.0, share * largest)
    shape = (1,) * (rows.rank - 1) + (len(matrix),)
    return TensorBound(bound.low.reshape(shape), bound.high.reshape(shape))


def _weigh(weights: Array, magnitudes: Array) -> Array:
    """Return the sums of weighted magnitudes. An unknown magnitude does not count where its weight is 0."""
    sums: Array = weights @ magnitudes if np.isfinite(magnitudes).all() else multiply_ends(weights, magnitudes).sum(axis=1)
    return sums


@bound_rule(Matmul)
def bound_matmul(site: BoundSite) -> Bounds:
    x, other = site.inputs
    x_type, other_type = site.given.types
    rank = site.results[0].rank
    terms = x_type.shape[-1]
    share = site.sum_share(terms)
    if x.row_sum is not None and other.rank > 1:
        # The sum of the weights may be less than 1, so 0 counts as one of the rows.
        rows = other.merge_axes(tuple(range(other.rank - 1))) | scalar_bound(0, 0, other.rank)
        mean = TensorBound(rows.low * x.row_sum, rows.high * x.row_sum).widen(share)
        return (mean.map_ends(lambda end: end.reshape((1,) * (rank - 1) + end.shape[-1:])),)
    sizes = tuple(size for size in other_type.shape if isinstance(size, int))
    if other.is_constant and x.rank > 1 and len(sizes) == other_type.rank == 2:
        return (multiply_by_matrix(x, np.broadcast_to(other.low, sizes).T, None, share),)
    if not isinstance(terms, int):
        return site.unknown()
    product = x.merge_all(rank) * other.merge_all(rank)
    # A sum of terms that cancel is rounded by a share of their absolute values.
    sums = product.map_ends(lambda end: multiply_ends(end, float(terms)))
    return (sums.widen(0.0, share * sums.magnitude),)


@bound_rule(Attention)
def bound_attention(site: BoundSite) -> Bounds:
    """The definition shows that the result is a mean of values. The scores are inside, and a runtime may compute them in the model's
    type."""
    results, site.inner = site.bound_definition()
    return results


@bound_rule(MultiheadAttention)
def bound_multihead_attention(site: BoundSite) -> Bounds:
    """The projection of a mean of projected values."""
    op: Any = site.op
    out = site.read_parameter("out_proj.weight")
    weights = scalar_bound(0, 1, site.results[-1].rank)
    if out is None:
        return unknown_bound(site.results[0].rank), weights
    names = ("query", op.key_input(site.given), op.value_input(site.given))
    query, key, projected = (_project(site, part, name, len(out)) for part, name in zip("qkv", names, strict=True))
    size = len(out) // op.heads
    scores = np.sqrt(size) * query.limit * max(key.limit, _learned_limit(site)) * (1 + site.sum_share(size))
    learned = site.read_parameter("bias_v")
    reach = projected | scalar_bound(0, 0, projected.rank)
    if learned is not None:
        reach = reach | TensorBound(learned.reshape(reach.low.shape), learned.reshape(reach.low.shape))
    mean = reach.widen(site.sum_share("unknown"))
    site.inner = max(mean.limit, query.limit, key.limit, scores)
    return (multiply_by_matrix(mean, out, site.read_parameter("out_proj.bias"), site.sum_share(len(out))), weights)[: len(site.results)]


def _project(site: BoundSite, part: str, name: str, features: int) -> TensorBound:
    """Bound the projected queries, keys or values: `part` is `q`, `k` or `v`."""
    bound = site.get_input(name)
    joined, bias = site.read_parameter("in_proj_weight"), site.read_parameter("in_proj_bias")
    rows = slice("qkv".index(part) * features, ("qkv".index(part) + 1) * features)
    matrix = site.read_parameter(f"{part}_proj_weight") if joined is None else joined[rows]
    assert bound is not None
    assert matrix is not None
    return multiply_by_matrix(bound, matrix, None if bias is None else bias[rows], site.sum_share(matrix.shape[1]))


def _learned_limit(site: BoundSite) -> float:
    """Return the largest absolute value of the learned key."""
    learned = site.read_parameter("bias_k")
    return 0.0 if learned is None else float(np.abs(learned).max())


@bound_rule(Rotary)
def bound_rotary(site: BoundSite) -> Bounds:
    """A rotation keeps the length of each pair, which is at most sqrt(2) times its larger element."""
    x = site.x.merge_axes((site.x.rank - 1,))
    reach = np.sqrt(2.0) * x.magnitude * (1 + 2.0**-16)
    return (TensorBound(-reach, reach),)
