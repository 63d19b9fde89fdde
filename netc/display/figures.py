"""Format the numbers, sizes and types of a summary.

>>> format_number(25557032), format_bytes(102228128)
('25,557,032', '102.2 MB')
"""

from __future__ import annotations

from netc.compiler.analysis.model_cost import StageCost
from netc.compiler.dims import Dim, format_dim

MAX_RESULTS = 4
"""The most results of a stage that are listed in full."""


def format_types(row: StageCost) -> str:
    """Return the types of the results. Of more than `MAX_RESULTS`, return the first ones and the number of all."""
    texts = [str(type) for type in row.results[: len(row.results) if len(row.results) <= MAX_RESULTS else MAX_RESULTS - 1]]
    return ", ".join(texts if len(texts) == len(row.results) else [*texts, f"... {len(row.results)} in all"])


def format_number(value: Dim) -> str:
    """Return a number with commas, or a formula for a symbolic one."""
    return f"{value:,}" if isinstance(value, int) else format_dim(value)


def format_bytes(count: Dim) -> str:
    """Return a number of bytes with a decimal unit: 1 kB is 1000 B."""
    if not isinstance(count, int):
        return f"{format_dim(count)} B"
    amount, units = float(count), ["TB", "GB", "MB", "kB", "B"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.4g} {units[-1]}"
