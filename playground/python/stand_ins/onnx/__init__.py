"""The messages of ONNX, from `onnx_ml_pb2.py` of the package onnx, which `make playground` puts here."""

from .onnx_ml_pb2 import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto

__all__ = ["AttributeProto", "GraphProto", "ModelProto", "NodeProto", "TensorProto", "TypeProto", "ValueInfoProto"]
