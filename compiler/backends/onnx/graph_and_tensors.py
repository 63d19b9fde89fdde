"""Keeps a model apart from its initializers, so that gigabytes of weights are read one by one, when they are written or compared.

In: a `ModelProto` without initializers, and stored tensors. Out: the complete `ModelProto`, if somebody wants it in memory.

    >>> from .messages import ModelProto
    >>> len(GraphAndTensors(ModelProto(), {}).to_proto().graph.initializer)
    0
"""

from __future__ import annotations

from netc.dsl.record import Record

from ...weights.free_space import check_memory
from ...weights.lazy_tensors import StoredTensor
from .messages import ModelProto
from .onnx_types import fill_tensor


class GraphAndTensors(Record):
    """A model without its initializers, and these by name, in order, not yet read."""

    proto: ModelProto
    tensors: dict[str, StoredTensor]

    def to_proto(self) -> ModelProto:
        """Return the model with its initializers, all of them in memory."""
        check_memory(sum(stored.nbytes for stored in self.tensors.values()), "its parameters take")
        proto = ModelProto()
        proto.CopyFrom(self.proto)
        for name, stored in self.tensors.items():
            fill_tensor(proto.graph.initializer.add(), name, stored.read())
        return proto
