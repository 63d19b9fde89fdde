"""Nodes, attributes and descriptions of values, as the helper of ONNX makes them."""

from __future__ import annotations

from .onnx_ml_pb2 import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto


def make_attribute(name, value):
    made = AttributeProto()
    made.name = name
    if isinstance(value, (list, tuple)):
        _list(made, value)
    elif isinstance(value, int):
        made.i, made.type = int(value), AttributeProto.INT
    elif isinstance(value, float):
        made.f, made.type = value, AttributeProto.FLOAT
    elif isinstance(value, (str, bytes)):
        made.s, made.type = value.encode() if isinstance(value, str) else value, AttributeProto.STRING
    elif isinstance(value, TensorProto):
        made.t.CopyFrom(value)
        made.type = AttributeProto.TENSOR
    elif isinstance(value, GraphProto):
        made.g.CopyFrom(value)
        made.type = AttributeProto.GRAPH
    else:
        raise TypeError(f"no attribute can hold {value!r}")
    return made


def _list(made, values):
    if all(isinstance(v, int) for v in values):
        made.ints.extend(values)
        made.type = AttributeProto.INTS
    elif all(isinstance(v, (int, float)) for v in values):
        made.floats.extend(values)
        made.type = AttributeProto.FLOATS
    elif all(isinstance(v, str) for v in values):
        made.strings.extend(v.encode() for v in values)
        made.type = AttributeProto.STRINGS
    else:
        raise TypeError(f"no attribute can hold {values!r}")


def make_node(op_type, inputs, outputs, name=None, **attributes):
    made = NodeProto()
    made.op_type = op_type
    made.input.extend(inputs)
    made.output.extend(outputs)
    if name:
        made.name = name
    made.attribute.extend(make_attribute(key, value) for key, value in sorted(attributes.items()) if value is not None)
    return made


def make_tensor_value_info(name, elem_type, shape):
    made = ValueInfoProto()
    made.name = name
    made.type.tensor_type.elem_type = elem_type
    if shape is not None:
        raise NotImplementedError
    return made
