"""Operators that work in place, and the views that see what they do.

In: the nodes of an exported graph in their order. Out: those that change a tensor which is read later under another name. Always: of all
others, dropping the underscore changes nothing but the name under which the result is read.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.fx import Node

_MAYBE = ("reshape", "contiguous", "flatten", "to", "type_as", "view_as", "reshape_as", "expand_as")
"""Operators that may give a view, and whose schemas do not say it."""
_HARMLESS = ("detach_", "requires_grad_")


def is_in_place(node: Node) -> bool:
    """Whether it changes its first argument."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    name = node.target._schema.name.partition("::")[2]
    return name.endswith("_") and not name.startswith("__") and name not in _HARMLESS


def overwritten(nodes: Iterable[Node]) -> dict[Node, str]:
    """The nodes that change what is read later under the name that is given."""
    order = {node: at for at, node in enumerate(nodes)}
    roots: dict[Node, Node] = {}
    families: dict[Node, list[Node]] = {}
    found: dict[Node, str] = {}
    for node, at in order.items():
        source = node.args[0] if node.args and isinstance(node.args[0], Node) and _gives_view(node) else node
        roots[node] = root = roots.get(source, source)
        family = families.setdefault(root, [root])
        if is_in_place(node):
            for other in family:
                if other is not node.args[0] and any(order.get(user, at) > at for user in other.users):
                    found[node] = other.name
        family.append(node)
    return found


def _gives_view(node: Node) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload):
        return True
    schema = node.target._schema
    return schema.name.partition("::")[2] in _MAYBE or any(result.alias_info is not None for result in schema.returns)
