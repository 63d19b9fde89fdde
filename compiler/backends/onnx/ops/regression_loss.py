"""Emit losses of real numbers as arithmetic, because ONNX has no operators for them.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 3; y = input 3; (x, y) -> mse_loss").onnx().graph.node]
['Sub', 'Mul', 'ReduceSum', 'Size', 'Cast', 'Div']
"""

from __future__ import annotations

from math import log, pi

from ....ops.regression_loss import GaussianNllLoss, HuberLoss, L1Loss, MseLoss, PoissonNllLoss, SmoothL1Loss
from ....types.tensor_types import BOOL, INT64
from ..loss_parts import cast_for_compute, reduce_loss
from ..norms import reduce_axes
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr


def _cast_inputs(site: Site) -> dict[str, TensorExpr]:
    """Return the inputs in the element type of the computation."""
    return {name: cast_for_compute(site[name]) for name in site.given.names}


@emits(L1Loss, onnx="Sub, Abs, ReduceSum and Div")
def emit_l1_loss(op: L1Loss, site: Site) -> str:
    inputs = _cast_inputs(site)
    return _reduce_weighted(op, site, inputs, abs(inputs["x"] - inputs["target"]))


@emits(MseLoss, onnx="Sub, Mul, ReduceSum and Div")
def emit_mse_loss(op: MseLoss, site: Site) -> str:
    inputs = _cast_inputs(site)
    error = inputs["x"] - inputs["target"]
    return _reduce_weighted(op, site, inputs, error * error)


def _reduce_weighted(op: L1Loss | MseLoss, site: Site, inputs: dict[str, TensorExpr], each: TensorExpr) -> str:
    """Reduce the loss. A weighted mean is divided by the sum of the weights."""
    weight = inputs.get("weight")
    if weight is None:
        return reduce_loss(op, each).cast(site.given.x.dtype).name
    return reduce_loss(op, each * weight, reduce_axes(weight, "ReduceSum")).cast(site.given.x.dtype).name


@emits(SmoothL1Loss, onnx="Sub, Abs, Mul, Where, ReduceSum and Div")
def emit_smooth_l1_loss(op: SmoothL1Loss, site: Site) -> str:
    inputs = _cast_inputs(site)
    error = abs(inputs["x"] - inputs["target"])
    if op.beta:
        beta = float(op.beta)
        error = error.less(beta).choose(error * error * 0.5 / beta, error - 0.5 * beta)
    return reduce_loss(op, error).cast(site.given.x.dtype).name


@emits(HuberLoss, onnx="Sub, Abs, Mul, Where, ReduceSum and Div")
def emit_huber_loss(op: HuberLoss, site: Site) -> str:
    inputs = _cast_inputs(site)
    delta = float(op.delta)
    error = abs(inputs["x"] - inputs["target"])
    near = error.op("LessOrEqual", delta, to=BOOL)
    each = near.choose(error * error * 0.5, (error - 0.5 * delta) * delta)
    weight = inputs.get("weight")
    return reduce_loss(op, each if weight is None else each * weight).cast(site.given.x.dtype).name


@emits(PoissonNllLoss, onnx="Exp or Log, Mul, Sub, ReduceSum and Div")
def emit_poisson_nll_loss(op: PoissonNllLoss, site: Site) -> str:
    inputs = _cast_inputs(site)
    x, target = inputs["x"], inputs["target"]
    each = x.exp() - target * x if op.log_input else x - target * (x + float(op.eps)).log()
    if op.full:
        stirling = target * target.log() - target + (target * (2 * pi)).log() * 0.5
        # Stirling's approximation holds for targets above 1 only, and PyTorch leaves it out below.
        each = each + target.op("LessOrEqual", 1.0, to=BOOL).choose(target.like(0.0), stirling)
    return reduce_loss(op, each).cast(site.given.x.dtype).name


@emits(GaussianNllLoss, onnx="Max, Log, Sub, Mul, Div and ReduceSum")
def emit_gaussian_nll_loss(op: GaussianNllLoss, site: Site) -> str:
    inputs = _cast_inputs(site)
    error = inputs["x"] - inputs["target"]
    var = _read_variances(op, site, inputs).op("Max", float(op.eps))
    each = (var.log() + error * error / var) * 0.5
    if op.full:
        each = each + 0.5 * log(2 * pi)
    return reduce_loss(op, each).cast(site.given.x.dtype).name


def _read_variances(op: GaussianNllLoss, site: Site, inputs: dict[str, TensorExpr]) -> TensorExpr:
    """Return the variances, with a last axis if they were passed without it."""
    if "var" not in inputs:
        return inputs["x"].like(float(op.var))  # type: ignore[arg-type]
    var = inputs["var"]
    if site.given.var.rank == site.given.x.rank:
        return var
    return var.op("Unsqueeze", TensorExpr(site, site.ints([-1]), INT64))
