"""Emit losses of probabilities as arithmetic on logarithms, which are clamped as in PyTorch.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 3; y = input 3; (x, y) -> kl_div reduction=none").onnx().graph.node]
['Equal', 'Log', 'Mul', 'Where', 'Mul', 'Sub']
"""

from __future__ import annotations

from ....ops.probability_loss import BinaryCrossEntropy, BinaryCrossEntropyWithLogits, KlDiv
from ..loss_parts import cast_for_compute, log_sigmoid, reduce_loss
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, log1p

LEAST_LOG = -100.0
"""The least logarithm of a probability: PyTorch clamps there, so that a probability of 0 gives no infinite loss."""


@emits(BinaryCrossEntropy, onnx="Log, Max, Mul, Sub, ReduceSum and Div")
def emit_binary_cross_entropy(op: BinaryCrossEntropy, site: Site) -> str:
    x, target = cast_for_compute(site.x), cast_for_compute(site.target)
    each = (target - 1.0) * log1p(-x).op("Max", LEAST_LOG) - target * x.log().op("Max", LEAST_LOG)
    return _reduce_weighted(op, site, each)


@emits(BinaryCrossEntropyWithLogits, onnx="Min, Exp, Log, Mul, Sub, ReduceSum and Div")
def emit_binary_cross_entropy_with_logits(op: BinaryCrossEntropyWithLogits, site: Site) -> str:
    x, target = cast_for_compute(site.x), cast_for_compute(site.target)
    logs = log_sigmoid(x)
    if "pos_weight" in site.given:
        logs = logs * ((cast_for_compute(site.pos_weight) - 1.0) * target + 1.0)
    return _reduce_weighted(op, site, (-target + 1.0) * x - logs)


def _reduce_weighted(op: BinaryCrossEntropy | BinaryCrossEntropyWithLogits, site: Site, each: TensorExpr) -> str:
    if "weight" in site.given:
        each = each * cast_for_compute(site.weight)
    return reduce_loss(op, each).cast(site.given.x.dtype).name


@emits(KlDiv, onnx="Log, Sub, Mul, Where, ReduceSum and Div")
def emit_kl_div(op: KlDiv, site: Site) -> str:
    x, target = cast_for_compute(site.x), cast_for_compute(site.target)
    each = target.exp() * (target - x) if op.log_target else _multiply_by_log(target) - target * x
    if op.reduction != "batchmean":
        return reduce_loss(op, each).cast(site.given.x.dtype).name
    size = site.given.x.shape[0] if site.given.x.rank else 1
    return (each.op("ReduceSum", keepdims=0) / size).cast(site.given.x.dtype).name


def _multiply_by_log(x: TensorExpr) -> TensorExpr:
    """Compute `x log(x)`, which is 0 for 0."""
    return x.equal(0.0).choose(x, x * x.log())
