"""An ONNX file evaluated in float64, by the reference implementation of the onnx package.

In: a model in float32 or float16. Out: what its outputs are, with rounding errors that do not matter. Always: what is computed is what the
file says, operator by operator, two of which are mended here; neither netc nor ONNX Runtime is asked. It is slow, and only for files on
which these two disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

if TYPE_CHECKING:
    from netc.compiler.ir.elements import Array

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
_TYPED = ("to", "dtype")
"""Attributes that are element types."""


class BatchNormalization(OpRun):
    """That of onnx takes the batch's own mean before operator set 14."""

    op_domain = ""

    def _run(self, x: Array, scale: Array, bias: Array, mean: Array, var: Array, epsilon: float = 1e-5, **_: Any) -> tuple[Array, ...]:
        shape = (-1, *(1 for _ in x.shape[2:]))
        factor = scale / np.sqrt(var + epsilon)
        return ((x - mean.reshape(shape)) * factor.reshape(shape) + bias.reshape(shape),)


class GlobalMaxPool(OpRun):
    """That of onnx loses an axis where there is one spatial one."""

    op_domain = ""

    def _run(self, x: Array) -> tuple[Array, ...]:
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class NotEvaluated(Exception):
    """Why the reference implementation gave nothing."""


def evaluated(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> list[Array]:
    """The outputs. Raises `NotEvaluated`."""
    double = onnx.ModelProto()
    double.CopyFrom(model)
    _graph(double.graph)
    for function in double.functions:
        for node in function.node:
            _node(node)
    given = {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in inputs.items()}
    try:
        with np.errstate(all="ignore"):
            made = ReferenceEvaluator(double, new_ops=[BatchNormalization, GlobalMaxPool]).run(None, given)
    except Exception as error:  # it raises whatever its operators do
        raise NotEvaluated(f"{type(error).__name__}: {str(error)[:200]}") from None
    return [np.asarray(array) for array in made]


def _graph(graph: onnx.GraphProto) -> None:
    for tensor in graph.initializer:
        _tensor(tensor)
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.type.tensor_type.elem_type in _FLOATS:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        _node(node)


def _node(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            _tensor(attribute.t)
        if attribute.name in _TYPED and attribute.i in _FLOATS:
            attribute.i = TensorProto.DOUBLE
        for graph in (attribute.g, *attribute.graphs):
            _graph(graph)
    if node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name in ("value_float", "value_floats"):
        number: Any = helper.get_attribute_value(node.attribute[0])
        node.attribute[0].CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.array(number, np.float64))))


def _tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in _FLOATS:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
