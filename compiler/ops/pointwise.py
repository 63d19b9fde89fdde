"""Operators that compute each element of the result from one element of the input: the base of activations and of unary arithmetic.

In: a tensor of any shape, `x`, whose element types a subclass declares anew where they are not floats. Out: a tensor of the same shape.
Always: the element type stays, or integers become float32 where `promotes` is set, as in PyTorch. An element counts as one operation, as
papers count activations, whatever the definition has.

    >>> import netc
    >>> netc.compile("x = input [2, 3] int64; out exp(x), abs(x)").outputs
    {'output1': TensorType([N, 2, 3]), 'output2': TensorType(int64 [N, 2, 3])}
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim
from ..types.tensor_types import FLOAT32, TensorType
from .element_types import FLOATS
from .operand import Input
from .operator import Operator, OpInputs, numel


class Pointwise(Operator):
    """See the module's docstring."""

    pointwise = True
    promotes: ClassVar[bool] = False
    x = Input(FLOATS)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        return (x if x.dtype.is_float or not self.promotes else x.with_dtype(FLOAT32),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape)
