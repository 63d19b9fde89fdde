"""Order the items within their layers, so that few wires cross.

Sweeps sort each layer by the mean position of its neighbors, downwards and upwards in turns, while the crossings become fewer. Which
neighbors matter more depends on the picture, so several weights are tried, and the order with the fewest crossings stays.

    >>> from .layer_assignment import assign_layers
    >>> from .layered_graph import LayoutNode, LayoutWire
    >>> nodes = [LayoutNode(40.0, 10.0, bottoms=(20.0,)) for _ in range(4)]
    >>> layers = assign_layers(nodes, [LayoutWire(0, 0, 3), LayoutWire(1, 0, 2)])
    >>> layers.number_items()
    >>> count_crossings(layers), count_crossings(order_items(layers))
    (1, 0)
"""

from __future__ import annotations

from bisect import bisect_right, insort

from .layered_graph import LayerItem, Layers, WireSegment

SWEEPS = 12
PATIENCE = 4
"""The most sweeps in a row that do not reduce the crossings."""
WEIGHTS = ((1.0, 1.0), (4.0, 1.0), (1.0, 3.0))
"""Pairs to try: the weight of a piece of a long wire, and of a wire between two nodes. Other wires have weight 1."""


def order_items(layers: Layers) -> Layers:
    """Return the layers in an order with few crossings. Of equally good orders, the first one wins."""
    start = best = _copy_orders(layers)
    layers.number_items()
    fewest = count_crossings(layers)
    for weights in WEIGHTS:
        if not fewest:
            break
        # sweeps sort in place, so each pair of weights needs the original order again
        layers.layers = [list(layer) for layer in start]
        layers.number_items()
        orders, count = _sweep_repeatedly(layers, weights)
        if count < fewest:
            best, fewest = orders, count
    layers.layers = best
    layers.number_items()
    return layers


def _copy_orders(layers: Layers) -> list[list[LayerItem]]:
    return [list(layer) for layer in layers.layers]


def _sweep_repeatedly(layers: Layers, weights: tuple[float, float]) -> tuple[list[list[LayerItem]], int]:
    """Return the best order that sweeps find, and its number of crossings."""
    best, fewest, waited = _copy_orders(layers), count_crossings(layers), 0
    for sweep in range(SWEEPS):
        if not fewest or waited >= PATIENCE:
            break
        _sweep_once(layers, sweep % 2 == 0, weights)
        count = count_crossings(layers)
        waited += 1
        if count < fewest:
            best, fewest, waited = _copy_orders(layers), count, 0
    return best, fewest


def _sweep_once(layers: Layers, downwards: bool, weights: tuple[float, float]) -> None:
    for layer in layers.layers if downwards else reversed(layers.layers):
        positions = {item.number: _find_mean_position(item, downwards, weights) for item in layer}
        # a stable sort: items with equal means do not change places in every sweep
        layer.sort(key=lambda item: positions[item.number])
        for position, item in enumerate(layer):
            item.order = position


def _find_mean_position(item: LayerItem, downwards: bool, weights: tuple[float, float]) -> float:
    """Return the mean position of the items that an item is connected to, above or below."""
    if downwards:
        places = [(_find_port_position(s.upper, s.bottom, s.upper.bottoms), _weigh_segment(s, weights)) for s in item.upper]
    else:
        places = [(_find_port_position(s.lower, s.top, s.lower.tops), _weigh_segment(s, weights)) for s in item.lower]
    total = sum(weight for _, weight in places)
    return sum(place * weight for place, weight in places) / total if places else float(item.order)


def _weigh_segment(segment: WireSegment, weights: tuple[float, float]) -> float:
    nodes = (segment.upper.node is not None) + (segment.lower.node is not None)
    # no node: a piece of a long wire, `weights[0]`; two nodes: `weights[1]`
    return 1.0 if nodes == 1 else weights[nodes // 2]


def _find_port_position(item: LayerItem, port: int, ports: tuple[float, ...]) -> float:
    """Return the position of a port in its layer: ports of an item are spread between the positions of the item's neighbors."""
    rank = sum(other < ports[port] for other in ports) if port < len(ports) else port
    # within half a position of the item, so ports of different items never mix
    return item.order + (rank + 1) / (max(len(ports), port + 1) + 1) - 0.5


def count_crossings(layers: Layers) -> int:
    """Return how often wires cross."""
    return sum(_count_crossings_below(layer) for layer in layers.layers)


def _count_crossings_below(layer: list[LayerItem]) -> int:
    """Return the crossings below one layer. Two segments cross if their upper and their lower ends are in opposite orders, so these are the
    inversions of the lower ends after sorting by the upper ends."""

    def ends(segment: WireSegment) -> tuple[float, float]:
        upper = _find_port_position(segment.upper, segment.bottom, segment.upper.bottoms)
        return upper, _find_port_position(segment.lower, segment.top, segment.lower.tops)

    count = 0
    seen: list[float] = []
    for _, lower in sorted(ends(segment) for item in layer for segment in item.lower):
        # right: segments that meet at one port do not cross
        count += len(seen) - bisect_right(seen, lower)
        insort(seen, lower)
    return count
