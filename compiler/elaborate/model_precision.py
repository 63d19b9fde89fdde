"""The element type that a model is elaborated in: `netc compile --dtype bfloat16 --keep-io`.

>>> import netc
>>> model = netc.compile("input 3 -> dense 2")
>>> model.in_type("float16").outputs, model.in_type("float16", keep_io=True).outputs
({'output': TensorType(float16 [N, 2])}, {'output': TensorType([N, 2])})
"""

from __future__ import annotations

from netc.dsl.record import Record

from ..types.tensor_types import FLOAT32, DType


class Precision(Record):
    """The element type for everything without one of its own. `keep_io`: the inputs and outputs of the model stay float32."""

    dtype: DType = FLOAT32
    keep_io: bool = False


FULL = Precision()
