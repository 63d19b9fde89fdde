"""Draw the curves of runs: one panel for the loss and one for each metric, with all runs in each.

In: the entries of `metrics.jsonl` by run. Out: an SVG text. Always: it needs no script, no font file and no network, and texts are escaped.
A panel whose positive values span more than a factor of 30 is logarithmic. Values that are not finite are gaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from netc.compiler.ir.training_program import LOSS
from netc.dsl.record import Record

from ..drawing.metrics import label_text, measure_width, truncate_text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 260, 64, 16, 34, 40
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
"""The colors of Okabe and Ito, which people with color blindness can distinguish: https://jfly.uni-koeln.de/color/"""
DASHES = ("", "7 3", "2 3", "9 3 2 3")
"""The dash patterns of the first, second, ... round through the colors."""
SIZE, LINE = 12, 18
"""The size of the font, and the distance between two lines of the legend."""
LOGARITHMIC = 30
NOT_RESULTS = ("step", "epoch", "lr", "validation")


class LineStyle(Record):
    """The color of a run, and the dashes of its lines."""

    color: str
    dashes: str

    def __str__(self) -> str:
        """As attributes of a line."""
        return f'stroke="{self.color}"' + (f' stroke-dasharray="{self.dashes}"' if self.dashes else "")


class Curve(Record):
    """The points (step, value) of one run. Lines of `validation` are thick with dots, lines of training thin."""

    run: str
    style: LineStyle
    validation: bool
    points: tuple[tuple[float, float], ...]


def draw_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Draw runs, by their names."""
    panels = [(name, curves) for name in _list_results(runs.values()) if (curves := _make_curves(name, runs))]
    entries = _draw_legend(list(runs)) if len(runs) > 1 else []
    legend = 6 + LINE * len(entries) if entries else 0
    height = HEIGHT * max(1, len(panels)) + legend
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="{SIZE}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *(part for line in entries for part in line),
    ]
    for index, (name, curves) in enumerate(panels):
        parts += _draw_panel(name, curves, legend + index * HEIGHT)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _list_results(runs: Iterable[Sequence[Mapping[str, Any]]]) -> list[str]:
    """List the names of all results, the loss first."""
    names = {LOSS: None}
    for entries in runs:
        for entry in entries:
            names |= dict.fromkeys(n for n in (*entry, *entry.get("validation", ())) if n not in NOT_RESULTS)
    return list(names)


def _make_curves(name: str, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Curve]:
    curves = []
    for index, (run, entries) in enumerate(runs.items()):
        for validation in (False, True):
            candidates = ((e["step"], e.get("validation", {}) if validation else e) for e in entries)
            values = ((step, math.nan if results[name] is None else results[name]) for step, results in candidates if name in results)
            points = tuple((float(step), float(value)) for step, value in values if isinstance(value, (int, float)))
            if points:
                curves.append(Curve(run, _choose_style(index), validation, points))
    return curves


def _draw_panel(name: str, curves: list[Curve], top: int) -> list[str]:
    values = [v for c in curves for _, v in c.points if math.isfinite(v)]
    steps = [s for c in curves for s, _ in c.points]
    if not values:
        return []
    logarithmic = min(values) > 0 and max(values) > LOGARITHMIC * min(values)
    ticks = find_log_ticks(min(values), max(values)) if logarithmic else find_ticks(min(values), max(values), 5)
    low, high = min(*values, *ticks), max(*values, *ticks)
    step_ticks = find_ticks(0, max(steps), 6)
    right = max(*steps, 1.0)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / right

    def y(value: float) -> float:
        share = math.log(value / low) / math.log(high / low) if logarithmic else (value - low) / ((high - low) or 1)
        return top + TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)

    bottom = top + HEIGHT - BOTTOM
    parts = [f'<text x="{LEFT}" y="{top + 20}" font-size="14" font-weight="600">{escape(name)}</text>']
    for tick in ticks:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" fill="#555555">{tick:.4g}</text>')
    parts += [
        f'<text x="{x(tick):.1f}" y="{bottom + 18}" text-anchor="middle" fill="#555555">{tick:,.0f}</text>'
        for tick in step_ticks
        if tick <= right
    ]
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{bottom + 34}" text-anchor="end" fill="#555555">step</text>')
    # SVG draws later elements on top, so validation comes last
    for curve in sorted(curves, key=lambda c: c.validation):
        parts += _draw_curve(curve, x, y)
    if any(c.validation for c in curves):
        parts.append(
            f'<text x="{WIDTH - RIGHT}" y="{top + 20}" text-anchor="end" fill="#555555">thin: training, with dots: validation</text>'
        )
    return parts


def _draw_curve(curve: Curve, x: Any, y: Any) -> list[str]:
    """Draw a curve, with a gap where a value is not finite."""
    pieces: list[list[str]] = [[]]
    for step, value in curve.points:
        if math.isfinite(value):
            pieces[-1].append(f"{x(step):.1f},{y(value):.1f}")
        elif pieces[-1]:
            pieces.append([])
    style = 'stroke-width="2"' if curve.validation else 'stroke-width="1" stroke-opacity="0.6"'
    elements = [f'<polyline points="{" ".join(p)}" fill="none" {curve.style} {style}/>' for p in pieces if len(p) > 1]
    if curve.validation:
        for point in (point for piece in pieces for point in piece):
            px, py = point.split(",")
            elements.append(f'<circle cx="{px}" cy="{py}" r="2.5" fill="{curve.style.color}"/>')
    return elements


def _choose_style(index: int) -> LineStyle:
    return LineStyle(COLORS[index % len(COLORS)], DASHES[index // len(COLORS) % len(DASHES)])


def _draw_legend(runs: list[str]) -> list[list[str]]:
    """Draw the legend: the names of the runs, each with its line style. Return the elements of each line."""
    lines: list[list[str]] = []
    position: float = WIDTH
    for index, run in enumerate(runs):
        label = truncate_text(label_text(run), SIZE, WIDTH - LEFT - RIGHT - 40)
        entry_width = 56 + measure_width(label, SIZE)
        if position + entry_width > WIDTH:
            lines.append([])
            position = LEFT
        y = 12 + LINE * (len(lines) - 1)
        lines[-1].append(f'<line x1="{position:.0f}" x2="{position + 28:.0f}" y1="{y}" y2="{y}" {_choose_style(index)} stroke-width="3"/>')
        lines[-1].append(f'<text x="{position + 34:.0f}" y="{y + 4}">{escape(label)}</text>')
        position += entry_width
    return lines


def find_ticks(low: float, high: float, count: int) -> list[float]:
    """Find about `count` round numbers that cover a range.

    >>> find_ticks(0.0, 10.0, 5)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.floor(low / step)
    # products, because the rounding errors of sums would add up
    return [i * step for i in range(first, math.ceil(high / step) + 1)]


def find_log_ticks(low: float, high: float) -> list[float]:
    """Find the powers of ten that cover a range."""
    return [10.0**p for p in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
