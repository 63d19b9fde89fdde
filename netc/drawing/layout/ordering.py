"""The order of items within their layers: the mean position of their neighbours, downwards and upwards in turns, while it helps."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable

from .graph import Item, Layers, Segment

SWEEPS = 12
PATIENCE = 4
"""Sweeps without fewer crossings, after which there are no more."""


def ordered(layers: Layers) -> Layers:
    """The same with few crossings. Of equally good orders, the first that was found."""
    layers.number()
    best, fewest, waited = _orders(layers), crossings(layers), 0
    for sweep in range(SWEEPS):
        if not fewest or waited >= PATIENCE:
            break
        _sweep(layers, downwards=sweep % 2 == 0)
        found = crossings(layers)
        waited += 1
        if found < fewest:
            best, fewest, waited = _orders(layers), found, 0
    layers.layers = best
    layers.number()
    return layers


def _orders(layers: Layers) -> list[list[Item]]:
    return [list(layer) for layer in layers.layers]


def _sweep(layers: Layers, downwards: bool) -> None:
    from_above: Callable[[Item], list[float]] = lambda item: [_place(s.upper, s.bottom, len(s.upper.bottoms)) for s in item.upper]  # noqa: E731
    from_below: Callable[[Item], list[float]] = lambda item: [_place(s.lower, s.top, len(s.lower.tops)) for s in item.lower]  # noqa: E731
    places = from_above if downwards else from_below
    for layer in layers.layers if downwards else reversed(layers.layers):
        wanted = {item.number: (sum(found) / len(found) if (found := places(item)) else float(item.order)) for item in layer}
        layer.sort(key=lambda item: wanted[item.number])
        for position, item in enumerate(layer):
            item.order = position


def _place(item: Item, port: int, ports: int) -> float:
    return item.order + (port + 1) / (max(ports, port + 1) + 1) - 0.5


def crossings(layers: Layers) -> int:
    """How often wires cross."""
    return sum(_between(layer) for layer in layers.layers)


def _between(layer: list[Item]) -> int:
    """Those below one layer: of segments in the order of their upper ends, the pairs whose lower ends are in the other order."""

    def ends(segment: Segment) -> tuple[float, float]:
        upper = _place(segment.upper, segment.bottom, len(segment.upper.bottoms))
        return upper, _place(segment.lower, segment.top, len(segment.lower.tops))

    found = 0
    seen: list[float] = []
    for _, lower in sorted(ends(segment) for item in layer for segment in item.lower):
        found += len(seen) - bisect_right(seen, lower)
        insort(seen, lower)
    return found
