"""Sums of products: `matmul`, `einsum`, and layers that multiply the last axis by learned weights."""

from __future__ import annotations

from collections.abc import Sequence

from ...ops.dense import Bilinear, Dense
from ...ops.experts import GroupedLinear
from ...ops.linear_algebra import Cdist, Einsum, Matmul
from ..abstract_tensors import AbstractTensor
from ..element_facts import multiply_facts
from ..position_axes import Axis
from ..proof_rules import proof_rule
from ..rule_site import RuleSite
from ..tensor_positions import Positions
from .reduction import sum_facts

Labels = tuple[str, ...]


@proof_rule(Matmul)
def analyze_matmul(site: RuleSite) -> Sequence[AbstractTensor]:
    a, b = site.inputs
    rows: Labels = ("m", "k") if a.rank > 1 else ("k",)
    columns: Labels = ("k", "n") if b.rank > 1 else ("k",)
    left, right = (*_label_batch(a.rank - len(rows)), *rows), (*_label_batch(b.rank - len(columns)), *columns)
    wide = _label_batch(max(a.rank - len(rows), b.rank - len(columns)))
    return [contract(site, [a, b], [left, right], (*wide, *(label for label in (*rows, *columns) if label != "k")))]


def _label_batch(count: int) -> Labels:
    """Label axes from the last one, so that they are aligned as broadcasting aligns them."""
    return tuple(f".{count - index}" for index in range(count))


@proof_rule(Einsum)
def analyze_einsum(site: RuleSite) -> Sequence[AbstractTensor]:
    equation = site.op.read_equation(site.given)
    if any(len(set(labels)) < len(labels) for labels in equation.operands):  # a diagonal
        return site.forget_positions()
    return [contract(site, site.inputs, equation.operands, equation.result)]


def contract(site: RuleSite, tensors: Sequence[AbstractTensor], operands: Sequence[Labels], result: Labels) -> AbstractTensor:
    """Multiply tensors whose axes have these labels, and sum over the labels that the result lacks."""
    summed = tuple(dict.fromkeys(label for labels in operands for label in labels if label not in result))
    order = (*summed, *result)
    aligned = [_order_axes(site.positions, tensor, labels, order) for tensor, labels in zip(tensors, operands, strict=True)]
    product = aligned[0]
    for other in aligned[1:]:
        product = site.combine(lambda facts: multiply_facts(*facts), product, other)
    axes = tuple(range(len(summed)))
    return site.positions.remove_axes(site.positions.reduce(product, axes, sum_facts), axes)


def _order_axes(positions: Positions, tensor: AbstractTensor, labels: Labels, order: Labels) -> AbstractTensor:
    sources: list[int | Axis] = [labels.index(label) if label in labels else () for label in order]
    return positions.move_axes(tensor, sources)


@proof_rule(Dense, Bilinear)
def analyze_dense(site: RuleSite) -> Sequence[AbstractTensor]:
    """Mix the last axis. Parameters that are given as tensors are mixed as a whole."""
    positions, result = site.positions, site.results[0]
    parts = list[AbstractTensor]()
    for name, x in zip(site.given.names, site.inputs, strict=True):
        if name in ("weight", "bias"):
            parts.append(positions.forget_positions(x, (result.shape[-1],)))
        else:
            parts.append(positions.replace_axis(x, x.rank - 1, result.shape[-1]))
    return [site.combine_unknown(*parts)]


@proof_rule(Cdist)
def analyze_cdist(site: RuleSite) -> Sequence[AbstractTensor]:
    """A distance for each pair of rows. Rows of zeros have distances too, so this is no product."""
    positions = site.positions
    rows, others = (positions.reduce(x, (x.rank - 1,)) for x in site.inputs)
    columns = positions.move_axes(others, [*range(others.rank - 2), others.rank - 1, others.rank - 2])
    return [site.combine_unknown(rows, columns)]


@proof_rule(GroupedLinear)
def analyze_grouped_linear(site: RuleSite) -> Sequence[AbstractTensor]:
    """Each row depends on itself and its index, and on all matrices."""
    positions, units = site.positions, site.results[0].shape[-1]
    rows = positions.replace_axis(site.get("x"), site.given.x.rank - 1, units)
    index = positions.move_axes(site.get("index"), [*range(site.given.index.rank), ()])
    return [site.combine_unknown(rows, index, positions.forget_positions(site.get("weight"), (units,)))]
