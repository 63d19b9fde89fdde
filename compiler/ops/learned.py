"""The parameters that layers with weights share, and their initial values.

In: shapes and element types. Out: initialisers and parameter specs as PyTorch's modules have them.
"""

from __future__ import annotations

from math import sqrt

from ..dims import Dim
from ..ir.types import DType, Shape
from .base import Init, ParameterSpec


def fan_in_uniform(fan_in: Dim) -> Init:
    """Uniform within +-1/sqrt(fan_in): the same as torch.nn.init.kaiming_uniform_(a=sqrt(5)), PyTorch's initial values of matrices and
    kernels."""
    bound = 1 / sqrt(fan_in) if isinstance(fan_in, int) and fan_in > 0 else 0.0
    return Init("uniform", (-bound, bound))


def weight_and_bias(weight: Shape, units: Dim, fan_in: Dim, dtype: DType, bias: bool) -> tuple[ParameterSpec, ...]:
    """The parameters of a matrix or kernel of `units` results."""
    init = fan_in_uniform(fan_in)
    both = ParameterSpec("weight", weight, init, dtype), ParameterSpec("bias", (units,), init, dtype)
    return both if bias else both[:1]


def scale_and_shift(shape: Shape, dtype: DType, *, scale: bool = True, shift: bool = True) -> tuple[ParameterSpec, ...]:
    """The parameters of a normalisation: their initial values change nothing."""
    specs: tuple[ParameterSpec, ...] = ()
    if scale:
        specs += (ParameterSpec("weight", shape, Init("ones"), dtype),)
    if scale and shift:
        specs += (ParameterSpec("bias", shape, Init("zeros"), dtype),)
    return specs
