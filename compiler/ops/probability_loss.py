"""Losses that compare a network's probabilities with target probabilities, element by element.

In: probabilities, their logarithms or scores, and targets of the same shape and element type. Out: one number, or with `reduction=none` one
for each element. Always: nothing broadcasts but the weights, and numbers, options and defaults are as in torch.nn.functional.
"""

from __future__ import annotations

from ..errors.loss import NoLogProbabilities, NoProbabilities, SigmoidTwice
from ..types.tensor_types import TensorType
from .activation import Sigmoid, Softmax
from .element_types import FLOATS
from .kinds import FLAG, WordKind
from .loss import SCORES, Count, Loss, require_to_broadcast
from .operand import Input
from .operator import Arg, OpInputs


class _Binary(Loss):
    """A probability of being true for each element. The weights broadcast to it."""

    alike = ("target",)
    work = 7
    x = Input(FLOATS)
    target = Input(like="x")
    weight = Input(like="x", optional=True)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        results = super().infer_types(inputs)
        for name in ("weight", "pos_weight"):
            if name in inputs:
                require_to_broadcast(self.name, inputs, name, inputs.x.shape)
        return results


class BinaryCrossEntropy(_Binary):
    """The cross entropy of probabilities: `-(target log(x) + (1 - target) log(1 - x))`, times `weight`.

    `x` and `target` have probabilities, as `sigmoid` gives them: others are an error in PyTorch at run time. Logarithms are taken to be at
    least -100. `weight` broadcasts to `x`; the mean is divided by the number of elements all the same. `binary_cross_entropy_with_logits`
    takes the scores before `sigmoid`, and loses less.
    """

    name = "binary_cross_entropy"
    warned_of = {"x": ((SCORES, NoProbabilities),)}
    examples = ("guess = input 8 -> dense 3 sigmoid; label = input 3 bool -> cast float32; (guess, label) -> binary_cross_entropy",)


class BinaryCrossEntropyWithLogits(_Binary):
    """The cross entropy of the probabilities that `sigmoid` makes of the scores `x`, computed without loss, times `weight`.

    `pos_weight` is multiplied with the part of what is true. Both broadcast to `x`; the mean is divided by the number of elements.
    """

    name = "binary_cross_entropy_with_logits"
    warned_of = {"x": (((Sigmoid,), SigmoidTwice),)}
    pos_weight = Input(like="x", optional=True)
    examples = (
        "logits = input 8 -> dense 3; label = input 3; (logits, label) -> binary_cross_entropy_with_logits",
        "logits = input 8 -> dense 3; label = input 3; rare = input [3] batch=false; "
        "(logits, label) -> binary_cross_entropy_with_logits pos_weight=rare",
    )


class KlDiv(Loss):
    """The Kullback-Leibler divergence: `target (log(target) - x)`, where `x` has logarithms of probabilities.

    With `log_target`, the target has logarithms too. `reduction=batchmean` divides the sum by the size of axis 0, as the divergence is
    defined; `mean` divides it by the number of elements.
    """

    name = "kl_div"
    warned_of = {"x": (((*SCORES, Softmax), NoLogProbabilities),)}
    alike = ("target",)
    work = 4
    x = Input(FLOATS)
    target = Input(like="x")
    reduction = Arg(WordKind("mean", "batchmean", "sum", "none"), default="mean", last=True)
    log_target = Arg(FLAG, default=False)
    examples = (
        "x = input 8 -> dense 3 -> log_softmax axis=1; teacher = input 3 -> softmax axis=1; (x, teacher) -> kl_div reduction=batchmean",
    )

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        if self.reduction != "batchmean":
            return super().mean_divisor(inputs)
        # A tensor without axes counts as one sample.
        return inputs.x.shape[0] if inputs.x.rank else 1
