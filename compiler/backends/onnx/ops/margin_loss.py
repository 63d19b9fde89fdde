"""Emit losses with a margin as arithmetic, because ONNX has no operators for them.

>>> import netc
>>> spec = "x = input 3; y = input 3; target = input [3]; (x, y, target) -> margin_ranking_loss reduction=none"
>>> [node.op_type for node in netc.compile(spec).onnx().graph.node]
['Neg', 'Sub', 'Mul', 'Add', 'Max']
"""

from __future__ import annotations

from ....ops.margin_loss import (
    CosineEmbeddingLoss,
    HingeEmbeddingLoss,
    MarginRankingLoss,
    MultilabelMarginLoss,
    MultilabelSoftMarginLoss,
    MultiMarginLoss,
    SoftMarginLoss,
    TripletMarginLoss,
)
from ....types.tensor_types import BOOL, INT64
from ..loss_parts import cast_for_compute, hinge, log_sigmoid, reduce_loss
from ..norms import p_norm, reduce_axes
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, log1p

_SMALL = 1e-12
"""The number that PyTorch adds to squares of lengths."""


def _cast_targets(site: Site) -> TensorExpr:
    """Return the targets in the element type of the computation."""
    return site.target.cast(cast_for_compute(site[site.given.names[0]]).dtype)


def _make_axes(x: TensorExpr, *axes: int) -> TensorExpr:
    return TensorExpr(x.site, x.site.ints(axes), INT64)


@emits(HingeEmbeddingLoss, onnx="Sub, Max, Equal, Where, ReduceSum and Div")
def emit_hinge_embedding_loss(op: HingeEmbeddingLoss, site: Site) -> str:
    x, target = cast_for_compute(site.x), _cast_targets(site)
    # A target that is neither 1 nor -1 contributes nothing, as in PyTorch.
    zero = x.like(0.0)
    apart = target.equal(1.0).choose(zero, hinge(-x + float(op.margin)))
    alike = target.equal(-1.0).choose(zero, x)
    return reduce_loss(op, apart + alike).cast(site.given.x.dtype).name


@emits(MarginRankingLoss, onnx="Sub, Mul, Max, ReduceSum and Div")
def emit_margin_ranking_loss(op: MarginRankingLoss, site: Site) -> str:
    each = hinge(-_cast_targets(site) * (cast_for_compute(site.x1) - cast_for_compute(site.x2)) + float(op.margin))
    return reduce_loss(op, each).cast(site.given.x1.dtype).name


@emits(SoftMarginLoss, onnx="Mul, Exp, Log, ReduceSum and Div")
def emit_soft_margin_loss(op: SoftMarginLoss, site: Site) -> str:
    each = log1p((-_cast_targets(site) * cast_for_compute(site.x)).exp())
    return reduce_loss(op, each).cast(site.given.x.dtype).name


@emits(CosineEmbeddingLoss, onnx="Mul, ReduceSum, Sqrt, Div, Max and Where")
def emit_cosine_embedding_loss(op: CosineEmbeddingLoss, site: Site) -> str:
    a, b, target = cast_for_compute(site.x1), cast_for_compute(site.x2), _cast_targets(site)

    def dot_product(x: TensorExpr, y: TensorExpr) -> TensorExpr:
        return reduce_axes(x * y, "ReduceSum", [-1])

    cosine = dot_product(a, b) / ((dot_product(a, a) + _SMALL) * (dot_product(b, b) + _SMALL)).op("Sqrt")
    zero = cosine.like(0.0)
    alike = target.equal(1.0).choose(-cosine + 1.0, zero)
    apart = target.equal(-1.0).choose(hinge(cosine - float(op.margin)), zero)
    return reduce_loss(op, alike + apart).cast(site.given.x1.dtype).name


@emits(TripletMarginLoss, onnx="Sub, ReduceL2, Min, Max, ReduceSum and Div")
def emit_triplet_margin_loss(op: TripletMarginLoss, site: Site) -> str:
    anchor, positive, negative = (cast_for_compute(site[name]) for name in ("anchor", "positive", "negative"))
    near, far = _compute_distance(op, anchor, positive), _compute_distance(op, anchor, negative)
    if op.swap:
        far = far.op("Min", _compute_distance(op, positive, negative))
    return reduce_loss(op, hinge(near - far + float(op.margin))).cast(site.given.anchor.dtype).name


def _compute_distance(op: TripletMarginLoss, a: TensorExpr, b: TensorExpr) -> TensorExpr:
    return p_norm(a - b + float(op.eps), float(op.p), [-1])


# For classes, PyTorch adds only margins above 0, and NaN is not above 0.


@emits(MultiMarginLoss, onnx="GatherElements, Sub, Greater, Mul, Where, ReduceSum and Div")
def emit_multi_margin_loss(op: MultiMarginLoss, site: Site) -> str:
    x = cast_for_compute(site.x)
    right = site.target.op("Unsqueeze", _make_axes(site.target, -1))
    margins = x - x.op("GatherElements", right, axis=site.given.x.rank - 1) + float(op.margin)
    each = margins * margins if op.p == 2 else margins
    if "weight" in site.given:
        each = each * cast_for_compute(site.weight).op("Gather", right, axis=0)
    classes = site.given.x.shape[-1]
    numbers = TensorExpr(site, site.add("Range", [site.scalar(n, INT64) for n in (0, classes, 1)]), INT64)
    counted = margins.greater(0.0).op("And", numbers.equal(right).negation())
    each = counted.choose(each, 0.0)
    return reduce_loss(op, reduce_axes(each, "ReduceSum", [-1]) / classes).cast(site.given.x.dtype).name


@emits(MultilabelMarginLoss, onnx="CumSum, Equal, GatherElements, Greater, Where, ReduceSum and Div")
def emit_multilabel_margin_loss(op: MultilabelMarginLoss, site: Site) -> str:
    """Compare every listed class with every class. Axis -2 has the list, axis -1 the classes."""
    x, target = cast_for_compute(site.x), site.target
    # The list of a sample ends at its first negative number.
    ended = target.less(0).cast(INT64).op("CumSum", TensorExpr(site, site.scalar(-1, INT64), INT64)).greater(0)
    number = ended.choose(target.like(0), target)
    classes = site.given.x.shape[-1]
    numbers = TensorExpr(site, site.add("Range", [site.scalar(n, INT64) for n in (0, classes, 1)]), INT64)
    listed = ended.negation().op("Unsqueeze", _make_axes(target, -1))
    same = number.op("Unsqueeze", _make_axes(target, -1)).op("Equal", numbers, to=BOOL).op("And", listed)
    within = reduce_axes(same.cast(x.dtype), "ReduceMax", [-2], keepdims=True).truth()
    right = x.op("GatherElements", number, axis=site.given.x.rank - 1).op("Unsqueeze", _make_axes(x, -1))
    margins = -right + 1.0 + x.op("Unsqueeze", _make_axes(x, -2))
    counted = margins.greater(0.0).op("And", listed).op("And", within.negation())
    each = reduce_axes(counted.choose(margins, 0.0), "ReduceSum", [-2, -1]) / classes
    return reduce_loss(op, each).cast(site.given.x.dtype).name


@emits(MultilabelSoftMarginLoss, onnx="Exp, Log, Mul, Add, ReduceSum and Div")
def emit_multilabel_soft_margin_loss(op: MultilabelSoftMarginLoss, site: Site) -> str:
    x, target = cast_for_compute(site.x), cast_for_compute(site.target)
    each = -(target * log_sigmoid(x) + (-target + 1.0) * log_sigmoid(-x))
    if "weight" in site.given:
        each = each * cast_for_compute(site.weight)
    return reduce_loss(op, reduce_axes(each, "ReduceSum", [-1]) / site.given.x.shape[-1]).cast(site.given.x.dtype).name
