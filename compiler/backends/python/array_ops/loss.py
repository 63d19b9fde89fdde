"""Writes losses: `cross_entropy(x, target)`, with the names and defaults of PyTorch's arguments."""

from __future__ import annotations

from ....ops.classification_loss import CrossEntropy, LinearCrossEntropy
from ....ops.loss import Loss
from ....ops.operator import Operator
from ..code.python_expressions import Code
from ..operator_forms import call_loss
from .array_emitters import ARRAY, ArraySite

_TARGETS: dict[type[Loss], str] = {CrossEntropy: "{nn}.log_softmax"}


def emit_loss(op: Loss, site: ArraySite) -> Code:
    return call_loss(op.name, op, site)


for _loss in Operator.registry.values():
    # The linear scores and their loss are written by the definition.
    if issubclass(_loss, Loss) and _loss is not LinearCrossEntropy:
        ARRAY.function(_loss, target=_TARGETS.get(_loss, "{array}"))(emit_loss)
