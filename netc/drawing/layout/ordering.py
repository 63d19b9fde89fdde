"""The order of items within their layers: the mean position of their neighbors, downwards and upwards in turns, while it helps.

Which neighbors matter more depends on the picture: several answers are tried, and the one with the fewest crossings is kept.
"""

from __future__ import annotations

from bisect import bisect_right, insort

from .layered_graph import LayerItem, Layers, WireSegment

SWEEPS = 12
PATIENCE = 4
"""Sweeps without fewer crossings, after which there are no more."""
WEIGHTS = ((1.0, 1.0), (4.0, 1.0), (1.0, 3.0))
"""How much a piece of a long wire counts, and a wire between two nodes; others count 1."""


def order_items(layers: Layers) -> Layers:
    """The same with few crossings. Of equally good orders, the first that was found."""
    start = best = _copy_orders(layers)
    layers.number_items()
    fewest = count_crossings(layers)
    for weights in WEIGHTS:
        if not fewest:
            break
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
    """The best order that sweeps find, and its crossings."""
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
        layer.sort(key=lambda item: positions[item.number])
        for position, item in enumerate(layer):
            item.order = position


def _find_mean_position(item: LayerItem, downwards: bool, weights: tuple[float, float]) -> float:
    """The mean place of what an item is connected to, above or below."""
    if downwards:
        places = [(_find_port_position(s.upper, s.bottom, s.upper.bottoms), _weigh_segment(s, weights)) for s in item.upper]
    else:
        places = [(_find_port_position(s.lower, s.top, s.lower.tops), _weigh_segment(s, weights)) for s in item.lower]
    total = sum(weight for _, weight in places)
    return sum(place * weight for place, weight in places) / total if places else float(item.order)


def _weigh_segment(segment: WireSegment, weights: tuple[float, float]) -> float:
    nodes = (segment.upper.node is not None) + (segment.lower.node is not None)
    return 1.0 if nodes == 1 else weights[nodes // 2]


def _find_port_position(item: LayerItem, port: int, ports: tuple[float, ...]) -> float:
    """The position of a port among all of a layer: between those of the neighbors of its item, by where it is among the others."""
    rank = sum(other < ports[port] for other in ports) if port < len(ports) else port
    return item.order + (rank + 1) / (max(len(ports), port + 1) + 1) - 0.5


def count_crossings(layers: Layers) -> int:
    """How often wires cross."""
    return sum(_count_crossings_below(layer) for layer in layers.layers)


def _count_crossings_below(layer: list[LayerItem]) -> int:
    """Those below one layer: of segments in the order of their upper ends, the pairs whose lower ends are in the other order."""

    def ends(segment: WireSegment) -> tuple[float, float]:
        upper = _find_port_position(segment.upper, segment.bottom, segment.upper.bottoms)
        return upper, _find_port_position(segment.lower, segment.top, segment.lower.tops)

    count = 0
    seen: list[float] = []
    for _, lower in sorted(ends(segment) for item in layer for segment in item.lower):
        count += len(seen) - bisect_right(seen, lower)
        insort(seen, lower)
    return count
