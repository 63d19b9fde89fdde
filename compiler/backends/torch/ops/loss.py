"""Losses in PyTorch: `F.cross_entropy(x, target)`, with the names and defaults of its own arguments."""

from __future__ import annotations

from ....ops.base import Operator
from ....ops.classification_loss import CrossEntropy, NllLoss
from ....ops.loss import Loss
from ....ops.regression_loss import HuberLoss, L1Loss, MseLoss, SmoothL1Loss
from ...python.code.expressions import Code, call
from ..table import TorchSite, function

_LOSSES: dict[type[Operator], str] = {
    CrossEntropy: "CrossEntropyLoss",
    HuberLoss: "HuberLoss",
    L1Loss: "L1Loss",
    MseLoss: "MSELoss",
    NllLoss: "NLLLoss",
    SmoothL1Loss: "SmoothL1Loss",
}
"""With the names of PyTorch's modules."""
_NAMES = {cls: f"torch.nn.functional.{cls.name}, torch.nn.{module}" for cls, module in _LOSSES.items()}


@function(*_LOSSES, torch=_NAMES)
def loss(op: Loss, site: TorchSite) -> Code:
    """Inputs by position, those that may be absent by name."""
    own = [name for name, operand in op.operands.items() if operand.required]
    tensors = {name: (site.get(name), None) for name, operand in op.operands.items() if operand.optional}
    options = {name: (op.args[name], arg.default) for name, arg in op.signature.items()}
    return call(f"F.{op.name}", *(site[name] for name in own), **tensors, **options)
