"""Reads the inputs and outputs of a model from its file, for runtimes that forget their names or symbolic sizes.

In: the path of a model. Out: its inputs and outputs as `Port`, by name, in order. Always: weights are not read.

For example, the graph of `x = input [T, 3]; x -> relu` has the input `Port("x", FLOAT32, ("N", "T", 3))`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...ir.ports import Port
from ...types.tensor_types import DTYPES
from .feeds import UnknownPort
from .messages import ValueInfoProto
from .onnx_types import find_element_name


def read_ports(path: str) -> tuple[dict[str, Port], dict[str, Port]]:
    """Return the inputs and the outputs of a file. Raises `UnknownPort` for a type that netc does not have."""
    from onnx import load

    graph = load(path, load_external_data=False).graph
    stored = {tensor.name for tensor in graph.initializer}
    return _make_ports(value for value in graph.input if value.name not in stored), _make_ports(graph.output)


def _make_ports(values: Iterable[ValueInfoProto]) -> dict[str, Port]:
    return {value.name: _make_port(value) for value in values}


def _make_port(value: ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    name = find_element_name(tensor.elem_type)
    if name is None:
        raise UnknownPort(f"`{value.name}` is of a type that netc does not have")
    return Port(
        value.name, DTYPES[name], tuple(axis.dim_value if axis.HasField("dim_value") else axis.dim_param for axis in tensor.shape.dim)
    )
