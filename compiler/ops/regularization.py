"""What changes training only: in inference each of these is the identity."""

from __future__ import annotations

from ..dims import Dim
from ..errors.base import input_
from ..errors.operators import WrongRank
from ..ir.types import TensorType
from .base import Arg, Operator, OperatorError, OpInputs
from .kinds import FRACTION
from .learned import float_input
from .windows import spatial_axes


class Identity(Operator):
    """Its input."""

    name = "identity"
    torch = "torch.nn.Identity"
    onnx = "nothing"
    pointwise = True
    examples = ("input 3 -> identity",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        return (given[0],)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class _Dropping(Operator):
    """Something is zero with probability `p`, in training."""

    onnx = "nothing"
    pointwise = True
    p = Arg(FRACTION, default=0.5, positional=True)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        return (float_input(self.name, given),)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class Dropout(_Dropping):
    """In training, each number is zero with probability `p`, and the others are scaled up to keep the mean."""

    name = "dropout"
    torch = "torch.nn.Dropout"
    examples = ("input 64 -> dropout 0.1 -> dense 10",)


class ChannelDropout(_Dropping):
    """In training, each channel of each sample is zero with probability `p`, and the others are scaled up to keep the mean."""

    name = "channel_dropout"
    torch = "torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d"
    spatial = True
    examples = ("input 64x8x8 -> channel_dropout 0.1 -> conv 10 1x1",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        spatial_axes(self.name, given[0])
        return super().infer(given)


class AlphaDropout(_Dropping):
    """In training, each number takes the least value of `selu` with probability `p`, so that mean 0 and variance 1 are kept."""

    name = "alpha_dropout"
    torch = "torch.nn.AlphaDropout"
    examples = ("input 64 -> dense 64 selu -> alpha_dropout 0.1 -> dense 10",)


class DropPath(_Dropping):
    """In training, each sample is zero with probability `p`, and the others are scaled up: stochastic depth, within a residual branch."""

    name = "drop_path"
    torch = "torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d"
    examples = ("x = input [T, 64]; x + (x -> dense 64 -> drop_path 0.1)",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        if x.rank < 2:
            raise OperatorError(WrongRank(self.name, "a batch axis and at least one more", x), input_(0))
        return (x,)
