"""Nodes of an exported graph that no result depends on.

In: the nodes of the body, and those that are parameters or buffers. Out: the nodes that may be left out, such as a histogram that a module
keeps in an attribute: `self.perplexity = torch.histc(...)`. Always: nodes that change something, check something or read a parameter stay,
since the keys of all parameters do.
"""

from __future__ import annotations

from collections.abc import Collection
from operator import getitem

from torch.fx import Node

from .node_targets import is_operator, operator_name
from .views import is_in_place


def find_unread(nodes: Collection[Node], stored: Collection[Node]) -> frozenset[Node]:
    """See the module's docstring."""
    unread: set[Node] = set()
    ordered = next(iter(nodes)).graph.nodes if nodes else ()
    for node in reversed(list(ordered)):
        if _computes(node) and unread.issuperset(node.users) and not any(one in stored for one in node.all_input_nodes):
            unread.add(node)
    return frozenset(unread)


def _computes(node: Node) -> bool:
    """Whether the node gives results and does nothing else."""
    if node.target is getitem:
        return True
    if is_operator(node) and operator_name(node) == "_assert_tensor_metadata":
        return True  # torch.export adds it to each conversion such as `.float()`, and nothing of it is imported
    return is_operator(node) and not is_in_place(node) and not node.is_impure(impure_random=False)
