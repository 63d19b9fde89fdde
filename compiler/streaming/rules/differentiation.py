"""Streams of derivatives: a gradient may depend on all positions that its tensors have."""

from __future__ import annotations

from ...ops.differentiation import Gradient
from ...ops.operator import OpInputs
from ..rule_table import mixes_axes


@mixes_axes(Gradient)
def mix_all(op: Gradient, inputs: OpInputs, index: int) -> frozenset[int]:
    return frozenset(range(inputs.types[index].rank))
