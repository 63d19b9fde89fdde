"""Adds calls of operators to an exported graph, for the passes that rewrite it.

In: a graph of torch.export, and a node that the new one stands for. Out: the new node, with the module and the source line of the other
one, and with the tensor that it makes. Always: the node is added where the graph inserts: `with graph.inserting_before(node)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch.fx import Graph, Node

from .node_targets import operator_name
from .views import is_in_place

OF_MODULE = ("nn_module_stack", "stack_trace")
"""What a node knows of the module and of the source line that it stands for."""


def add_call(graph: Graph, like: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
    """Add a node in the module of another one, with the tensor that it makes."""
    operands: list[Node] = []
    torch.fx.node.map_arg((args, kwargs), operands.append)
    fakes, named = torch.fx.node.map_arg((args, kwargs), lambda operand: operand.meta["val"])
    mode = detect_fake_mode([known.meta.get("val") for known in (*operands, like)])
    assert mode is not None
    with mode, torch.no_grad():
        value = target(*fakes, **named)
    node = graph.call_function(target, args, kwargs)
    node.meta = {key: like.meta[key] for key in OF_MODULE if key in like.meta} | {"val": value}
    return node


def find_functional(node: Node) -> Any:
    """Return the operator that computes the same without a change in place, or None if there is none."""
    target: Any = node.target
    if not is_in_place(node):
        return target
    packet = getattr(torch.ops.aten, operator_name(node), None)
    return None if packet is None else find_overload(packet, target._schema.arguments)


def find_overload(packet: Any, arguments: Sequence[Any]) -> Any:
    """Return the overload of an operator that has these arguments and changes none of them, or None."""
    expected = [(argument.name, str(argument.type)) for argument in arguments]
    for name in packet.overloads():
        overload = getattr(packet, name)
        found = [(argument.name, str(argument.type)) for argument in overload._schema.arguments]
        # A factory such as `zeros` has an element type and a device too, which its `out` decides.
        if not overload._schema.is_mutable and found == expected:
            return overload
    return None
