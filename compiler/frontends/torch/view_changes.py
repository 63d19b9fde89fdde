"""Rewrites in-place changes of views, so that every tensor of an exported graph has one value.

In: a graph module in which an operator may change a tensor that others view.

    x = ...                       x = ...
    y = transpose(x, 1, 2)        y = transpose(x, 1, 2)
    v = select(y, 1, 0)           v = select(y, 1, 0)
    add_(v, 1)                    v2 = add_(v, 1)
    return x                      y2 = select_scatter(y, v2, 1, 0)
                                  return transpose(y2, 1, 2)

Out: the same graph in place. Nothing reads a tensor after an operator changed it: its readers read the result of the operator, a tensor
with the changed part in its place, or a new view of one. Returns the changes that cannot be rewritten, each with the name of a view that
is read later. Always: the graph computes the same. A second call changes nothing.

This is the functionalization of PyTorch's own `run_decompositions`, which cannot be used: it also decomposes layers into their arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import getitem

import torch
from torch.fx import GraphModule, Node

from .node_targets import is_empty
from .view_inverses import NotInvertible, is_whole_view, write_part
from .views import find_viewed_tensor, is_in_place

_ROOT_STACK = {"": ("", "")}
"""The `nn_module_stack` of a node outside of all inner modules."""
_SIZES_ONLY = ("view_as", "reshape_as", "expand_as", "type_as")
"""Operators that read the shape or the type of their second argument, and not its elements."""


def rewrite_view_changes(module: GraphModule) -> dict[Node, str]:
    """Rewrite the in-place changes of a graph. Returns the changes that are left, with the name of a view that each would also change."""
    if "lost_views" not in module.meta:
        nodes = list(module.graph.nodes)
        # Without changes, views need not be found, which costs time.
        module.meta["lost_views"] = _Rewriter(module).rewrite(nodes) if any(map(is_in_place, nodes)) else {}
    lost_views: dict[Node, str] = module.meta["lost_views"]
    return lost_views


class _Rewriter:
    def __init__(self, module: GraphModule) -> None:
        self.graph = module.graph
        self.order = {node: number for number, node in enumerate(module.graph.nodes)}
        self.last_reads = {node: max(map(self.order.__getitem__, _find_element_readers(node)), default=-1) for node in self.order}
        self.viewed = {node: viewed for node in self.order if (viewed := find_viewed_tensor(node)) is not None}
        """The tensor that each view is a view of."""
        self.last_uses = dict(self.last_reads)
        """The last reads of each tensor and all its views."""
        for node, viewed in reversed(self.viewed.items()):
            self.last_uses[viewed] = max(self.last_uses[viewed], self.last_uses[node])
        self.operands: dict[Node, Node] = {}
        """The node that had the value of the viewed tensor when the view was taken."""
        self.members: dict[Node, list[Node]] = {}
        """The tensors with the same memory that may still be read, by the one that has the memory."""
        self.current: dict[Node, Node] = {}
        """The nodes that have the values of changed tensors and their views now."""
        self.stale: set[Node] = set()
        """The views that must be taken anew before they are read."""
        self.lost: dict[Node, str] = {}

    def rewrite(self, nodes: Iterable[Node]) -> dict[Node, str]:
        for node in nodes:
            for operand in node.all_input_nodes:
                current = self._refresh(operand, node)
                if current is not operand:
                    node.replace_input_with(operand, current)
            if node in self.viewed:
                viewed = self.viewed[node]
                self.operands[node] = self.current.get(viewed, viewed)
            # A change of a view without elements, such as `x[..., 8:]` of 8 columns, changes nothing.
            target = self.viewed.get(node) if is_in_place(node) and not is_empty(node) else None
            if target is not None:
                self._record_change(node, target)
            self.members.setdefault(self._find_root(node), []).append(node)
        return self.lost

    def _record_change(self, node: Node, target: Node) -> None:
        """Give the changed tensor, and the tensors of which it is a part, their new values, as far up as something reads them."""
        root = self._find_root(target)
        # A loop that writes one row after the other makes thousands of views, few of which are read again.
        self.members[root] = [other for other in self.members[root] if self.last_uses[other] > self.order[node]]
        affected = [other for other in self.members[root] if not self._are_disjoint(target, other)]
        read = [other for other in affected if self.last_reads[other] > self.order[node]]
        # A tuple of views has no value of its own to write: its elements are written into the tensor that was split.
        chain = [node for node in self._ancestors(target) if isinstance(node.meta.get("val"), torch.Tensor)]
        # A tensor is written anew only if it contains both the changed view and something that is read later.
        height = max((self._find_common_height(chain, other) for other in read), default=0)
        values = {target: node}
        try:
            following = node.next
            for view, source in pairwise(chain[: height + 1]):
                holder = self._refresh(self.viewed[view], following, like=node)
                with self.graph.inserting_before(following):
                    values[source] = write_part(self.graph, view, holder, values[view])
                if values[source] is not values[view]:
                    self._describe_node(values[source], source, node)
        except NotInvertible:
            self.lost[node] = read[0].name
            return
        self.current.update(values)
        self.stale.difference_update(values)
        self.stale.update(
            other for other in affected if other not in values and any(ancestor in values for ancestor in self._ancestors(other))
        )

    # --- the tree of views ---------------------------------------------------------------------------------------------------

    def _ancestors(self, node: Node) -> Iterator[Node]:
        """Yield a tensor, and the tensors of which it is a view, the innermost first."""
        yield node
        while node in self.viewed:
            node = self.viewed[node]
            yield node

    def _find_root(self, node: Node) -> Node:
        return list(self._ancestors(node))[-1]

    def _find_common_height(self, chain: list[Node], other: Node) -> int:
        """Return the position in the chain of the first tensor of which the other one is a view too."""
        others = set(self._ancestors(other))
        return next(height for height, node in enumerate(chain) if node in others)

    def _are_disjoint(self, one: Node, other: Node) -> bool:
        """Return whether two views of one tensor certainly have no element in common."""
        paths = [[view for view in reversed(list(self._ancestors(node))[:-1]) if not is_whole_view(view)] for node in (one, other)]
        for step, alike in zip(*paths, strict=False):
            if not _is_same_view(step, alike):
                return _take_different_parts(step, alike)
        return False

    # --- new nodes -----------------------------------------------------------------------------------------------------------

    def _refresh(self, node: Node, reader: Node, like: Node | None = None) -> Node:
        """Return the node that has the value of a tensor now, and take a stale view anew before its reader."""
        if node in self.stale:
            source = self._refresh(self.viewed[node], reader, like)
            with self.graph.inserting_before(reader):
                # The result of an in-place operator is the tensor that it changed.
                new = source if is_in_place(node) else self.graph.node_copy(node, lambda n: source if n is self.operands[node] else n)
            if new is not source:
                self._describe_node(new, node, like or reader)
            self.current[node] = new
            self.stale.discard(node)
        return self.current.get(node, node)

    def _describe_node(self, new: Node, old: Node, place: Node) -> None:
        """Put a node into the module that `place` is in. It takes the type and the name of the tensor that it replaces."""
        new.meta = {key: old.meta[key] for key in ("val", "stack_trace") if key in old.meta}
        new.meta["nn_module_stack"] = _ROOT_STACK if place.op == "output" else place.meta.get("nn_module_stack") or {}


def _find_element_readers(node: Node) -> Iterator[Node]:
    """Yield the nodes that read the elements of a tensor, and not only its sizes."""
    for user in node.users:
        if isinstance(user.target, torch._ops.OpOverload):
            name = user.target._schema.name.partition("::")[2]
            if name == "sym_size" or (name in _SIZES_ONLY and user.args[0] is not node):
                continue
        yield user


def _is_same_view(one: Node, other: Node) -> bool:
    return one.target == other.target and one.args[1:] == other.args[1:] and one.kwargs == other.kwargs


def _take_different_parts(one: Node, other: Node) -> bool:
    """Return whether two views of one tensor take different parts of the same axis."""
    if one.target is getitem and other.target is getitem:
        return one.args[1] != other.args[1]
    return False
