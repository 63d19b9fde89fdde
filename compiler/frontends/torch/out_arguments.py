"""Rewrites operators with an `out` argument as the operator and a copy: `add(x, 1, out=y)` becomes `y.copy_(add(x, 1))`.

In: the graph of an exported program. Out: the same graph, in which only operators that work in place change tensors. Always: an operator
that gives its `out` another shape, or has several, stays as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

from .added_calls import add_call, find_overload


def rewrite_out_arguments(module: GraphModule) -> None:
    """Rewrite the operators with an `out` argument, in place."""
    for node in list(module.graph.nodes):
        out = _find_out_argument(node)
        plain = None if out is None else _find_plain_overload(node)
        if out is None or plain is None or out.meta["val"].shape != node.meta["val"].shape:
            continue
        with module.graph.inserting_before(node):
            named = {name: value for name, value in node.kwargs.items() if value is not out}
            result = add_call(module.graph, node, plain, *node.args, **named)
            copied = add_call(module.graph, node, torch.ops.aten.copy_.default, out, result)
        node.replace_all_uses_with(copied)
        module.graph.erase_node(node)


def _find_out_argument(node: Node) -> Node | None:
    """Return the tensor that an operator writes its result to, if it has exactly one."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return None
    names = [argument.name for argument in node.target._schema.arguments if argument.is_out]
    out = node.kwargs.get(names[0]) if len(names) == 1 else None
    return out if isinstance(out, Node) else None


def _find_plain_overload(node: Node) -> Any:
    """Return the overload with the same arguments but `out`."""
    target: Any = node.target
    expected = [argument for argument in target._schema.arguments if not argument.is_out]
    return find_overload(target.overloadpacket, expected)
