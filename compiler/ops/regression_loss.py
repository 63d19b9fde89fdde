"""Losses of numbers: how far what a network gives is from what it should give.

In: a tensor, and targets of the same shape and element type. Out: one number, or with `reduction=none` one for each element. Always:
nothing broadcasts, and numbers, options and defaults are those of torch.nn.functional.
"""

from __future__ import annotations

from .base import Arg, OpInputs
from .element_types import FLOATS
from .kinds import NumberKind
from .loss import Count, Loss, summed
from .operand import Input


class _Regression(Loss):
    """A function of the difference of each pair."""

    alike = ("target", "weight")
    x = Input(FLOATS)
    target = Input(like="x")


class L1Loss(_Regression):
    """The absolute error: `|x - target|`, times `weight`.

    With weights, the mean is divided by their sum.
    """

    name = "l1_loss"
    weight = Input(like="x", optional=True)
    examples = ("guess = input 3 -> dense 2; target = input 2; (guess, target) -> l1_loss",)

    def count(self, given: OpInputs) -> Count:
        return summed("weight") if "weight" in given else super().count(given)


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

    def count(self, given: OpInputs) -> Count:
        return summed("weight") if "weight" in given else super().count(given)


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
    delta = Arg(NumberKind(above=0), default=1.0)
    examples = ("guess = input 3 -> dense 2; target = input 2; (guess, target) -> huber_loss delta=0.5",)
