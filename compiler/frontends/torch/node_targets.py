"""Names the operators and the element types of an exported graph as netc does."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from ...types.tensor_types import DTYPES, DType
from ..graph_builder import ImportRefused


def is_operator(node: Node) -> bool:
    """Whether it calls an operator, rather than a function of Python."""
    return isinstance(node.target, torch._ops.OpOverload)


def operator_name(node: Node) -> str:
    """The name without its overload; of one that works in place, without the underscore."""
    schema: Any = node.target._schema  # type: ignore[union-attr]
    name: str = schema.name.partition("::")[2]
    return name[:-1] if name.endswith("_") and not name.startswith("__") else name


def is_empty(node: Node) -> bool:
    """Whether it makes a tensor without elements, such as the rest after a slice of everything. A spec has no such tensors, so `concat`
    leaves them out."""
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and any(isinstance(size, int) and size == 0 for size in value.shape)


def to_dtype(dtype: torch.dtype) -> DType:
    """The element type by PyTorch's name."""
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ImportRefused(f"it makes {name}, which is no element type of netc")
    return DTYPES[name]
