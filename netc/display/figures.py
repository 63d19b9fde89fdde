"""Numbers, sizes and types of a summary as words."""

from __future__ import annotations

from netc.compiler.analysis.model_cost import StageCost
from netc.compiler.dims import Dim, format_dim

MANY = 4
"""The first results of a stage with more results than that are shown."""


def type_words(row: StageCost) -> str:
    """The types of the results; for more than `MANY`, the first ones and the number of all."""
    shown = [str(type) for type in row.results[: len(row.results) if len(row.results) <= MANY else MANY - 1]]
    return ", ".join(shown if len(shown) == len(row.results) else [*shown, f"... {len(row.results)} in all"])


def number(value: Dim) -> str:
    """A number with commas, or the formula that it is."""
    return f"{value:,}" if isinstance(value, int) else format_dim(value)


def size(count: Dim) -> str:
    """A number of bytes with a decimal unit."""
    if not isinstance(count, int):
        return f"{format_dim(count)} B"
    amount, units = float(count), ["TB", "GB", "MB", "kB", "B"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.4g} {units[-1]}"
