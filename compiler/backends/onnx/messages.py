"""Imports the messages of the ONNX format, which are classes of the package onnx, without the rest of the package.

Out: the classes that netc writes and reads, the same as in `onnx`, whichever of the two is imported first. Always: importing this does not
import `onnx`, whose `__init__` imports its checker, its tools and its compiled part: an eighth of the time of a `netc compile`.

    >>> ModelProto.DESCRIPTOR.full_name
    'onnx.ModelProto'
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

_MODULE = "onnx.onnx_ml_pb2"


def _load_messages() -> Any:
    """Load the module that protobuf generated, which needs nothing else of its package."""
    # Protobuf registers message types once in a process, so the module of an imported `onnx` must be used again.
    if "onnx" in sys.modules or _MODULE in sys.modules:
        return import_module(_MODULE)
    package = find_spec("onnx")
    spec = None if package is None else PathFinder.find_spec(_MODULE, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return import_module("onnx")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules.setdefault(_MODULE, module)


if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto
else:
    _protobuf = _load_messages()
    AttributeProto, FunctionProto = _protobuf.AttributeProto, _protobuf.FunctionProto
    GraphProto, ModelProto = _protobuf.GraphProto, _protobuf.ModelProto
    NodeProto, TensorProto, TypeProto, ValueInfoProto = (
        _protobuf.NodeProto,
        _protobuf.TensorProto,
        _protobuf.TypeProto,
        _protobuf.ValueInfoProto,
    )

__all__ = ["AttributeProto", "FunctionProto", "GraphProto", "ModelProto", "NodeProto", "TensorProto", "TypeProto", "ValueInfoProto"]
