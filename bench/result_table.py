"""The results of the benchmarks: a row for each limit, and the table of all rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from bench.process import Figures, Sandbox


class Row(NamedTuple):
    """A ratio and its limit: an upper one, or a lower one if `at_least`."""

    what: str
    figures: str
    ratio: float
    limit: float
    at_least: bool = False

    @property
    def held(self) -> bool:
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


def side_by_side(sandbox: Sandbox, netc: Sequence[str], peer: Sequence[str], runs: int) -> list[tuple[Figures, Figures]]:
    """Runs netc and its peer alternately, so that both have the same load; which of them is first alternates too."""
    pairs: list[tuple[Figures, Figures]] = []
    for turn in range(runs):
        if turn % 2:
            second, first = sandbox.run(peer), sandbox.run(netc)
        else:
            first, second = sandbox.run(netc), sandbox.run(peer)
        pairs.append((first, second))
    return pairs


def middle(pairs: Sequence[tuple[Figures, Figures]], figure: Callable[[Figures, Figures], float]) -> float:
    """The median of `figure` over the pairs."""
    return median(figure(netc, peer) for netc, peer in pairs)


def show(rows: Sequence[Row]) -> str:
    """The table as text."""
    lines = [("benchmark", "figures", "ratio", "limit", "")]
    for row in rows:
        bound = f"{'at least' if row.at_least else 'at most'} {row.limit:g}"
        lines.append((row.what, row.figures, f"{row.ratio:.2f}", bound, "held" if row.held else "MISSED"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
