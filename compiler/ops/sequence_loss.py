"""Sequence losses: they compare the probabilities at each step with a shorter sequence of classes whose positions are unknown.

In: logarithms of probabilities for each step, classes and lengths. Out: one number, or with `reduction=none` one for each sequence. Always:
steps come before the batch, as torch.nn.functional.ctc_loss has it. ONNX has no such operator.
"""

from __future__ import annotations

from ..errors.loss import NoLogProbabilities
from ..errors.operator_errors import BadArgument, WrongRank, WrongSize
from ..errors.problem import argument_location
from ..types.tensor_types import Shape, TensorType
from .activation import Softmax
from .element_types import FULL_FLOATS, INDICES
from .kinds import FLAG, IntKind
from .loss import SCORES, Count, Loss, require_same_shape
from .operand import Input, axes
from .operator import Arg, OperatorError, OpInputs


class CtcLoss(Loss):
    """Connectionist temporal classification: the negative log likelihood of the classes, whatever their positions among the steps.

    `log_probs` is `[T, N, classes]`, or `[T, classes]` for a single sequence, as `log_softmax` gives it. `targets` has the classes of
    each sequence, `[N, S]`, or the classes of all sequences in a row, without a gap. `input_lengths` and `target_lengths` are `[N]`.
    `blank` is the class of no class. `zero_infinity` makes 0 of losses, and of their gradients, where a sequence is too short for its
    classes. The mean is over the losses, each divided by its `target_lengths`. PyTorch only.
    """

    name = "ctc_loss"
    warned_of = {"log_probs": (((*SCORES, Softmax), NoLogProbabilities),)}
    work = 6
    log_probs = Input(FULL_FLOATS, axes("T N C", "[T, N, classes] or [T, classes]", least=2))
    targets = Input(INDICES, axes("N S", "[N, S], or all in a row", least=1))
    input_lengths = Input(INDICES)
    target_lengths = Input(INDICES)
    blank = Arg(IntKind(0), default=0)
    zero_infinity = Arg(FLAG, default=False)
    examples = (
        "steps = input [T, 8] -> dense 5 -> log_softmax axis=2 -> transpose 0 1; words = input [3] int64; long = input [] int64; "
        "short = input [] int64; (steps, words, long, short) -> ctc_loss",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        scores, targets = inputs.log_probs, inputs.targets
        lengths = self.unreduced_shape(inputs)
        # The batch first is right nearly everywhere else, and PyTorch would take it for the steps without an error.
        if scores.rank == 3 and scores.is_batch:
            hint = f"write `{{{inputs.position('log_probs')}}} -> transpose 0 1`"
            raise OperatorError(WrongSize(self.name, "the steps before the batch", scores, hint), inputs.at("log_probs"))
        if targets.rank > scores.rank - 1:
            raise OperatorError(WrongRank(self.name, "one sequence of classes, [S], for one of steps", targets), inputs.at("targets"))
        if targets.rank == 2:
            require_same_shape(self.name, inputs, "log_probs", "targets", (*lengths, targets.shape[1]))
        for name in ("input_lengths", "target_lengths"):
            require_same_shape(self.name, inputs, "log_probs", name, lengths)
        classes = scores.shape[-1]
        if isinstance(classes, int) and self.blank >= classes:
            problem = BadArgument(self.name, "blank", str(self.blank), f"must be one of the {classes} classes, from 0")
            raise OperatorError(problem, argument_location("blank"))
        return super().infer_types(inputs)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        return inputs.log_probs.shape[1:-1]

    @property
    def is_mean(self) -> bool:
        """Whether the loss is the quotient of a total and a count. It is not, because each loss is divided by a length of its own first."""
        return False

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        """Return None: there is no common divisor."""
        return None
