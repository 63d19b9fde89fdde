"""Parameters and operations of one stage, for hovers. In: a checked text and a stage of it. Out: one line, empty if nothing is known."""

from __future__ import annotations

from netc.compiler.analysis.model_cost import costs_at
from netc.compiler.dims import Dim, show
from netc.compiler.elaborate.index import StageResult

from .checked_text import Checked

LONGEST = 60


def cost_at(checked: Checked, stage: StageResult | None) -> str:
    """What a stage costs in the model that is shown: a range if it is used several times with different costs."""
    program = checked.view.program
    if stage is None or program is None:
        return ""
    rows = costs_at(program, checked.tree.within(stage.span))
    parameters = _range([row.parameters for row in rows])
    flops = _range([row.flops for row in rows])
    parts = [f"{parameters} parameters"] * bool(parameters) + [f"{flops} FLOPs for one sample"] * bool(flops)
    return ", ".join(parts)


def _range(numbers: list[Dim]) -> str:
    known = [number for number in numbers if isinstance(number, int)]
    if len(known) == len(numbers):
        low, high = min(known, default=0), max(known, default=0)
        return "" if not high else f"{low:,}" if low == high else f"{low:,} to {high:,}"
    shown = list(dict.fromkeys(show(number) for number in numbers))
    return f"`{shown[0]}`" if len(shown) == 1 and len(shown[0]) <= LONGEST else ""
