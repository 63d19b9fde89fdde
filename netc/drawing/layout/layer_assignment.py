"""Assign nodes to layers: each below all nodes that it has wires from. A node without such wires is as low as possible.

A wire that passes through layers gets an item in each, which all wires of the same port share.

    >>> node = LayoutNode(40.0, 20.0, (20.0,), (20.0,))
    >>> layers = assign_layers([node] * 3, [LayoutWire(0, 0, 1), LayoutWire(1, 0, 2), LayoutWire(0, 0, 2)])
    >>> [[item.node for item in layer] for layer in layers.layers]
    [[0], [1, None], [2]]
"""

from __future__ import annotations

from collections.abc import Sequence

from .layered_graph import LayerItem, Layers, LayoutNode, LayoutWire, WireSegment


def assign_layers(nodes: Sequence[LayoutNode], wires: Sequence[LayoutWire]) -> Layers:
    """Return the nodes in layers, not yet in a good order."""
    depth = _find_depths(nodes, wires)
    items = [LayerItem(number, number, depth[number], node) for number, node in enumerate(nodes)]
    layers: list[list[LayerItem]] = [[] for _ in range(max(depth, default=0) + 1)]
    for item in items:
        layers[item.layer].append(item)
    passing: dict[tuple[int, int, int], WireSegment] = {}
    ends: dict[tuple[int, int, int, int], WireSegment] = {}
    paths: list[list[WireSegment]] = []
    for wire in wires:
        above, bottom = items[wire.source], wire.bottom
        path: list[WireSegment] = []
        for layer in range(above.layer + 1, depth[wire.target]):
            key = (wire.source, wire.bottom, layer)
            if key not in passing:
                item = LayerItem(len(items), None, layer, None, (wire.source, wire.bottom))
                items.append(item)
                layers[layer].append(item)
                passing[key] = _add_segment(above, bottom, item, 0)
            path.append(passing[key])
            above, bottom = passing[key].lower, 0
        end = (wire.source, wire.bottom, wire.target, wire.port)
        if end not in ends:
            ends[end] = _add_segment(above, bottom, items[wire.target], wire.port)
        path.append(ends[end])
        paths.append(path)
    return Layers(layers, items, paths)


def _add_segment(upper: LayerItem, bottom: int, lower: LayerItem, top: int) -> WireSegment:
    segment = WireSegment(upper, bottom, lower, top)
    upper.lower.append(segment)
    lower.upper.append(segment)
    return segment


def _find_depths(nodes: Sequence[LayoutNode], wires: Sequence[LayoutWire]) -> list[int]:
    depth = [0] * len(nodes)
    takers: list[list[int]] = [[] for _ in nodes]
    givers: list[list[int]] = [[] for _ in nodes]
    for wire in wires:
        takers[wire.source].append(wire.target)
        givers[wire.target].append(wire.source)
    inputs = any(node.first for node in nodes)
    for number, node in enumerate(nodes):
        # one pass is enough, because wires go to later nodes; the first layer is for inputs alone, if there are any
        depth[number] = max((depth[giver] + 1 for giver in givers[number]), default=int(inputs and not node.first))
    # a node without wires from above, such as a parameter, moves down to the layer above its first user
    for number in reversed(range(len(nodes))):
        if takers[number] and not givers[number] and not nodes[number].first:
            depth[number] = min(depth[taker] for taker in takers[number]) - 1
    last = max(depth, default=0)
    return [last if node.last else layer for node, layer in zip(nodes, depth, strict=True)]
