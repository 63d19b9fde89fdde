"""Rewrites operators with an `out` argument as the operator and a copy: `add(x, 1, out=y)` becomes `y.copy_(add(x, 1))`.

In: the graph of an exported program. Out: the same graph, in which only operators that work in place change tensors. Always: an operator
that gives its `out` another shape, or has several, stays as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

_META = ("nn_module_stack", "stack_trace")


def rewrite_out_arguments(module: GraphModule) -> None:
    """Rewrite the operators with an `out` argument, in place."""
    for node in list(module.graph.nodes):
        out = _find_out_argument(node)
        plain = None if out is None else _find_plain_overload(node)
        if out is None or plain is None or out.meta["val"].shape != node.meta["val"].shape:
            continue
        with module.graph.inserting_before(node):
            kwargs = {name: value for name, value in node.kwargs.items() if value is not out}
            result = module.graph.call_function(plain, node.args, kwargs)
            copied = module.graph.call_function(torch.ops.aten.copy_.default, (out, result))
        kept = {key: node.meta[key] for key in _META if key in node.meta}
        result.meta, copied.meta = node.meta | {"val": _compute_result(node, plain, kwargs)}, kept | {"val": out.meta["val"]}
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
    expected = [(argument.name, str(argument.type)) for argument in target._schema.arguments if not argument.is_out]
    packet = target.overloadpacket
    for name in packet.overloads():
        overload = getattr(packet, name)
        arguments = [(argument.name, str(argument.type)) for argument in overload._schema.arguments]
        # A factory such as `zeros` has an element type and a device too, which its `out` decides here.
        if not overload._schema.is_mutable and arguments[: len(expected)] == expected and len(arguments) == len(expected):
            return overload
    return None


def _compute_result(node: Node, plain: Any, kwargs: dict[str, Any]) -> Any:
    """Compute the result without `out`, which may have another element type."""
    args, named = torch.fx.node.map_arg((node.args, kwargs), lambda n: n.meta["val"])
    with node.meta["val"].fake_mode:
        return plain(*args, **named)
