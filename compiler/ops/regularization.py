"""Operators that draw at random in training. In inference each is the identity, except `rrelu`, which then takes the mean of its slopes."""

from __future__ import annotations

from ..dims import Dim
from ..errors.operator_errors import BadArgument
from ..errors.problem import argument_location
from ..types.tensor_types import TensorType
from .element_types import FLOATS
from .kinds import FRACTION, NUMBER
from .operand import SPATIAL, Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs


class PassingOn(Operator):
    """The base of operators whose result has the numbers of the input, in training too."""

    pointwise = True
    x = Input()

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class Identity(PassingOn):
    """Its input."""

    name = "identity"
    examples = ("input 3 -> identity",)


# Not an `Identity`: a pass may remove that one, or look through it.
class Detach(PassingOn):
    """The input itself, without its gradient: stages after it do not train the stages that compute `x`.

    Use it for the target of a self-supervised loss, or for a straight-through estimator: `x + (quantized - x -> detach)`.
    """

    name = "detach"
    examples = ("x = input 3; x + (round(x) - x -> detach)",)


class Dropping(Operator):
    """Something is zero with probability `p`, in training."""

    pointwise = True
    draws = True
    x = Input(FLOATS)
    p = Arg(FRACTION, default=0.5, positional=True)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class Dropout(Dropping):
    """In training, each element is zero with probability `p`, and the others are scaled up to keep the mean."""

    name = "dropout"
    examples = ("input 64 -> dropout 0.1 -> dense 10",)


class ChannelDropout(Dropping):
    """In training, each channel of each sample is zero with probability `p`, and the others are scaled up to keep the mean."""

    name = "channel_dropout"
    spatial = True
    # Not `[N, features]`: PyTorch's modules would take it for a single sample, `[C, length]`.
    x = Input(FLOATS, SPATIAL)
    examples = ("input 64x8x8 -> channel_dropout 0.1 -> conv 10 1x1",)


class AlphaDropout(Dropping):
    """In training, each element takes the least value of `selu` with probability `p`, so that mean 0 and variance 1 are preserved."""

    name = "alpha_dropout"
    examples = ("input 64 -> dense 64 selu -> alpha_dropout 0.1 -> dense 10",)


class DropPath(Dropping):
    """In training, each sample is zero with probability `p`, and the others are scaled up: stochastic depth, within a residual branch."""

    name = "drop_path"
    x = Input(FLOATS, axes("N ... n", "a batch axis and at least one more"))
    examples = ("x = input [T, 64]; x + (x -> dense 64 -> drop_path 0.1)",)


class Rrelu(Operator):
    """`x` where it is positive, `slope * x` elsewhere; the slope is drawn in training, and is the mean of both ends otherwise."""

    name = "rrelu"
    is_activation = True
    pointwise = True
    draws = True
    x = Input(FLOATS)
    lower = Arg(NUMBER, default=1 / 8, positional=True)
    upper = Arg(NUMBER, default=1 / 3, positional=True)
    examples = ("input 3 -> dense 4 rrelu", "input 3 -> rrelu 0.1 0.3")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        if self.lower > self.upper:
            needed = f"must be at most `upper`, {self.upper:g}"
            raise OperatorError(BadArgument(self.name, "lower", f"{self.lower:g}", needed), argument_location("lower"))
        return (inputs.x,)
