"""A parameter of another stage as a tensor: `embed.weight`.

The elaborator makes it; it cannot be written as a stage, and is not registered. It has no inputs and one result.

    >>> import netc
    >>> text = "x = input [] int64; h = x -> embedding 10 4 as embed; h @ (embed.weight -> transpose 0 1)"
    >>> _, weight, *_ = netc.compile(text).program.main.nodes
    >>> weight.op.path, weight.op.parameter, weight.outputs
    ('embed', 'weight', (<value: [10, 4]>,))
"""

from __future__ import annotations

from ..dims import Dim
from ..types.tensor_types import TensorType
from .kinds import DTYPE, SHAPE, STRING
from .operator import Arg, Operator, OpInputs


class ParameterOf(Operator):
    """The parameter `parameter` of the stage at `path`: labels from its own graph inwards, joined by dots. If the node is a use of a shared
    stage, the path is empty, and `parameter` has the labels inside the shared stage too: `0.weight`."""

    path = Arg(STRING)
    parameter = Arg(STRING)
    shape = Arg(SHAPE)
    dtype = Arg(DTYPE)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (TensorType(self.dtype, self.shape),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


# Set afterwards, so that the class is not registered as an operator of the language.
ParameterOf.name = "parameter"
