"""Draw the plots of a report as SVG: curves in the unit square, and predicted against true values.

In: points. Out: SVG elements for an HTML page. Always: texts are escaped; a plot needs no script, no font file and no network.

    >>> line = [(0.0, 0.0), (1.0, 1.0)]
    >>> svg = draw_unit_curves({"cat": line, "a < b": line}, "recall", "precision")
    >>> svg.startswith("<svg"), "a < b" in svg, "a &lt; b" in svg
    (True, False, True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ..training.curves import COLORS
from ..training.data.data_source import Array

SIZE, LEFT, BOTTOM, TOP, RIGHT = 320, 58, 40, 12, 26
"""The size of the plotting area and its margins, in pixels."""
_MAX_POINTS = 2000
"""The number of points that a scatter plot shows."""
_MAX_VERTICES = 400
"""The number of vertices that a curve keeps."""

Points = Sequence[tuple[float, float]]


def draw_unit_curves(curves: Mapping[str, Points], x_label: str, y_label: str, with_dots: bool = False) -> str:
    """Draw curves in the unit square, with its diagonal. The legend has the names, unless there is one curve."""
    parts = [_draw_line([(0, 0), (1, 1)], "#999999", 'stroke-dasharray="4 4"')]
    for index, points in enumerate(curves.values()):
        color = COLORS[index % len(COLORS)]
        parts.append(_draw_line(_thin_points(points), color, 'stroke-width="2"'))
        if with_dots:
            parts += [f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="3" fill="{color}"/>' for x, y in points]
    ticks = [0, 0.25, 0.5, 0.75, 1]
    svg = _draw_frame(parts, ticks, (0, 1), x_label, y_label)
    return svg + (_write_legend(list(curves)) if len(curves) > 1 else "")


def draw_scatter(x: Array, y: Array, x_label: str, y_label: str) -> str:
    """Draw points with the diagonal on which both numbers are equal."""
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    # all values may be equal
    span = (high - low) or 1.0
    # evenly over the samples rather than at random, so that the same data gives the same plot
    chosen = np.linspace(0, len(x) - 1, min(len(x), _MAX_POINTS)).astype(int)
    points = [((a - low) / span, (b - low) / span) for a, b in zip(x[chosen].tolist(), y[chosen].tolist(), strict=True)]
    parts = [f'<circle cx="{_x(a):.1f}" cy="{_y(b):.1f}" r="2.5" fill="{COLORS[0]}" fill-opacity="0.5"/>' for a, b in points]
    ticks = [low + span * share for share in (0, 0.25, 0.5, 0.75, 1)]
    diagonal = _draw_line([(0, 0), (1, 1)], "#999999", 'stroke-dasharray="4 4"')
    return _draw_frame([diagonal, *parts], ticks, (low, high), x_label, y_label)


def _draw_frame(parts: Sequence[str], ticks: Sequence[float], limits: tuple[float, float], x_label: str, y_label: str) -> str:
    """Draw the grid and the labels around parts. Both axes have the same ticks and limits."""
    width, height = LEFT + SIZE + RIGHT, TOP + SIZE + BOTTOM
    grid = []
    for tick in ticks:
        share = (tick - limits[0]) / ((limits[1] - limits[0]) or 1.0)
        grid.append(f'<line x1="{_x(share):.1f}" x2="{_x(share):.1f}" y1="{TOP}" y2="{TOP + SIZE}" stroke="#e8e8e8"/>')
        grid.append(f'<text x="{_x(share):.1f}" y="{TOP + SIZE + 16}" text-anchor="middle">{tick:.3g}</text>')
        grid.append(f'<line x1="{LEFT}" x2="{LEFT + SIZE}" y1="{_y(share):.1f}" y2="{_y(share):.1f}" stroke="#e8e8e8"/>')
        grid.append(f'<text x="{LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{tick:.3g}</text>')
    middle = TOP + SIZE / 2
    labels = [
        f'<text x="{LEFT + SIZE / 2}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(y_label)}</text>',
    ]
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{"".join([*grid, *parts, *labels])}</svg>'


def _x(share: float) -> float:
    return LEFT + SIZE * share


def _y(share: float) -> float:
    return TOP + SIZE * (1 - share)  # the y axis of SVG points down


def _draw_line(points: Points, color: str, style: str) -> str:
    path = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" {style}/>'


def _thin_points(points: Points) -> Points:
    """Keep some of many points, so that the page stays small; the first and the last one stay."""
    if len(points) <= _MAX_VERTICES:
        return points
    return [points[i] for i in np.linspace(0, len(points) - 1, _MAX_VERTICES).astype(int)]


def _write_legend(names: Sequence[str]) -> str:
    items = (f'<span><i style="background:{COLORS[i % len(COLORS)]}"></i>{escape(name)}</span>' for i, name in enumerate(names))
    return f'<div class="legend">{"".join(items)}</div>'
