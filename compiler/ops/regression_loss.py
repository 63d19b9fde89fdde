"""Regression losses: the distance between a network's outputs and the targets.

In: a tensor, and targets of the same shape and element type. Out: one number, or with `reduction=none` one for each element. Always:
nothing broadcasts, and numbers, options and defaults are as in torch.nn.functional.
"""

from __future__ import annotations

from typing import ClassVar

from ..errors.operator_errors import BadArgument, WrongSize
from ..errors.problem import argument_location
from ..types.tensor_types import TensorType, show_shape
from .argument import UnusedArgument
from .element_types import FLOATS
from .kinds import FLAG, NUMBER, NumberKind
from .loss import Count, Loss, sum_steps
from .operand import Input
from .operator import Arg, OperatorError, OpInputs
from .scalars import require_exact_scalar


class _Regression(Loss):
    """A function of the difference of each pair."""

    alike: ClassVar[tuple[str, ...]] = ("target", "weight")
    x = Input(FLOATS)
    target = Input(like="x")


class L1Loss(_Regression):
    """The absolute error: `|x - target|`, times `weight`.

    With weights, the mean is divided by their sum.
    """

    name = "l1_loss"
    weight = Input(like="x", optional=True)
    examples = ("guess = input 3 -> dense 2; target = input 2; (guess, target) -> l1_loss",)

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        return sum_steps("weight") if "weight" in inputs else super().mean_divisor(inputs)


class MseLoss(_Regression):
    """The squared error: `(x - target)^2`, times `weight`.

    With weights, the mean is divided by their sum.
    """

    name = "mse_loss"
    weight = Input(like="x", optional=True)
    examples = (
        "guess = input 3 -> dense 1 -> squeeze 1; target = input []; (guess, target) -> mse_loss",
        "guess = input 3 -> dense 2; target = input 2; (guess, target) -> mse_loss reduction=none",
    )

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        return sum_steps("weight") if "weight" in inputs else super().mean_divisor(inputs)


class SmoothL1Loss(_Regression):
    """Squared where the error is small, absolute elsewhere: `e^2 / (2 beta)` for an error `e` below `beta`, else `e - beta / 2`."""

    name = "smooth_l1_loss"
    work = 5
    beta = Arg(NumberKind(0), default=1.0)
    examples = ("guess = input 3 -> dense 4; box = input 4; (guess, box) -> smooth_l1_loss beta=0.1",)


class HuberLoss(_Regression):
    """Squared where the error is small, absolute elsewhere: `e^2 / 2` for an error `e` up to `delta`, else `delta (e - delta / 2)`.

    `weight` is multiplied with each; the mean is divided by the number of elements all the same.
    """

    name = "huber_loss"
    work = 5
    weight = Input(like="x", optional=True)
    # `beta` may be 0, which makes the absolute error; PyTorch refuses a `delta` of 0, which would make every loss 0.
    delta = Arg(NumberKind(above=0), default=1.0)
    examples = ("guess = input 3 -> dense 2; target = input 2; (guess, target) -> huber_loss delta=0.5",)


class PoissonNllLoss(_Regression):
    """The negative log likelihood of counts under a Poisson distribution: `exp(x) - target x`.

    With `log_input=false`, `x` is the rate itself: `x - target log(x + eps)`. `full` adds Stirling's approximation of `log(target!)`, where
    the target is above 1.
    """

    name = "poisson_nll_loss"
    work = 4
    log_input = Arg(FLAG, default=True)
    full = Arg(FLAG, default=False)
    eps = Arg(NUMBER, default=1e-8)
    examples = ("rate = input 3 -> dense 2; seen = input 2; (rate, seen) -> poisson_nll_loss",)

    def find_unused_arguments(self) -> dict[str, UnusedArgument]:
        return {"eps": UnusedArgument("`log_input=true` takes no logarithm", ("log_input",))} if self.log_input else {}


class GaussianNllLoss(_Regression):
    """The negative log likelihood under a normal distribution: `(log(var) + (x - target)^2 / var) / 2`.

    `var` has the variances, of the shape of `x`, or with one axis of 1 or without the last axis; or it is a number. They are taken to be at
    least `eps`, and no gradient passes through that. A negative one is an error in PyTorch at run time. `full` adds `log(2 pi) / 2`.
    """

    name = "gaussian_nll_loss"
    work = 6
    alike = ("target",)
    var = Input(like="x", or_number=True)
    full = Arg(FLAG, default=False)
    eps = Arg(NUMBER, default=1e-6)
    examples = (
        "h = input 3; mean = h -> dense 2; var = h -> dense 2 softplus; target = input 2; (mean, target, var) -> gaussian_nll_loss",
        "mean = input 3; target = input 3; (mean, target) -> gaussian_nll_loss 0.5 full=true",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        if "var" in inputs:
            self._refuse_var(inputs)
        # The kind of a number in place of a tensor also takes booleans and symbolic sizes, which are no variances.
        elif isinstance(self.var, bool) or not isinstance(self.var, int | float) or self.var < 0:
            raise OperatorError(BadArgument(self.name, "var", str(self.var), "must be a number of at least 0"), argument_location("var"))
        require_exact_scalar(self.name, inputs.x, self.eps, "eps")
        return super().infer_types(inputs)

    def _refuse_var(self, inputs: OpInputs) -> None:
        x, var = inputs.x.shape, inputs.var.shape
        short = len(var) == len(x) - 1
        if short or len(var) == len(x):
            pairs = list(zip(x, var, strict=not short))
            others = [b for a, b in pairs if not inputs.facts.are_equal(a, b)]
            # The rule of torch.nn.functional.gaussian_nll_loss: only the last axis may be missing, and only one may
            # be 1.
            if not others or (not short and len(others) == 1 and inputs.facts.are_equal(others[0], 1)):
                return
        needed = f"variances of shape {show_shape(x)}, or with one axis of 1, or without the last axis"
        raise OperatorError(WrongSize(self.name, needed, inputs.var), inputs.at("var"))
