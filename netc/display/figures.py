"""Numbers, sizes and types of a summary as words."""

from __future__ import annotations

from netc.compiler.analysis.model_cost import StageCost
from netc.compiler.dims import Dim, format_dim

MAX_RESULTS = 4
"""The first results of a stage with more results than that are shown."""


def format_types(row: StageCost) -> str:
    """The types of the results; for more than `MAX_RESULTS`, the first ones and the number of all."""
    shown = [str(type) for type in row.results[: len(row.results) if len(row.results) <= MAX_RESULTS else MAX_RESULTS - 1]]
    return ", ".join(shown if len(shown) == len(row.results) else [*shown, f"... {len(row.results)} in all"])


def format_number(value: Dim) -> str:
    """A number with commas, or the formula that it is."""
    return f"{value:,}" if isinstance(value, int) else format_dim(value)


def format_bytes(count: Dim) -> str:
    """A number of bytes with a decimal unit."""
    if not isinstance(count, int):
        return f"{format_dim(count)} B"
    amount, units = float(count), ["TB", "GB", "MB", "kB", "B"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.4g} {units[-1]}"
