"""Losses of numbers in ONNX."""

from __future__ import annotations

from ....ir.types import BOOL
from ....ops.regression_loss import HuberLoss, L1Loss, MseLoss, SmoothL1Loss
from ..expressions import TensorExpr
from ..losses import computed_in, over, reduced_as
from ..table import Site, emits


def _wide(site: Site) -> dict[str, TensorExpr]:
    """The inputs, in the element type that is computed in."""
    return {name: computed_in(site[name]) for name in site.given.names}


@emits(L1Loss, onnx="Sub, Abs and ReduceMean")
def l1_loss(op: L1Loss, site: Site) -> str:
    given = _wide(site)
    return _weighted(op, site, given, abs(given["x"] - given["target"]))


@emits(MseLoss, onnx="Sub, Mul and ReduceMean")
def mse_loss(op: MseLoss, site: Site) -> str:
    given = _wide(site)
    error = given["x"] - given["target"]
    return _weighted(op, site, given, error * error)


def _weighted(op: L1Loss | MseLoss, site: Site, given: dict[str, TensorExpr], each: TensorExpr) -> str:
    """The mean of what is weighted is divided by the sum of the weights."""
    weight = given.get("weight")
    if weight is None:
        return reduced_as(op, each).cast(site.given.x.dtype).name
    return reduced_as(op, each * weight, over(weight, "ReduceSum")).cast(site.given.x.dtype).name


@emits(SmoothL1Loss, onnx="Sub, Abs, Mul, Where and ReduceMean")
def smooth_l1_loss(op: SmoothL1Loss, site: Site) -> str:
    given = _wide(site)
    error = abs(given["x"] - given["target"])
    if op.beta:
        beta = float(op.beta)
        error = error.less(beta).choose(error * error * 0.5 / beta, error - 0.5 * beta)
    return reduced_as(op, error).cast(site.given.x.dtype).name


@emits(HuberLoss, onnx="Sub, Abs, Mul, Where and ReduceMean")
def huber_loss(op: HuberLoss, site: Site) -> str:
    given = _wide(site)
    delta = float(op.delta)
    error = abs(given["x"] - given["target"])
    near = error.op("LessOrEqual", delta, to=BOOL)
    each = near.choose(error * error * 0.5, (error - 0.5 * delta) * delta)
    weight = given.get("weight")
    return reduced_as(op, each if weight is None else each * weight).cast(site.given.x.dtype).name
