"""Finds the tensors of an exported program that its module detaches, by `detach()` or `with torch.no_grad():`.

In: a graph module without regions, whose nodes `flatten_regions` has marked with the region that they were in. Out: the same graph with an
`aten.detach` after each region, for each tensor that leaves it, and the nodes that a spec needs as `detach`. Always: a spec gets `detach`
only where it changes a gradient of a parameter or an input. The many regions that compute positions or masks leave no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import getitem
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_leaves

from .flat_nodes import REGION
from .node_targets import is_operator, operator_name
from .placeholders import find_placeholders
from .views import is_in_place, walk_aliases

INSERTED = "inserted_detach"
"""The key in the metadata of nodes that are in no code of the module."""
_WITHOUT_GRADIENT = frozenset(
    {"detach", "round", "floor", "ceil", "trunc", "sign", "sgn", "heaviside"}
    | {f"{name}_like" for name in ("zeros", "ones", "full", "empty", "rand", "randn")}
    | {f"new_{name}" for name in ("zeros", "ones", "full", "empty")}
)
"""Operators whose derivative is 0, or that read only the shape of a tensor."""


def detach_regions(module: GraphModule) -> None:
    """Insert an `aten.detach` for each tensor that something outside of its region without gradients reads, in place."""
    if module.meta.get("detached_regions"):
        return
    module.meta["detached_regions"] = True
    for region, group in groupby(list(module.graph.nodes), lambda node: node.meta.get(REGION)):
        if region is not None:
            _detach_region(module, list(group))


def _detach_region(module: GraphModule, nodes: list[Node]) -> None:
    inner, last = set(nodes), nodes[-1]
    stack = _find_common_stack(last, last.next)
    place = last
    for node in nodes:
        readers = [user for user in node.users if user not in inner]
        # A change in place of a tensor from outside leaves the gradient of that tensor as it is.
        if not readers or not _is_differentiable(node) or (is_in_place(node) and not inner.issuperset(walk_aliases(node))):
            continue
        with module.graph.inserting_after(place):
            place = module.graph.call_function(torch.ops.aten.detach.default, (node,))
        place.meta = {key: node.meta[key] for key in ("val", "stack_trace") if key in node.meta}
        place.meta |= {"nn_module_stack": stack, INSERTED: True}
        for reader in readers:
            reader.replace_input_with(node, place)


def _find_common_stack(last: Node, following: Node) -> dict[str, Any]:
    """Return the modules that are active after a region: the calls that its last node and the first node after it are both in."""
    while following.op != "output" and "nn_module_stack" not in following.meta:
        following = following.next
    pairs = zip(*((node.meta.get("nn_module_stack") or {}).items() for node in (last, following)), strict=False)
    shared: dict[str, Any] = {}
    for (key, value), (other, _) in pairs:
        if key != other:
            break
        shared[key] = value
    return shared or {"": ("", "")}


def remove_needless_detaches(program: ExportedProgram) -> None:
    """Remove the inserted nodes that change no gradient."""
    stops = find_gradient_stops(program)
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        if node.meta.get(INSERTED) and node not in stops:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def find_gradient_stops(program: ExportedProgram) -> frozenset[Node]:
    """Find the `aten.detach` nodes that stop a gradient of a parameter or an input."""
    graph = program.graph_module.graph
    reached = _spread(graph.nodes, lambda node: () if _stops_gradient(node) else node.all_input_nodes, _find_trained(program))
    outputs = {node for node in graph.nodes if any(user.op == "output" for user in node.users)}
    read = _spread(reversed(graph.nodes), lambda node: [user for user in node.users if not _stops_gradient(user)], outputs)
    detaching = [node for node in graph.nodes if _is_detach(node)]
    return frozenset(node for node in detaching if node in read and not reached.isdisjoint(node.all_input_nodes))


def _find_trained(program: ExportedProgram) -> set[Node]:
    """Find the placeholders that can have a gradient: trainable parameters, and inputs of floats."""
    placeholders, state = find_placeholders(program), program.state_dict
    specs = [spec for spec in program.graph_signature.input_specs if getattr(spec.arg, "name", "") in placeholders]
    return {
        placeholders[spec.arg.name]
        for spec in specs
        if spec.kind == InputKind.USER_INPUT or (spec.kind == InputKind.PARAMETER and state[spec.target].requires_grad)
        if _is_differentiable(placeholders[spec.arg.name])
    }


def _spread(nodes: Iterable[Node], neighbors: Callable[[Node], Iterable[Node]], start: set[Node]) -> set[Node]:
    """Find the nodes that a gradient connects with the nodes of `start`, in one pass over the nodes in order."""
    connected: set[Node] = set()
    for node in nodes:
        if not _is_differentiable(node):
            continue
        if node in start or not connected.isdisjoint(neighbors(node)):
            connected.add(node)
    return connected


def _stops_gradient(node: Node) -> bool:
    return is_operator(node) and operator_name(node) in _WITHOUT_GRADIENT


def _is_detach(node: Node) -> bool:
    return is_operator(node) and operator_name(node) == "detach"


def _is_differentiable(node: Node) -> bool:
    """Return whether the node computes floats: one tensor, or a tuple of which an element is taken later."""
    if node.target is getitem or node.op in ("call_function", "placeholder"):
        leaves = tree_leaves(node.meta.get("val"))
        return any(isinstance(leaf, torch.Tensor) and (leaf.is_floating_point() or leaf.is_complex()) for leaf in leaves)
    return False
