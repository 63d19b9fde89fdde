"""What makes wires easy to follow: few cross, and the wires of a row of stages are straight."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import netc
from netc.drawing.drawing import draw_level
from netc.drawing.layout import LayoutNode, LayoutWire, arrange_level
from netc.drawing.picture import Box, Level, Wire
from netc.drawing.picture_levels import make_picture

SPECS = Path(__file__).parents[2] / "specs"


def test_a_row_is_straight_also_where_all_of_it_is_given_the_same() -> None:
    """Three values go to each of six stages in a row."""
    given = [LayoutNode(40, 20, (20,), first=True) for _ in range(3)]
    row = [LayoutNode(100, 40, (50,)) for _ in range(6)]
    wires = [LayoutWire(source, 0, 3 + at) for at in range(6) for source in range(3)]
    wires += [LayoutWire(2 + at, 0, 3 + at) for at in range(1, 6)]
    place = arrange_level([*given, *row], wires)
    assert len({x for x, _ in place.corners[3:]}) == 1


def test_no_wires_cross_in_the_layers_of_t5() -> None:
    made = make_picture(netc.compile_file(SPECS / "text/t5.net", model="t5_small").program)
    layers = [page for page in made.pages if ".layer." in page.title]
    assert len(layers) > 5
    assert [page.title for page in layers if _crossings(page.level)] == []


def test_a_box_has_room_for_all_arrows() -> None:
    """Arrows are 8 wide."""
    inputs = [Box("input", f"x{number}", tags=("[N]",)) for number in range(24)]
    level = Level((*inputs, Box("stage", "+", tags=("[N]",))), tuple(Wire(number, 0, 24) for number in range(24)))
    ends = sorted(curve.points[-1][0] for curve in draw_level(level).curves)
    assert min(right - left for left, right in pairwise(ends)) > 8


def _crossings(level: Level) -> int:
    """The pairs of wires of which one begins to the left of the other and ends to its right, between the same two heights."""
    curves = [curve.points for curve in draw_level(level).curves]
    pieces = {(points[at], points[at + 3]) for points in curves for at in range(0, len(points) - 1, 3)}
    crossed = [
        (a, b) for a in pieces for b in pieces if a[0][1] == b[0][1] and a[1][1] == b[1][1] and a[0][0] < b[0][0] and a[1][0] > b[1][0]
    ]
    return len(crossed)
