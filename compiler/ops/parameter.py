"""Learned tensors and buffers of operators, and their initial values."""

from __future__ import annotations

from netc.dsl.record import Record

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
