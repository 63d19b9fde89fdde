"""Losses with a margin: the score of the right answer must exceed the scores of wrong answers by the margin.

In: scores or vectors, and targets: 1 and -1, or class numbers. Out: one number, or with `reduction=none` one for each element or sample.
Always: nothing broadcasts but the weights that say so, and numbers, options and defaults are as in torch.nn.functional.
"""

from __future__ import annotations

from ..errors.arithmetic import NeedsNumber
from ..errors.loss import SigmoidTwice
from ..errors.operator_errors import DTypeMismatch, WrongRank
from ..errors.problem import STAGE
from ..types.tensor_types import Shape, TensorType
from .activation import Sigmoid
from .classification_loss import LABELS, labels_of, require_class_weight
from .element_types import FLOATS, ElementTypes
from .kinds import FLAG, NUMBER, IntKind, NumberKind
from .loss import Loss, require_same_shape, require_to_broadcast
from .operand import SOME_AXES, Input, axes
from .operator import Arg, OperatorError, OpInputs

SIGNS = ElementTypes((*FLOATS.names, "int8", "int16", "int32", "int64"), NeedsNumber, "float or signed integer")
"""The element types of targets that are 1 or -1."""
CLASSES = "[N, classes]"


class _Signed(Loss):
    """A target of 1 or -1 for each element or sample, as integers or in the element type of the first input."""

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        target = inputs.target
        # `like` would refuse the integer targets, so only a target of floats is compared with the first input.
        if target.dtype.is_float and target.dtype != inputs.types[0].dtype:
            raise OperatorError(DTypeMismatch(self.name, inputs.types[0], target, (0, inputs.position("target"))), STAGE)
        return super().infer_types(inputs)


class HingeEmbeddingLoss(_Signed):
    """For distances `x`: `x` where the target is 1, `max(0, margin - x)` where it is -1."""

    name = "hinge_embedding_loss"
    alike = ("target",)
    x = Input(FLOATS)
    target = Input(SIGNS)
    margin = Arg(NUMBER, default=1.0)
    examples = ("distance = input [] -> abs; same = input []; (distance, same) -> hinge_embedding_loss",)


class MarginRankingLoss(_Signed):
    """`max(0, margin - target (x1 - x2))`: where the target is 1, `x1` should be the greater one, where it is -1, `x2`."""

    name = "margin_ranking_loss"
    alike = ("x2", "target")
    work = 4
    x1 = Input(FLOATS, alias="input1")
    x2 = Input(like="x1", alias="input2")
    target = Input(SIGNS)
    margin = Arg(NUMBER, default=0)
    examples = ("a = input []; b = input []; better = input []; (a, b, better) -> margin_ranking_loss margin=0.1",)


class SoftMarginLoss(_Signed):
    """`log(1 + exp(-target x))`, for targets of 1 and -1."""

    name = "soft_margin_loss"
    alike = ("target",)
    work = 4
    x = Input(FLOATS)
    target = Input(SIGNS)
    examples = ("x = input 8 -> dense 3; y = input 3; (x, y) -> soft_margin_loss",)


class CosineEmbeddingLoss(_Signed):
    """For pairs of vectors with the cosine similarity `cos`: `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1."""

    name = "cosine_embedding_loss"
    work = 6
    x1 = Input(FLOATS, axes("N n", "[N, features] or [features]", least=1), alias="input1")
    x2 = Input(axes=axes("N n"), like="x1", alias="input2")
    target = Input(SIGNS)
    margin = Arg(NUMBER, default=0)
    examples = ("a = input 8; b = input 8; same = input []; (a, b, same) -> cosine_embedding_loss",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        require_same_shape(self.name, inputs, "x1", "x2", inputs.x1.shape)
        require_same_shape(self.name, inputs, "x1", "target", inputs.x1.shape[:-1])
        return super().infer_types(inputs)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return inputs.x1.shape[:-1]


class TripletMarginLoss(Loss):
    """`max(0, margin + d(anchor, positive) - d(anchor, negative))`, where `d` is the `p`-norm of the difference over the last axis.

    `eps` is added to each difference. With `swap`, the distance of `negative` is that from `anchor` or from `positive`, whichever is less.
    """

    name = "triplet_margin_loss"
    alike = ("positive", "negative")
    work = 9
    anchor = Input(FLOATS, SOME_AXES)
    positive = Input(like="anchor")
    negative = Input(like="anchor")
    # Unlike the other margins here: PyTorch refuses a triplet margin of 0.
    margin = Arg(NumberKind(above=0), default=1.0)
    p = Arg(NUMBER, default=2)
    eps = Arg(NUMBER, default=1e-6)
    swap = Arg(FLAG, default=False)
    examples = ("a = input 8; same = input 8; other = input 8; (a, same, other) -> triplet_margin_loss margin=0.5",)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return inputs.anchor.shape[:-1]


class MultiMarginLoss(Loss):
    """For scores and class numbers: the mean over the other classes of `max(0, margin - x[target] + x)^p`, times `weight[target]`."""

    name = "multi_margin_loss"
    work = 4
    x = Input(FLOATS, axes("N C", CLASSES, least=1))
    target = Input(LABELS)
    weight = Input(like="x", optional=True)
    # PyTorch has kernels for these two powers only.
    p = Arg(IntKind(1, 2), default=1)
    margin = Arg(NUMBER, default=1.0)
    examples = ("scores = input 8 -> dense 10; label = input [] int64; (scores, label) -> multi_margin_loss",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        refuse_batch_of_scores(self.name, inputs)
        require_same_shape(self.name, inputs, "x", "target", labels_of(inputs.x.shape))
        if "weight" in inputs:
            require_class_weight(self.name, inputs)
        return super().infer_types(inputs)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return inputs.x.shape[:-1]


class MultilabelMarginLoss(Loss):
    """For scores and lists of class numbers: the sum of `max(0, 1 - x[in] + x[not in])` over all pairs of a class in the list and a class
    that is not, divided by the number of classes.

    A list, of the shape of the scores, ends with the first number below 0.
    """

    name = "multilabel_margin_loss"
    alike = ("target",)
    work = 4
    x = Input(FLOATS, axes("N C", CLASSES, least=1))
    target = Input(LABELS)
    examples = ("scores = input 8 -> dense 4; labels = input 4 int64; (scores, labels) -> multilabel_margin_loss",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        refuse_batch_of_scores(self.name, inputs)
        return super().infer_types(inputs)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return inputs.x.shape[:-1]


class MultilabelSoftMarginLoss(Loss):
    """For scores, and 1 or 0 for each class: the mean over the classes of the binary cross entropy with logits, times `weight`."""

    name = "multilabel_soft_margin_loss"
    warned_of = {"x": (((Sigmoid,), SigmoidTwice),)}
    alike = ("target",)
    work = 7
    x = Input(FLOATS, axes("... C", "at least one axis"))
    target = Input(like="x")
    weight = Input(like="x", optional=True)
    examples = ("scores = input 8 -> dense 4; labels = input 4; (scores, labels) -> multilabel_soft_margin_loss",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        results = super().infer_types(inputs)
        if "weight" in inputs:
            require_to_broadcast(self.name, inputs, "weight", inputs.x.shape)
        return results

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return inputs.x.shape[:-1]


def refuse_batch_of_scores(operator: str, inputs: OpInputs) -> None:
    """Refuse a batch without an axis of classes: a single axis must be the classes."""
    if inputs.x.rank == 1 and inputs.x.is_batch:
        raise OperatorError(WrongRank(operator, CLASSES, inputs.x), inputs.at("x"))
