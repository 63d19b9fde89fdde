"""Losses of classes in ONNX: SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss where they are the same function, else composed."""

from __future__ import annotations

from ....dims import Dim
from ....ir.types import FLOAT64, INT64
from ....ops.classification_loss import CrossEntropy, NllLoss
from ..expressions import TensorExpr
from ..losses import computed_in, log_softmax, reduced_as
from ..norms import over
from ..table import Site, emits


@emits(NllLoss, onnx="NegativeLogLikelihoodLoss")
def nll_loss(op: NllLoss, site: Site) -> str:
    return _of_numbers(op, site, _samples(site, computed_in(site.x)), "NegativeLogLikelihoodLoss").cast(site.given.x.dtype).name


@emits(CrossEntropy, onnx="SoftmaxCrossEntropyLoss, or LogSoftmax and NegativeLogLikelihoodLoss")
def cross_entropy(op: CrossEntropy, site: Site) -> str:
    x = _samples(site, computed_in(site.x))
    if op.of_probabilities(site.given):
        y = _of_probabilities(op, site, log_softmax(x, 1))
    elif x.dtype == FLOAT64 or op.label_smoothing:
        y = _smoothed(op, site, log_softmax(x, 1))
    else:
        y = _of_numbers(op, site, x, "SoftmaxCrossEntropyLoss")
    return y.cast(site.given.x.dtype).name


def _samples(site: Site, x: TensorExpr) -> TensorExpr:
    """A tensor of one sample as a batch of one."""
    return x if site.given.x.rank > 1 else x.op("Unsqueeze", _ints(x, [0]))


def _ints(x: TensorExpr, values: list[Dim]) -> TensorExpr:
    return TensorExpr(x.site, x.site.ints(values), INT64)


def _alone(op: CrossEntropy | NllLoss, site: Site, y: TensorExpr) -> TensorExpr:
    """Without the axis of a batch of one."""
    return y.op("Squeeze", _ints(y, [0])) if op.reduction == "none" and site.given.x.rank == 1 else y


def _labels(site: Site) -> TensorExpr:
    return site.target if site.given.x.rank > 1 else site.target.op("Unsqueeze", _ints(site.target, [0]))


def _of_numbers(op: CrossEntropy | NllLoss, site: Site, x: TensorExpr, op_type: str) -> TensorExpr:
    weights = [computed_in(site.weight)] if "weight" in site.given else []
    return _alone(op, site, x.op(op_type, _labels(site), *weights, reduction=op.reduction, ignore_index=op.ignore_index))


def _smoothed(op: CrossEntropy, site: Site, logs: TensorExpr) -> TensorExpr:
    """A part of the probability given to all classes alike."""
    known = _of_numbers(op, site, logs, "NegativeLogLikelihoodLoss")
    smoothing = float(op.label_smoothing)
    if not smoothing:
        return known
    labels = _labels(site)
    ignored = labels.equal(op.ignore_index)
    each = -over(_weighted(site, logs), "ReduceSum", [1])
    alike = _alone(op, site, ignored.choose(each.like(0.0), each))
    if op.reduction != "none":
        alike = over(alike, "ReduceSum")
    if op.reduction == "mean":
        alike = alike / _count(site, labels, ignored, alike)
    return known * (1 - smoothing) + alike * smoothing / _classes(site)


def _count(site: Site, labels: TensorExpr, ignored: TensorExpr, like: TensorExpr) -> TensorExpr:
    """The number of labels that are not ignored, or the sum of the weights of their classes."""
    kept = ignored.negation().cast(like.dtype)
    if "weight" in site.given:
        kept = kept * computed_in(site.weight).op("Gather", ignored.choose(labels.like(0), labels), axis=0)
    return over(kept, "ReduceSum")


def _classes(site: Site) -> Dim:
    """The number of classes."""
    shape = site.given.x.shape
    return shape[1] if len(shape) > 1 else shape[0]


def _weighted(site: Site, logs: TensorExpr) -> TensorExpr:
    """Each class by its weight, if there are any."""
    if "weight" not in site.given:
        return logs
    return logs * computed_in(site.weight).op("Reshape", _ints(logs, [-1, *[1] * (site.given.x.rank - 2)]))


def _of_probabilities(op: CrossEntropy, site: Site, logs: TensorExpr) -> TensorExpr:
    target = _samples(site, computed_in(site.target))
    smoothing, classes = float(op.label_smoothing), _classes(site)
    if smoothing:
        target = target * (1 - smoothing) + target.like(smoothing) / classes
    each = -over(_weighted(site, logs * target), "ReduceSum", [1])
    return _alone(op, site, reduced_as(op, each))
