"""Emit classification losses as SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss, or composed where those differ from PyTorch.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 10; y = input [] int64; (x, y) -> cross_entropy").onnx().graph.node]
['SoftmaxCrossEntropyLoss']
"""

from __future__ import annotations

from ....dims import Dim
from ....ops.classification_loss import CrossEntropy, NllLoss
from ....types.tensor_types import FLOAT64, INT64
from ..loss_parts import cast_for_compute
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr


@emits(NllLoss, onnx="NegativeLogLikelihoodLoss")
def emit_nll_loss(op: NllLoss, site: Site) -> str:
    return (
        _emit_label_loss(op, site, _add_batch_axis(site, cast_for_compute(site.x)), "NegativeLogLikelihoodLoss")
        .cast(site.given.x.dtype)
        .name
    )


@emits(CrossEntropy, onnx="SoftmaxCrossEntropyLoss, or LogSoftmax and NegativeLogLikelihoodLoss")
def emit_cross_entropy(op: CrossEntropy, site: Site) -> str | None:
    # ONNX's operator has neither probabilities as targets nor label smoothing, and ONNX Runtime has no float64 kernel for it.
    if op.of_probabilities(site.given) or op.label_smoothing or site.given.x.dtype == FLOAT64:
        return None
    x = _add_batch_axis(site, cast_for_compute(site.x))
    return _emit_label_loss(op, site, x, "SoftmaxCrossEntropyLoss").cast(site.given.x.dtype).name


def _add_batch_axis(site: Site, x: TensorExpr) -> TensorExpr:
    """Turn a single sample into a batch of one."""
    return x if site.given.x.rank > 1 else x.op("Unsqueeze", _make_ints(x, [0]))


def _make_ints(x: TensorExpr, values: list[Dim]) -> TensorExpr:
    return TensorExpr(x.site, x.site.ints(values), INT64)


def _drop_batch_axis(op: CrossEntropy | NllLoss, site: Site, y: TensorExpr) -> TensorExpr:
    """Remove the axis of a batch of one, if the loss has one number for each sample."""
    return y.op("Squeeze", _make_ints(y, [0])) if op.reduction == "none" and site.given.x.rank == 1 else y


def _batch_labels(site: Site) -> TensorExpr:
    return site.target if site.given.x.rank > 1 else site.target.op("Unsqueeze", _make_ints(site.target, [0]))


def _emit_label_loss(op: CrossEntropy | NllLoss, site: Site, x: TensorExpr, op_type: str) -> TensorExpr:
    weights = [cast_for_compute(site.weight)] if "weight" in site.given else []
    return _drop_batch_axis(op, site, x.op(op_type, _batch_labels(site), *weights, reduction=op.reduction, ignore_index=op.ignore_index))
