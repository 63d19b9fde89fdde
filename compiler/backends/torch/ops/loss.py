"""Writes losses in PyTorch: `F.cross_entropy(x, target)`, with the names and defaults of PyTorch's arguments."""

from __future__ import annotations

from ....ops.classification_loss import CrossEntropy, LinearCrossEntropy, NllLoss
from ....ops.loss import Loss
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
from ....ops.operator import Operator
from ....ops.probability_loss import BinaryCrossEntropy, BinaryCrossEntropyWithLogits, KlDiv
from ....ops.regression_loss import GaussianNllLoss, HuberLoss, L1Loss, MseLoss, PoissonNllLoss, SmoothL1Loss
from ....ops.sequence_loss import CtcLoss
from ...python.code.python_expressions import Code, Default, call_function, to_code
from ...python.operator_forms import call_loss
from ..torch_emitters import TorchSite, function
from .parameters import to_float

_LOSSES: dict[type[Operator], str] = {
    BinaryCrossEntropy: "BCELoss",
    BinaryCrossEntropyWithLogits: "BCEWithLogitsLoss",
    CosineEmbeddingLoss: "CosineEmbeddingLoss",
    CrossEntropy: "CrossEntropyLoss",
    CtcLoss: "CTCLoss",
    HingeEmbeddingLoss: "HingeEmbeddingLoss",
    HuberLoss: "HuberLoss",
    KlDiv: "KLDivLoss",
    L1Loss: "L1Loss",
    MarginRankingLoss: "MarginRankingLoss",
    MseLoss: "MSELoss",
    MultiMarginLoss: "MultiMarginLoss",
    MultilabelMarginLoss: "MultiLabelMarginLoss",
    MultilabelSoftMarginLoss: "MultiLabelSoftMarginLoss",
    NllLoss: "NLLLoss",
    PoissonNllLoss: "PoissonNLLLoss",
    SmoothL1Loss: "SmoothL1Loss",
    SoftMarginLoss: "SoftMarginLoss",
    TripletMarginLoss: "TripletMarginLoss",
}
"""The losses, with the names of PyTorch's modules."""
_NAMES = {cls: f"torch.nn.functional.{cls.name}, torch.nn.{module}" for cls, module in _LOSSES.items()}


@function(*_LOSSES, target=_NAMES)
def emit_loss(op: Loss, site: TorchSite) -> Code:
    return call_loss(f"F.{op.name}", op, site)


@function(GaussianNllLoss, target="torch.nn.functional.gaussian_nll_loss, torch.nn.GaussianNLLLoss")
def emit_gaussian_nll_loss(op: GaussianNllLoss, site: TorchSite) -> Code:
    """Write the loss. PyTorch takes a number for the variances only if it is a float."""
    var = site.var if "var" in site.given else to_code(to_float(op.var), "var")
    options = {"full": Default(op.full, False), "eps": Default(op.eps, 1e-6), "reduction": Default(op.reduction, "mean")}
    return call_function("F.gaussian_nll_loss", site.x, site.target, var, **options)


@function(LinearCrossEntropy, target="torch.nn.functional.linear_cross_entropy")
def emit_linear_cross_entropy(op: LinearCrossEntropy, site: TorchSite) -> Code:
    """Write a call of the function in torch_losses.py. PyTorch's own exists since 2.13, its options differ between versions, and under
    autocast its result has 8 bits."""
    return call_loss("linear_cross_entropy", op, site)
