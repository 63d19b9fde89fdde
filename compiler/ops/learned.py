"""Learned tensors and buffers of operators: what is known of them, and those that many layers have.

In: shapes and element types. Out: initialisers and parameter specs as PyTorch's modules have them.
"""

from __future__ import annotations

from math import sqrt

from netc.dsl.record import Record

from ..dims import Dim
from ..ir.types import FLOAT32, DType, Shape


class Init(Record):
    """How a parameter starts: `zeros`, `ones`, `constant(value)`, `normal(std)`, `uniform(low, high)`, `xavier_uniform`,
    `normal_zero_row(std, row)`.

    `xavier_uniform` draws from +-sqrt(6 / (fan_in + fan_out)) of a matrix, as torch.nn.init.xavier_uniform_ does; `normal_zero_row` is
    normal but for one row, which is zero, as the padding of torch.nn.Embedding.
    """

    kind: str
    values: tuple[float, ...] = ()


class ParameterSpec(Record):
    """A learned tensor or buffer of one operator. `name` is PyTorch's, local (`weight`); empty: the label itself is the name."""

    name: str
    shape: Shape
    init: Init
    dtype: DType = FLOAT32
    trainable: bool = True
    persistent: bool = True


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


def scale_and_shift(shape: Shape, dtype: DType, *, scale: bool, shift: bool) -> tuple[ParameterSpec, ...]:
    """The parameters of a normalisation: their initial values change nothing."""
    specs: tuple[ParameterSpec, ...] = ()
    if scale:
        specs += (ParameterSpec("weight", shape, Init("ones"), dtype),)
    if scale and shift:
        specs += (ParameterSpec("bias", shape, Init("zeros"), dtype),)
    return specs
