"""Assign vertical coordinates, and route the wires: straight past the nodes of a layer, curved between layers."""

from __future__ import annotations

from .layered_graph import Layers, Placement, Point, WireSegment

LAYER_GAP = 24.0
MAX_LAYER_GAP = 76.0
SLOPE = 0.09
"""The additional height of a gap for each unit that its wires go sideways."""
SPREAD = 16.0
"""The distance between wires that end at the same node."""


def route_wires(layers: Layers, x: list[float]) -> Placement:
    """Return the placement of all nodes and wires. `x` are the left edges of the items."""
    ends = _place_ends(layers, x)
    tops, heights = _place_layers(layers, x, ends)
    corners = tuple((x[item.number], tops[item.layer]) for item in layers.items if item.node is not None)
    routes = tuple(_route_wire(path, x, ends, tops, heights) for path in layers.paths)
    width = max((x[item.number] + item.width for item in layers.items), default=0.0)
    return Placement(corners, routes, width, tops[-1] + heights[-1] if tops else 0.0)


def _place_ends(layers: Layers, x: list[float]) -> dict[int, float]:
    """Return the x at which each segment ends at its lower item, by the segment's identity. Segments end next to each other, in the order
    of their starts, and one that can be straight is."""
    ends: dict[int, float] = {}
    for item in layers.items:
        left = x[item.number]
        if item.tops:
            ends |= {id(s): left + s.end for s in item.upper}
            continue
        coming = sorted(item.upper, key=lambda s: x[s.upper.number] + s.start)
        middle = left + item.width / 2
        straight = next((n for n, s in enumerate(coming) if abs(x[s.upper.number] + s.start - middle) < 1), (len(coming) - 1) / 2)
        most = max(straight, len(coming) - 1 - straight, 1)
        # at least 10 from the edges, clear of the rounded corners
        step = min(SPREAD, (item.width / 2 - 10) / most)
        ends |= {id(s): middle + (n - straight) * step for n, s in enumerate(coming)}
    return ends


def _place_layers(layers: Layers, x: list[float], ends: dict[int, float]) -> tuple[list[float], list[float]]:
    """Return the tops and heights of the layers."""
    tops: list[float] = []
    heights: list[float] = []
    top = 0.0
    for layer in layers.layers:
        tops.append(top)
        heights.append(max((item.height for item in layer), default=0.0))
        sideways = max((abs(x[i.number] + s.start - ends[id(s)]) for i in layer for s in i.lower), default=0.0)
        top += heights[-1] + min(MAX_LAYER_GAP, LAYER_GAP + SLOPE * sideways)
    return tops, heights


def _route_wire(
    path: list[WireSegment], x: list[float], ends: dict[int, float], tops: list[float], heights: list[float]
) -> tuple[Point, ...]:
    first = path[0].upper
    points: list[Point] = [(x[first.number] + path[0].start, tops[first.layer] + first.height)]
    for segment in path:
        start = x[segment.upper.number] + segment.start
        bottom = tops[segment.upper.layer] + heights[segment.upper.layer]
        # below a box that is lower than its layer, go straight down past the taller boxes before bending
        if points[-1][1] < bottom:
            points += _draw_line(points[-1], (start, bottom))
        points += _draw_bend(points[-1], (ends[id(segment)], tops[segment.lower.layer]))
    return tuple(points)


def _draw_line(a: Point, b: Point) -> list[Point]:
    return [a, b, b]  # a straight line as a cubic curve, because a route has nothing else


def _draw_bend(a: Point, b: Point) -> list[Point]:
    """Return a curve that begins and ends vertically."""
    if abs(a[0] - b[0]) < 0.5:
        return _draw_line(a, b)
    middle = (a[1] + b[1]) / 2
    return [(a[0], middle), (b[0], middle), b]
