"""The choice between the results of `if training { ... } else { ... }`, as a node. It is not an operator of the language.

>>> import netc
>>> main = netc.compile("input 3 -> if training { dropout 0.5 } else { relu }").program.main
>>> [node.op.name for node in main.nodes]
['dropout', 'relu', 'if training']
"""

from __future__ import annotations

from ..dims import Dim
from ..types.tensor_types import TensorType
from .operand import Input
from .operator import Operator, OpInputs


# `Operator` registers each class that has a `name` of its own. This one inherits it, so it stays out of the language.
class _Unregistered:
    """A name that no spec can use."""

    name = "if training"


class ByMode(_Unregistered, Operator):
    """Its first input in training, its second in evaluation."""

    pointwise = True
    training = Input()
    evaluation = Input(like="training")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.evaluation,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0
