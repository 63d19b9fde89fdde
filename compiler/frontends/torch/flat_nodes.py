"""Inlines the regions of an exported graph that switch gradients or automatic casts, as `with torch.no_grad():` makes them.

In: a graph module. Out: its nodes in order, with the nodes of such regions in their place. Always: nodes keep their metadata.
`REGION` is added to it: the outermost region without gradients that a node was in, if any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Node

REGION = "gradient_region"
"""The key of a region's name in the metadata of nodes."""
GRADIENT_REGION = "wrap_with_set_grad_enabled"
_REGIONS = (GRADIENT_REGION, "wrap_with_autocast")


def flatten_regions(module: GraphModule, kinds: Sequence[str] = _REGIONS) -> list[Node]:
    """Inline all regions of these kinds in place, and return the nodes of the graph."""
    # A region may contain another one, which becomes visible when the outer one is inlined.
    while True:
        regions = [node for node in module.graph.nodes if _is_region(node, kinds)]
        if not regions:
            return list(module.graph.nodes)
        for node in regions:
            _inline_region(module, node)


def _is_region(node: Node, kinds: Sequence[str]) -> bool:
    if node.op != "call_function" or getattr(node.target, "__name__", "") not in kinds:
        return False
    # `args[2]` is `enabled`. A region that does cast computes in another element type, so only a disabled one is inlined.
    return node.target.__name__ != "wrap_with_autocast" or not node.args[2]  # type: ignore[union-attr]


def _inline_region(module: GraphModule, node: Node) -> None:
    """Replace a region by its nodes."""
    position = next(index for index, argument in enumerate(node.args) if isinstance(argument, Node) and argument.op == "get_attr")
    region: Any = node.args[position]
    inner: Any = module
    for part in region.target.split("."):
        inner = getattr(inner, part)
    name = _find_gradient_region(node)
    places = dict(zip([n for n in inner.graph.nodes if n.op == "placeholder"], node.args[position + 1 :], strict=True))
    with module.graph.inserting_before(node):
        for inner_node in inner.graph.nodes:
            if inner_node.op == "get_attr":
                setattr(module, f"{node.name}_{inner_node.target}", getattr(inner, inner_node.target))
                places[inner_node] = module.graph.get_attr(f"{node.name}_{inner_node.target}")
            elif inner_node.op not in ("placeholder", "output"):
                places[inner_node] = module.graph.node_copy(inner_node, lambda n: places[n])
                places[inner_node].meta[REGION] = name
        result = next(n for n in inner.graph.nodes if n.op == "output").args[0]
    for user in list(node.users):
        user.replace_all_uses_with(_map_nodes(result[user.args[1]], places))
        module.graph.erase_node(user)
    module.graph.erase_node(node)
    # Two calls may share one region.
    if not region.users:
        module.graph.erase_node(region)


def _find_gradient_region(node: Node) -> str | None:
    """Return the name of the outermost region without gradients around the nodes of a region."""
    around: str | None = node.meta.get(REGION)
    if node.target.__name__ != "wrap_with_set_grad_enabled":  # type: ignore[union-attr]
        return around
    return None if node.args[0] else around or node.name


def _map_nodes(value: Any, places: dict[Node, Any]) -> Any:
    return torch.fx.node.map_arg(value, lambda n: places[n])
