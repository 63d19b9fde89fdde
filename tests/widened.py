"""A model of bfloat16 numbers as one of float32 numbers, which ONNX Runtime can run on a CPU: it has hardly any kernels for bfloat16 there.

In: a model. Out: a copy with float32 in the place of bfloat16, in types, constants and casts. Always: nothing else differs, so that it
computes what the first would, but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, numpy_helper

_FROM, _TO = TensorProto.BFLOAT16, TensorProto.FLOAT
_TYPED = frozenset(("to", "dtype"))
"""Attributes that are element types."""


def widened(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    _graph(copy.graph)
    return copy


def _graph(graph: GraphProto) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == _FROM:
            value.type.tensor_type.elem_type = _TO
    _tensors(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            _attribute(attribute)


def _attribute(attribute: AttributeProto) -> None:
    if attribute.name in _TYPED and attribute.i == _FROM:
        attribute.i = _TO
    if attribute.HasField("t"):
        _tensors((attribute.t,))
    _tensors(attribute.tensors)
    for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
        _graph(graph)


def _tensors(tensors: Iterable[Any]) -> None:
    for tensor in tensors:
        if tensor.data_type == _FROM:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
