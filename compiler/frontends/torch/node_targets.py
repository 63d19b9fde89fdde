"""Reads the targets of exported nodes: `aten.add_.Tensor` is the operator `add`, and `torch.float32` is `float32`."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from ...types.tensor_types import DTYPES, DType
from ..graph_builder import ImportRefused


def is_operator(node: Node) -> bool:
    """Return whether the node calls an operator, rather than a Python function."""
    return isinstance(node.target, torch._ops.OpOverload)


def operator_name(node: Node) -> str:
    """Return the name of the operator without its overload, and without the underscore of an in-place operator."""
    schema: Any = node.target._schema  # type: ignore[union-attr]
    name: str = schema.name.partition("::")[2]
    return name[:-1] if name.endswith("_") and not name.startswith("__") else name


class BoundArguments(dict[str, Any]):
    """The arguments of a node by name. It knows the defaults, and which arguments a reader has asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.defaults: dict[str, Any] = {}
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.used.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.used.add(name)
        return super().get(name, default)

    def list_unused(self) -> list[tuple[str, Any]]:
        """List the arguments that no reader has asked for."""
        return [(name, value) for name, value in self.items() if name not in self.used]


def bind_arguments(node: Node) -> BoundArguments:
    """Bind the arguments of the node to the names in the operator's schema."""
    schema: Any = node.target._schema  # type: ignore[union-attr]
    result = BoundArguments()
    result.defaults = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
    for position, argument in enumerate(schema.arguments):
        if position < len(node.args):
            result[argument.name] = node.args[position]
        elif argument.name in node.kwargs:
            result[argument.name] = node.kwargs[argument.name]
        else:
            result[argument.name] = result.defaults.get(argument.name)
    return result


def is_complex(argument: Any) -> bool:
    """Return whether an argument is a node that makes a complex tensor."""
    return isinstance(argument, Node) and isinstance(fake := argument.meta.get("val"), torch.Tensor) and fake.is_complex()


def to_real_parts(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of real numbers itself, and one of complex numbers as pairs on a last axis of size 2, in the same memory."""
    return torch.view_as_real(tensor.detach().resolve_conj()) if tensor.is_complex() else tensor


def is_empty(node: Node) -> bool:
    """Return whether the node makes a tensor without elements, such as the rest after a slice of everything.

    A spec has no such tensors, so `concat` leaves them out.
    """
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and any(isinstance(size, int) and size == 0 for size in value.shape)


def to_dtype(dtype: torch.dtype) -> DType:
    """Return netc's element type for PyTorch's."""
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ImportRefused(f"it makes {name}, which is no element type of netc")
    return DTYPES[name]
