"""Classification losses: they grow as the probability of the right class falls.

In: scores or probabilities, and labels: class numbers, or a probability for each class. Out: one number, or with `reduction=none` one for
each sample or element. Always: nothing broadcasts but the weights that say so, and numbers, options and defaults are the same
as in torch.nn.functional. In ONNX, a class number that does not exist is an error at run time too, or counts from the end.
"""

from __future__ import annotations

from ..dims import Dim, format_dim, suggest_equality
from ..errors.loss import LabelType, NoLogProbabilities, OneHotLabels, SoftmaxTwice
from ..errors.operator_errors import BadArgument, DTypeMismatch, ShapeMismatch, Unprovable, WrongRank, WrongSize
from ..errors.problem import STAGE, argument_location
from ..types.tensor_types import Shape, TensorType, show_shape
from .activation import LogSoftmax, Softmax
from .arithmetic import Mul
from .comparison import Ne
from .element_types import FLOATS, ElementTypes
from .indexing import IndexSelect, OneHot
from .kinds import FRACTION, INT
from .loss import SCORES, Count, CountStep, Loss, require_same_shape
from .operand import Input, axes
from .operator import Arg, OperatorError, OpInputs, numel
from .reduction import Sum
from .requirements import require_same_size
from .shape import Flatten

LABELS = ElementTypes(("int64",), LabelType, "int64")
CLASSES = "[N, classes] or [N, classes, ...]"


class _OfLabels(Loss):
    """Scores for each class, on axis 1, or on the only axis of a single sample; and one class number for each sample."""

    x = Input(FLOATS, axes("N C ...", CLASSES, least=1))
    target = Input(LABELS)
    weight = Input(like="x", optional=True)
    ignore_index = Arg(INT, default=-100)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        # `[N]` would pass as the scores of one sample with N classes.
        if x.rank == 1 and x.is_batch:
            raise OperatorError(WrongRank(self.name, CLASSES, x), inputs.at("x"))
        self.refuse_target(inputs)
        if "weight" in inputs:
            require_class_weight(self.name, inputs)
        return super().infer_types(inputs)

    def refuse_target(self, inputs: OpInputs) -> None:
        """Refuse labels of another shape than the samples have."""
        require_labels(self.name, inputs)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return labels_of(inputs.x.shape)

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        return count_labels(inputs, self.ignore_index)


class NllLoss(_OfLabels):
    """The negative log likelihood of the classes: `-x[target]`, times `weight[target]`.

    `x` has logarithms of probabilities, as `log_softmax` gives them: `[N, classes]` or `[N, classes, ...]`. `target` has int64 class
    numbers, `[N]` or `[N, ...]`. `weight` has one number for each class. Labels that are `ignore_index` do not count. The mean is divided
    by the number of the others, or by the sum of the weights of their classes.
    """

    name = "nll_loss"
    work = 1
    warned_of = {"x": (((*SCORES, Softmax), NoLogProbabilities),)}
    examples = (
        "scores = input 8 -> dense 10 -> log_softmax axis=1; label = input [] int64; (scores, label) -> nll_loss",
        "scores = input 8 -> dense 10 -> log_softmax axis=1; label = input [] int64; (scores, label) -> nll_loss ignore_index=0",
    )


class CrossEntropy(_OfLabels):
    """The cross entropy of classes: the negative logarithm of the probability that `softmax` of the scores gives to what is there.

    `x` has scores of any size (logits, without `softmax`): `[N, classes]` or `[N, classes, ...]`. `target` has int64 class numbers,
    `[N]` or `[N, ...]`, or the probabilities of all classes, in the shape and type of `x`. `weight` has one number for each class.
    `label_smoothing` gives that part of the probability to all classes alike. Labels that are `ignore_index` do not count. The mean is
    divided by the number of the others, or by the sum of the weights of their classes; of probabilities, by the number of samples.
    """

    name = "cross_entropy"
    definition = """
        let axis = 1 if x.rank > 1 else 0
        let classes = x.shape[axis]
        logs = x -> log_softmax axis=axis
        weighed = if given(weight) { logs * (weight -> reshape ([classes] + [1] * (x.rank - 1 - axis))) } else { logs }
        if target.dtype != int64 {
          share = (table (i) [1] = label_smoothing) / classes -> cast x.dtype
          smoothed = target * (1 - label_smoothing) + share
          each_sample = -(weighed * smoothed -> sum axis=axis)
          each_sample -> if reduction == "mean" { mean } else if reduction == "sum" { sum }
        } else if label_smoothing == 0 {
          (logs, target) -> nll_loss weight=weight ignore_index=ignore_index reduction=reduction
        } else {
          known = (logs, target) -> nll_loss weight=weight ignore_index=ignore_index reduction=reduction
          every = (-(weighed -> sum axis=axis), target == ignore_index) -> masked_fill 0
          ones = table (i) [1] = -1.0
          count = (ones -> cast logs.dtype -> expand logs.shape, target) -> nll_loss weight=weight ignore_index=ignore_index reduction=sum
          spread = if reduction == "mean" { sum(every) / count } else if reduction == "sum" { sum(every) } else { every }
          known * (1 - label_smoothing) + spread * label_smoothing / classes
        }
    """
    work = 5
    warned_of = {"x": (((Softmax, LogSoftmax), SoftmaxTwice),), "target": (((OneHot,), OneHotLabels),)}
    target = Input(LABELS | FLOATS)
    label_smoothing = Arg(FRACTION, default=0.0)
    examples = (
        "logits = input 8 -> dense 10; label = input [] int64; (logits, label) -> cross_entropy",
        "logits = input [T, 8] -> dense 10 -> transpose 1 2; words = input [T] int64; (logits, words) -> cross_entropy ignore_index=0",
        "logits = input 8 -> dense 3; shares = input 3; (logits, shares) -> cross_entropy label_smoothing=0.1",
    )

    def of_probabilities(self, inputs: OpInputs) -> bool:
        """Whether the target has a probability for each class."""
        return bool(inputs.target.dtype.is_float)

    def refuse_target(self, inputs: OpInputs) -> None:
        if not self.of_probabilities(inputs):
            require_labels(self.name, inputs)
            return
        # Class numbers as floats, rather than probabilities in a wrong shape.
        if inputs.target.rank == inputs.x.rank - 1:
            raise OperatorError(LabelType(self.name, inputs.target), inputs.at("target"))
        if inputs.target.dtype != inputs.x.dtype:
            raise OperatorError(DTypeMismatch(self.name, inputs.x, inputs.target, (inputs.position("x"), inputs.position("target"))), STAGE)
        require_same_shape(self.name, inputs, "x", "target", inputs.x.shape)
        # The default -100 is no class, so it may stay.
        if self.ignore_index >= 0:
            needed = "must not be set for probabilities of classes"
            raise OperatorError(BadArgument(self.name, "ignore_index", str(self.ignore_index), needed), argument_location("ignore_index"))

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        return numel(self.unreduced_shape(inputs)) if self.of_probabilities(inputs) else super().mean_divisor(inputs)


class LinearCrossEntropy(Loss):
    """The cross entropy of linear scores, `x @ transpose(linear_weight)`, of which few are in memory at a time.

    `x` has the features of each position, `[..., features]`, and `linear_weight` a row for each class, `[classes, features]`, as the weight
    of `dense` has. `target` has int64 class numbers, `[...]`. `linear_bias` and `weight` have one number for each class. Labels,
    `ignore_index` and `label_smoothing` are as in `cross_entropy`, and so is the mean.

    Use it to train a language model: the scores of a large vocabulary, with their gradient, need more memory than the model. The module
    computes the scores for some positions at a time, as many numbers as `x` has, together with their gradient. In ONNX it is `dense` and
    `cross_entropy`.
    """

    name = "linear_cross_entropy"
    definition = """
        linear_scores = if given(linear_bias) { (x, linear_weight, linear_bias) } else { (x, linear_weight) }
        scores = linear_scores -> dense (linear_weight.shape[0])
        rows = if x.rank > 2 { scores -> flatten start=0 end=(-2) } else { scores }
        labels = if x.rank > 2 { target -> flatten start=0 } else { target }
        losses = (rows, labels) -> cross_entropy weight=weight ignore_index=ignore_index label_smoothing=label_smoothing reduction=reduction
        if reduction == "none" and x.rank > 2 { losses -> reshape target.shape } else { losses }
    """
    x = Input(FLOATS, axes("... features", "[..., features]", least=1))
    linear_weight = Input(FLOATS, axes("classes features", "[classes, features]"), like="x")
    target = Input(LABELS)
    linear_bias = Input(FLOATS, axes("classes", "one number for each class, [classes]"), like="x", optional=True)
    weight = Input(FLOATS, axes("classes", "one weight for each class, [classes]"), like="x", optional=True)
    ignore_index = Arg(INT, default=-100)
    label_smoothing = Arg(FRACTION, default=0.0)
    examples = (
        "x = input [T, 8]; words = param [1000, 8] as head.weight; target = input [T] int64; (x, words, target) -> linear_cross_entropy",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        # `[N]` would pass as the features of one sample.
        if x.rank == 1 and x.is_batch:
            raise OperatorError(WrongRank(self.name, "[N, ..., features]", x), inputs.at("x"))
        require_same_size(self.name, inputs, ("x", "linear_weight"), -1, "multiply", "their last axes")
        require_same_shape(self.name, inputs, "x", "target", x.shape[:-1])
        for name in ("linear_bias", "weight"):
            if name in inputs:
                require_same_shape(self.name, inputs, "linear_weight", name, inputs.linear_weight.shape[:1])
        return super().infer_types(inputs)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return inputs.x.shape[:-1]

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The product, and 5 operations for each score, as `cross_entropy` has."""
        scores = numel(inputs.target.shape) * inputs.linear_weight.shape[0]
        return (2 * inputs.x.shape[-1] + CrossEntropy.work) * scores

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(inputs.target.shape) * numel(inputs.linear_weight.shape)

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        return count_labels(inputs, self.ignore_index)


def count_labels(inputs: OpInputs, ignored: int) -> Count:
    """Return the steps that count the labels that are not ignored, or sum the weights of their classes."""
    kept = CountStep("kept", Ne(other=ignored), ("target",))
    if "weight" not in inputs:
        return (kept, CountStep("count", Sum(), ("kept",)))
    return (
        kept,
        # An ignored label, such as -100, is no index. Multiplied by `kept` it is 0, and its weight is multiplied
        # by 0 below.
        CountStep("flags", Flatten(start=0), ("kept",)),
        CountStep("numbers", Mul(), ("target", "kept")),
        CountStep("places", Flatten(start=0), ("numbers",)),
        CountStep("weights", IndexSelect(axis=0), ("weight", "places")),
        CountStep("used", Mul(), ("weights", "flags")),
        CountStep("count", Sum(), ("used",)),
    )


def labels_of(scores: Shape) -> Shape:
    """Return the shape of the labels: the shape of the scores without the axis of the classes."""
    return (*scores[:1], *scores[2:]) if len(scores) > 1 else ()


def require_labels(operator: str, inputs: OpInputs) -> None:
    """Refuse class numbers that are not one for each sample."""
    x, target = inputs.x.shape, inputs.target.shape
    try:
        require_same_shape(operator, inputs, "x", "target", labels_of(x))
    except OperatorError:
        positions = (inputs.position("x"), inputs.position("target"))
        # Keras and NLP models have the classes last. The check of shapes cannot know that, so look for it before
        # reporting.
        suggestion = _classes_elsewhere(inputs)
        if not suggestion and all(inputs.facts.are_equal(a, b) for a, b in zip(x, target, strict=False)) and len(x) == len(target):
            suggestion = f"if these are one-hot, `{{{positions[1]}}} -> argmax axis=1` gives the class numbers"
        if not suggestion:
            raise
        raise OperatorError(
            ShapeMismatch(f"compute `{operator}` of", x, target, f"`target` must be {show_shape(labels_of(x))}", suggestion, positions),
            STAGE,
        ) from None


def _classes_elsewhere(inputs: OpInputs) -> str:
    """Suggest moving the classes to axis 1, if they are the last axis of the scores."""
    x, target = inputs.x.shape, inputs.target.shape
    rank = len(x)
    if rank < 3 or len(target) != rank - 1 or not all(inputs.facts.are_equal(a, b) for a, b in zip(x[:-1], target, strict=True)):
        return ""
    stage = "transpose 1 2" if rank == 3 else f"permute {[0, rank - 1, *range(1, rank - 1)]}"
    return f"the classes must be axis 1: `{{{inputs.position('x')}}} -> {stage}`"


def require_class_weight(operator: str, inputs: OpInputs) -> None:
    """Refuse weights that are not one for each class."""
    x, weight = inputs.x, inputs.weight
    classes = x.shape[min(1, x.rank - 1)]
    if weight.rank != 1:
        raise OperatorError(WrongRank(operator, "one weight for each class, [classes]", weight), inputs.at("weight"))
    same = inputs.facts.are_equal(weight.shape[0], classes)
    if same is False:
        raise OperatorError(WrongSize(operator, f"{format_dim(classes)} weights, one for each class", weight), inputs.at("weight"))
    if same is None:
        positions = (inputs.position("x"), inputs.position("weight"))
        need = "there is one weight for each class"
        raise OperatorError(
            Unprovable(operator, classes, weight.shape[0], need, suggest_equality(classes, weight.shape[0]) or "", positions), STAGE
        )
