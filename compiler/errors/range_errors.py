"""Errors of ranges: numbers that float16 cannot hold.

`netc check --range` reports them at the stages concerned.

>>> problem = RangeOverflow("dense", 131072.0, "measured", ("layers.0.out", "layers.1.out"))
>>> problem.format_message()
'`dense` overflows float16: its largest absolute value is 1.311e+05, and float16 ends at 65504'
"""

from __future__ import annotations

from typing import ClassVar

from .problem import Problem

FLOAT16_LIMIT = 65504.0
"""The largest finite number of float16: (2 - 2**-10) * 2**15."""
_SHOWN = 3
"""The most stages that a note lists."""


class RangeOverflow(Problem):
    """A stage with numbers beyond float16. `evidence`: `proved` or `measured`. `paths` are the stages that this text made, the one with the
    largest value first. `inner`: the numbers are inside of the stage, and not its results."""

    code: ClassVar[str] = "range-overflow"
    operator: str
    largest: float
    evidence: str
    paths: tuple[str, ...]
    inner: bool = False

    def format_message(self) -> str:
        if self.largest == float("inf"):
            return f"`{self.operator}` overflows: it computes NaN or infinities from finite numbers, already in float32"
        whose = "the largest absolute value inside it" if self.inner else "its largest absolute value"
        return f"`{self.operator}` overflows float16: {whose} is {self.largest:.4g}, and float16 ends at {FLOAT16_LIMIT:.0f}"

    def format_label(self) -> str:
        return "measured on the calibration data" if self.evidence == "measured" else "proved from the weights"

    def format_notes(self) -> tuple[str, ...]:
        shown = ", ".join(f"`{path}`" for path in self.paths[:_SHOWN])
        more = len(self.paths) - _SHOWN
        return (f"at {shown}" + (f" and {more} more" if more > 0 else ""),)

    def format_help(self) -> tuple[str, ...]:
        if self.largest == float("inf"):
            return ("scale the numbers down before this stage, or convert them to float64",)
        return (
            "keep the stage in float32: `netc compile --dtype float16 --keep auto`, with the same weights and data",
            "or compile in bfloat16, which has the range of float32: `--dtype bfloat16`",
        )
