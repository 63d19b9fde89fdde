"""The element type that a model is elaborated in: `netc compile --dtype bfloat16 --keep-io`."""

from __future__ import annotations

from netc.dsl.record import Record

from ..types.tensor_types import FLOAT32, DType


class Precision(Record):
    """The element type for everything without one of its own. `keep_io`: the inputs and outputs of the model stay float32."""

    dtype: DType = FLOAT32
    keep_io: bool = False


FULL = Precision()
