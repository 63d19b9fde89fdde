"""Reads the table of the operators that a device has, and decides whether it takes a node.

Always: the types are from `*_operators.json`, and the restrictions that can be decided are in `*_limits.py`.

    >>> table = load_operator_table("tensorrt")
    >>> sorted(table.types["MaxPool"]), "Unique" in table.types
    (['bfloat16', 'float16', 'float32'], False)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from netc.dsl.record import Record

from ....onnx_standard.operator_schemas import find_schema
from ....types.tensor_types import DTYPES
from .node_limits import Limit
from .typed_nodes import TypedNode


class OperatorTable(Record):
    """The opsets that a device reads, and the element types of each operator that it has."""

    version: str
    source: str
    lowest: int
    highest: int
    types: Mapping[str, frozenset[str]]


@cache
def load_operator_table(device: str) -> OperatorTable:
    """Load the table of a device, such as `tensorrt`."""
    table = json.loads(files(__package__).joinpath(f"{device}_operators.json").read_text(encoding="utf-8"))
    types = {op_type: frozenset(names.split(",")) for op_type, names in table["operators"].items()}
    lowest, highest = table["opsets"]
    return OperatorTable(table["version"], table["source"], lowest, highest, types)


def find_form(table: OperatorTable, limits: Mapping[str, Limit], node: TypedNode) -> str | None:
    """Return the form of the operator that a device takes instead of the node's, or an empty text if it takes none. None if it takes the
    node. The limit of the empty name is for all operators."""
    if node.op_type not in table.types:
        return ""
    allowed = table.types[node.op_type]
    dtype = find_main_type(node)
    if dtype is not None and dtype not in allowed:
        return "of " + ", ".join(name for name in DTYPES if name in allowed)
    forms = (limits[name](node) for name in (node.op_type, "") if name in limits)
    return next((form for form in forms if form is not None), None)


def list_operator_types(device: str, op_type: str, opset: int, variable: str) -> frozenset[str] | None:
    """List the element types that a device takes, of a type parameter of an operator. Empty if the table says nothing about the parameter.
    None if the device lacks the operator."""
    types, schema = load_operator_table(device).types, find_schema(op_type, opset)
    if op_type not in types or schema is None:
        return None
    return types[op_type] if schema.inputs and schema.inputs[_find_main_input(op_type)].type_str == variable else frozenset()


def find_main_type(node: TypedNode) -> str | None:
    """Return the element type that the table is about: of the data, rather than of indices or conditions."""
    value = node.find_input(_find_main_input(node.op_type))
    if value is None:
        value = node.outputs[0] if node.outputs else None
    return None if value is None else value.dtype


def _find_main_input(op_type: str) -> int:
    return 1 if op_type == "Where" else 0
