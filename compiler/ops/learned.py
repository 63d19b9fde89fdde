"""What layers with weights share: the check of their input, and how their parameters start.

In: types of inputs. Out: initialisers and parameter specs as PyTorch's modules have them.
"""

from __future__ import annotations

from math import sqrt

from ..dims import Dim
from ..errors.base import input_
from ..errors.operators import NeedsFloat
from ..types import DType, Shape, TensorType
from .base import Given, Init, ParameterSpec, Refusal


def float_input(operator: str, given: Given, index: int = 0) -> TensorType:
    """The input number `index`, refused unless it is floating-point."""
    x = given[index]
    if not x.dtype.is_float:
        raise Refusal(NeedsFloat(operator, x), input_(index))
    return x


def fan_in_uniform(fan_in: Dim) -> Init:
    """Uniform within +-1/sqrt(fan_in): what torch.nn.init.kaiming_uniform_(a=sqrt(5)) comes to, PyTorch's start of matrices and kernels."""
    bound = 1 / sqrt(fan_in) if isinstance(fan_in, int) and fan_in > 0 else 0.0
    return Init("uniform", (-bound, bound))


def weight_and_bias(weight: Shape, units: Dim, fan_in: Dim, dtype: DType, bias: bool) -> tuple[ParameterSpec, ...]:
    """The parameters of a matrix or kernel of `units` results."""
    init = fan_in_uniform(fan_in)
    both = ParameterSpec("weight", weight, init, dtype), ParameterSpec("bias", (units,), init, dtype)
    return both if bias else both[:1]


def scale_and_shift(shape: Shape, dtype: DType, *, scale: bool, shift: bool) -> tuple[ParameterSpec, ...]:
    """The parameters of a normalisation: it starts as if they were not there."""
    specs: tuple[ParameterSpec, ...] = ()
    if scale:
        specs += (ParameterSpec("weight", shape, Init("ones"), dtype),)
    if scale and shift:
        specs += (ParameterSpec("bias", shape, Init("zeros"), dtype),)
    return specs
