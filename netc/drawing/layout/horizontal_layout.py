"""Assign horizontal coordinates.

Items that follow each other form columns, which are straight, and columns are moved as near as possible to the columns that they are
connected to. A column follows the longest path through the network, or a wire that passes through layers, so a residual connection is a
line next to its branch. Always: items of a layer keep their order and their distance.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf

from .layered_graph import LayerItem, Layers, Port, WireSegment

GAP = 28.0
"""The distance between nodes."""
WIRE_GAP = 18.0
"""The distance between a node and a wire, or between two wires."""
PASSES = 40


class AlignedColumn:
    """Items in a vertical line; `offsets` are the distances of their left edges from `x`."""

    __slots__ = ("left", "links", "offsets", "right", "x")

    def __init__(self) -> None:
        self.offsets: list[tuple[LayerItem, float]] = []
        self.x = 0.0
        self.left: list[tuple[AlignedColumn, float]] = []
        """The columns to its left, each with the least distance of the two `x`."""
        self.right: list[tuple[AlignedColumn, float]] = []
        self.links: list[tuple[AlignedColumn, float, float]] = []
        """The connected columns, each with the distance of the two `x` for a straight wire, and the wire's weight."""


def assign_x(layers: Layers) -> list[float]:
    """Return the left edge of each item, by its number."""
    below = _align_items(layers)
    columns, place = _make_columns(layers, below)
    _connect_columns(layers, columns, place)
    _move_columns(columns)
    edges = [0.0] * len(layers.items)
    for column in columns:
        for item, offset in column.offsets:
            edges[item.number] = column.x + offset
    least = min(edges, default=0.0)
    return [x - least for x in edges]


def _align_items(layers: Layers) -> dict[int, WireSegment]:
    """Return for each item the segment to the next item of its column. Important segments are chosen first, and none crosses another."""
    down, up = _measure_paths(layers)
    shared: set[Port] = {item.source for item in layers.items if item.source is not None and len(item.lower) > 1}
    candidates: list[tuple[tuple[float, ...], WireSegment]] = []
    for layer in layers.layers:
        for item in layer:
            for segment in item.lower:
                if _may_be_straight(segment, shared):
                    # the longest path through the network comes first, so its trunk is a straight column
                    length = up[segment.upper.number] + down[segment.lower.number]
                    candidates.append(
                        ((-_weigh_segment(segment), -length, segment.upper.layer, segment.upper.order, segment.lower.order), segment)
                    )
    below: dict[int, WireSegment] = {}
    above: set[int] = set()
    between: dict[int, list[tuple[int, int]]] = {}
    for _, segment in sorted(candidates, key=lambda pair: pair[0]):
        upper, lower = segment.upper, segment.lower
        others = between.setdefault(upper.layer, [])
        if upper.number in below or lower.number in above:
            continue
        # if two straight segments crossed, each column would be to the left of the other, and `_sort_from_left` would find no order
        if any((a - upper.order) * (b - lower.order) < 0 for a, b in others):
            continue
        others.append((upper.order, lower.order))
        below[upper.number] = segment
        above.add(lower.number)
    return below


def _measure_paths(layers: Layers) -> tuple[list[int], list[int]]:
    """Return the greatest numbers of nodes on paths down from each item, and up from it."""
    down = [0] * len(layers.items)
    up = [0] * len(layers.items)
    for layer in layers.layers:
        for item in layer:
            up[item.number] = max((up[s.upper.number] for s in item.upper), default=0) + (item.node is not None)
    for layer in reversed(layers.layers):
        for item in layer:
            down[item.number] = max((down[s.lower.number] for s in item.lower), default=0) + (item.node is not None)
    return down, up


def _weigh_segment(segment: WireSegment) -> int:
    """Return how important it is that a segment is straight."""
    # 4 between two stages, 3 within a long wire, 2 at an end of a long wire
    return (
        1 + (segment.upper.node is None) + (segment.lower.node is None) if segment.upper.node is None or segment.lower.node is None else 4
    )


def _may_be_straight(segment: WireSegment, shared: set[Port]) -> bool:
    """Whether a segment may be straight. Of three or more branches, only the one in the middle may, so that they spread around their
    origin. A segment between two nodes may too, if all others belong to wires to several nodes, which pass by."""
    below = {s.lower.number: s.lower for s in segment.upper.lower}
    above = {s.upper.number: s.upper for s in segment.lower.upper}
    if segment.upper.node is not None and segment.lower.node is not None:
        others = [item for item in above.values() if item is not segment.upper]
        if all(item.source in shared for item in others) and sum(item.node is not None for item in below.values()) == 1:
            return True
    return _is_in_middle(below, segment.lower.number) and _is_in_middle(above, segment.upper.number)


def _is_in_middle(fan: dict[int, LayerItem], number: int) -> bool:
    if len(fan) < 3:
        return True
    ranked = sorted(fan, key=lambda candidate: fan[candidate].order)
    return len(fan) % 2 == 1 and ranked[len(fan) // 2] == number


def _find_offset(segment: WireSegment) -> float:
    """Return how far the lower item is to the right of the upper one if the segment is straight, or the mean for several segments."""
    between = [s for s in segment.upper.lower if s.lower is segment.lower]
    return sum(s.start - s.end for s in between) / len(between)


def _make_columns(layers: Layers, below: dict[int, WireSegment]) -> tuple[list[AlignedColumn], dict[int, tuple[AlignedColumn, float]]]:
    columns: list[AlignedColumn] = []
    place: dict[int, tuple[AlignedColumn, float]] = {}
    for layer in layers.layers:
        for item in layer:
            if item.number in place:
                continue
            column, current, offset = AlignedColumn(), item, 0.0
            columns.append(column)
            while True:
                place[current.number] = column, offset
                column.offsets.append((current, offset))
                segment = below.get(current.number)
                if segment is None:
                    break
                offset += _find_offset(segment)
                current = segment.lower
    return columns, place


def _connect_columns(layers: Layers, columns: list[AlignedColumn], place: dict[int, tuple[AlignedColumn, float]]) -> None:
    """Record the distances between neighboring columns, and their connections."""
    for layer in layers.layers:
        for left, right in pairwise(layer):
            (column, a), (neighbor, b) = place[left.number], place[right.number]
            gap = GAP if left.node is not None and right.node is not None else WIRE_GAP
            distance = a + left.width + gap - b
            column.right.append((neighbor, distance))
            neighbor.left.append((column, distance))
        for item in layer:
            for segment in item.lower:
                (column, a), (neighbor, b) = place[item.number], place[segment.lower.number]
                if column is not neighbor:
                    straight = a + segment.start - (b + segment.end)
                    column.links.append((neighbor, -straight, _weigh_segment(segment)))
                    neighbor.links.append((column, straight, _weigh_segment(segment)))


def _move_columns(columns: list[AlignedColumn]) -> None:
    """Move the columns: first as far to the left as possible, then each to the mean of the places that its connections prefer, as far as
    its neighbors allow."""
    order = _sort_from_left(columns)
    for column in order:
        column.x = max((left.x + distance for left, distance in column.left), default=0.0)
    for turn in range(PASSES):
        # the first turn starts at the right: all columns are as far left as possible, so only the last ones have space to move
        for column in order if turn % 2 else reversed(order):
            if not column.links:
                preferred = column.x if turn else min((right.x - d for right, d in column.right), default=column.x)
            else:
                total = sum(weight for _, _, weight in column.links)
                preferred = sum((other.x + straight) * weight for other, straight, weight in column.links) / total
            least = max((left.x + distance for left, distance in column.left), default=-inf)
            most = min((right.x - distance for right, distance in column.right), default=inf)
            # a move never violates a distance, so the coordinates are valid after any number of turns
            column.x = max(least, min(most, preferred))


def _sort_from_left(columns: list[AlignedColumn]) -> list[AlignedColumn]:
    """Return the columns in an order in which each comes after the columns to its left."""
    waiting = {id(column): len({id(left) for left, _ in column.left}) for column in columns}
    ready = [column for column in columns if not waiting[id(column)]]
    order: list[AlignedColumn] = []
    while ready:
        column = ready.pop()
        order.append(column)
        # neighbors in several layers are in the list several times, and are counted once
        for right in {id(right): right for right, _ in column.right}.values():
            waiting[id(right)] -= 1
            if not waiting[id(right)]:
                ready.append(right)
    return order
