"""Formats values for messages, as they are written in a spec.

>>> format_value((1, True, "same"))
'[1, true, "same"]'
>>> format_value(tuple(range(20)))
'[0, 1, 2, 3, 4, 5, 6, 7, ...]'
"""

from __future__ import annotations

from ...dims import SymDim, format_dim
from ...ir.graph_values import Value
from ...ops.operator import Init
from .compile_time_values import AbsentTensor, OperatorRef, TensorTuple
from .scope import BlockDef, FnDef, SharedDef, StageClosure

_MAX_CHARACTERS = 60
_MAX_ITEMS = 8
_MAX_DEPTH = 3


def format_value(value: object, depth: int = 0) -> str:
    """A compile-time value as it is written in a spec; of a long one the beginning."""
    match value:
        # Before the numbers: a Python bool is an int.
        case bool():
            return "true" if value else "false"
        case SymDim():
            return format_dim(value)
        case str():
            return f'"{value}"' if len(value) <= _MAX_CHARACTERS else f'"{value[: _MAX_CHARACTERS - 3]}..."'
        case tuple() if depth == _MAX_DEPTH:
            return "[...]"
        case tuple():
            items = [format_value(v, depth + 1) for v in value[:_MAX_ITEMS]]
            return "[" + ", ".join(items + ["..."] * (len(value) > _MAX_ITEMS)) + "]"
        case Value():
            return f"a tensor {value.type}"
        case OperatorRef():
            return f"`{value.operator}`"
        case BlockDef():
            return f"`{value.node.name.name}`"
        case StageClosure():
            return f"`{value.span.text}`"
        case Init():
            return f"{value.kind}({', '.join(map(str, value.values))})" if value.values else value.kind
        case _:
            return str(value)


def describe_kind(value: object) -> str:
    """The kind of thing that a name is bound to."""
    kinds = {FnDef: "function", BlockDef: "block", SharedDef: "shared stage", Value: "tensor", TensorTuple: "tuple", AbsentTensor: "tensor"}
    return kinds.get(type(value), "value")
