"""What changes training only: in inference each of these is the identity."""

from __future__ import annotations

from ..dims import Dim
from ..errors.base import input_
from ..errors.operators import WrongRank
from ..types import TensorType
from .base import Arg, Given, Operator, Refusal
from .kinds import FRACTION
from .learned import float_input


class Identity(Operator):
    """Its input."""

    name = "identity"
    torch = "torch.nn.Identity"
    onnx = "nothing"
    examples = ("input 3 -> identity",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        return (given[0],)

    def flops(self, given: Given, results: tuple[TensorType, ...]) -> Dim:
        return 0


class Dropout(Operator):
    """In training, each number is zero with probability `p`, and the others are scaled up to keep the mean."""

    name = "dropout"
    torch = "torch.nn.Dropout"
    onnx = "nothing"
    p = Arg(FRACTION, default=0.5, positional=True)
    examples = ("input 64 -> dropout 0.1 -> dense 10",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        return (float_input(self.name, given),)

    def flops(self, given: Given, results: tuple[TensorType, ...]) -> Dim:
        return 0


class DropPath(Operator):
    """In training, each sample is zero with probability `p`, and the others are scaled up: stochastic depth, within a residual branch."""

    name = "drop_path"
    torch = "torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d"
    onnx = "nothing"
    p = Arg(FRACTION, default=0.5, positional=True)
    examples = ("x = input [T, 64]; x + (x -> dense 64 -> drop_path 0.1)",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        x = float_input(self.name, given)
        if x.rank < 2:
            raise Refusal(WrongRank(self.name, "a batch axis and at least one more", x), input_(0))
        return (x,)

    def flops(self, given: Given, results: tuple[TensorType, ...]) -> Dim:
        return 0
