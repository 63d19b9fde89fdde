"""Finds the views that see what an in-place operator changes.

In: the nodes of an exported graph in order. Out: for each node that changes a tensor, the tensors that contain it and are read later.
Always: for any other in-place operator, the operator without the underscore computes the same under a new name.

In `x[:, 0].zero_(); return x`, the zeros change x, so the import writes x anew from its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.fx import Node

_MAYBE = ("reshape", "contiguous", "flatten", "to", "type_as", "view_as", "reshape_as", "expand_as")
"""Operators that may give a view, although their schemas do not say so."""
# These end in an underscore, but change no elements.
_HARMLESS = ("detach_", "requires_grad_")
_PARTS = ("slice", "select")
"""Views that are one part of an axis."""


def is_in_place(node: Node) -> bool:
    """Return whether the node changes its first argument."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    name = node.target._schema.name.partition("::")[2]
    return name.endswith("_") and not name.startswith("__") and name not in _HARMLESS


class ViewTracker:
    """The effects of in-place operators on other tensors.

    `parents` maps a node that changes a part of a tensor to the views that lead to that part, if the tensor is read later. `lost` maps a
    node to the name of a view that is read later and cannot be written anew.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.order = {node: number for number, node in enumerate(nodes)}
        self.parents: dict[Node, list[Node]] = {}
        self.lost: dict[Node, str] = {}
        roots: dict[Node, Node] = {}
        families: dict[Node, list[Node]] = {}
        for node in self.order:
            source = node.args[0] if node.args and isinstance(node.args[0], Node) and gives_view(node) else node
            roots[node] = root = roots.get(source, source)
            family = families.setdefault(root, [root])
            if is_in_place(node):
                self._record_change(node, family)
            family.append(node)

    def _record_change(self, node: Node, family: list[Node]) -> None:
        target = node.args[0]
        assert isinstance(target, Node)
        chain = _find_view_chain(target)
        # Views that nobody reads after the change need not see it.
        later = [other for other in family if other is not target and self._is_read_after(other, node)]
        if not later:
            return
        # Only tensors that contain the changed part can be written anew. A view that overlaps it in another way is lost.
        unknown = [other for other in later if other not in [view.args[0] for view in chain]]
        if unknown:
            self.lost[node] = unknown[0].name
        else:
            self.parents[node] = chain

    def _is_read_after(self, other: Node, node: Node) -> bool:
        return any(self.order.get(user, len(self.order)) > self.order[node] for user in other.users)


def _find_view_chain(node: Node) -> list[Node]:
    """Return the views that lead to a part of a tensor, the outermost first."""
    views: list[Node] = []
    while isinstance(node.target, torch._ops.OpOverload) and node.target._schema.name.partition("::")[2] in _PARTS:
        views.append(node)
        source = node.args[0]
        assert isinstance(source, Node)
        node = source
    return views[::-1]


def walk_aliases(node: Node) -> Iterator[Node]:
    """Yield the tensor that an in-place operator changes, and the tensors of which it is a view."""
    target = node.args[0]
    while isinstance(target, Node):
        yield target
        target = target.args[0] if target.args and gives_view(target) else None


def gives_view(node: Node) -> bool:
    """Return whether the result may be a view of the first argument."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return True
    schema = node.target._schema
    return schema.name.partition("::")[2] in _MAYBE or any(result.alias_info is not None for result in schema.returns)
