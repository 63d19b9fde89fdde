"""Derivatives of one tensor by another, for forces, physics-informed networks and gradient penalties.

In: a tensor, and a tensor that it is computed from. Out: the gradient, with the shape of the latter. Always: it can be differentiated
again. PyTorch computes it by autograd; for ONNX, netc writes the derivative out.
"""

from __future__ import annotations

from ..dims import Dim
from ..types.tensor_types import TensorType
from .element_types import FLOATS
from .operand import Input
from .operator import Operator, OpInputs, numel


class Gradient(Operator):
    """The gradient of the sum of `y` by `x`, which has the shape of `x`.

    If each sample of `y` depends on the same sample of `x` alone, it is the gradient of each sample. Use it for forces, which are
    gradients of an energy, for the derivatives of a physics-informed network, or for a gradient penalty. The gradient may itself be part
    of a loss, or of another gradient. An ONNX model has the derivative written out: netc refuses it if a stage between `x` and `y` has none
    in closed form, such as `lstm`.
    """

    name = "gradient"
    y = Input(FLOATS)
    x = Input(FLOATS)
    examples = ("x = input 3; energy = x -> dense 8 tanh -> dense 1; out energy, -gradient(energy, x)",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One addition for each element of `x`: the backward pass depends on the stages between `x` and `y`."""
        return numel(inputs.x.shape)
