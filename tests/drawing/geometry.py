"""What is wrong with the geometry of a drawing, as sentences: the tests want none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from netc.drawing.drawing import Curve, Drawing, PlacedBox, Text
from netc.drawing.metrics import measure_width

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
TOLERANCE = 0.6


def problems(drawing: Drawing) -> list[str]:
    """All of them."""
    return [*_level(drawing, (0.0, 0.0, drawing.width, drawing.height))]


def _level(drawing: Drawing, room: Box) -> Iterator[str]:
    areas = [(placed, _with_tags(placed)) for placed in drawing.boxes]
    for placed, area in areas:
        if not _within(area, room):
            yield f"{placed.box.title} is cut: {area} in {room}"
        yield from _texts(placed)
    for (one, a), (other, b) in combinations(areas, 2):
        if _overlap(a, b):
            yield f"{one.box.title} overlaps {other.box.title}: {a} {b}"
    for curve in drawing.curves:
        for x, y in _points(curve):
            if not _within((x, y, x, y), room):
                yield f"a wire leaves the picture at {x}, {y}"
            for placed, area in areas:
                if _inside((x, y), area):
                    yield f"a wire passes through {placed.box.title} at {x}, {y}"
    for placed in drawing.boxes:
        if placed.inside is not None:
            yield from _level(placed.inside, (placed.x, placed.y + 24, placed.x + placed.width, placed.y + placed.height))
            yield from _exits(placed, placed.inside)


def _exits(placed: PlacedBox, inside: Drawing) -> Iterator[str]:
    """The values that go out of a frame are next to each other as they are inside."""
    ports = [one.x + one.width / 2 for one in inside.boxes if one.box.shape == "port" and not one.box.tags]
    shown = [(tag.x, ports[exit]) for tag, exit in zip(placed.tags, placed.box.exits, strict=False)]
    if [end for _, end in sorted(shown)] != sorted(end for _, end in shown):
        yield f"the results of {placed.box.title} are in another order than inside: {shown}"


def _texts(placed: PlacedBox) -> Iterator[str]:
    box = (placed.x, placed.y, placed.x + placed.width, placed.y + placed.height)
    areas = [_text(text) for text in placed.texts]
    for text, area in zip(placed.texts, areas, strict=True):
        if not _within(area, box):
            yield f"the text {text.text!r} is not in its box: {area} {box}"
    for a, b in combinations([*areas, *map(_text, placed.tags)], 2):
        if _overlap(a, b):
            yield f"two texts overlap in {placed.box.title}: {a} {b}"


def _text(text: Text) -> Box:
    wide = measure_width(text.text, text.size, text.style == "title")
    left = text.x - wide / 2 if text.centered else text.x
    return left, text.y - 0.8 * text.size, left + wide, text.y + 0.2 * text.size


def _with_tags(placed: PlacedBox) -> Box:
    tags = [_text(tag) for tag in placed.tags]
    return (
        min(placed.x, *(t[0] for t in tags), placed.x),
        placed.y,
        max(placed.x + placed.width, *(t[2] for t in tags), placed.x),
        max(placed.y + placed.height, *(t[3] for t in tags), placed.y),
    )


def _points(curve: Curve, steps: int = 12) -> Iterator[tuple[float, float]]:
    points = curve.points
    for at in range(0, len(points) - 1, 3):
        a, b, c, d = points[at : at + 4]
        for step in range(steps + 1):
            t = step / steps
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            yield (
                sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
                sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
            )


def _within(a: Box, b: Box) -> bool:
    return a[0] >= b[0] - TOLERANCE and a[1] >= b[1] - TOLERANCE and a[2] <= b[2] + TOLERANCE and a[3] <= b[3] + TOLERANCE


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] - TOLERANCE and b[0] < a[2] - TOLERANCE and a[1] < b[3] - TOLERANCE and b[1] < a[3] - TOLERANCE


def _inside(point: tuple[float, float], area: Box) -> bool:
    x, y = point
    return area[0] + TOLERANCE < x < area[2] - TOLERANCE and area[1] + TOLERANCE < y < area[3] - TOLERANCE
