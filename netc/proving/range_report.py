"""The ranges of a model's stages, and their text.

>>> safe = StageRange("fc", "dense", 12.5)
>>> print(RangeReport((safe, StageRange("fc2", "dense", math.inf, measured=90000.0)), samples=4))
stage  operator  largest
fc     dense       <=12.5
fc2    dense        9e+04  measured, beyond float16
1 of 2 stages bounded, 1 measured on 4 samples
"""

from __future__ import annotations

import math
from typing import Literal

from netc.compiler.errors.range_errors import FLOAT16_LIMIT
from netc.dsl.record import Record

from ..display.text_table import align_columns

Evidence = Literal["bounded", "measured", "unknown"]


class StageRange(Record):
    """The largest absolute values of a stage.

    `bound` holds for all finite inputs, and is infinite if there is none. `reached`: a result or a parameter certainly has this value.
    `measured` is the largest value on the calibration data; None without data. `inner_bound` and `inner_measured` are the same for numbers
    inside of the stage, such as the scores of attention.
    """

    path: str
    operator: str
    bound: float
    reached: float = 0.0
    measured: float | None = None
    inner_bound: float = 0.0
    inner_measured: float | None = None

    @property
    def evidence(self) -> Evidence:
        """How the largest value is known."""
        if math.isfinite(self.bound):
            return "bounded"
        return "unknown" if self.measured is None else "measured"

    @property
    def largest(self) -> float:
        """The bound; without one, the measured value; without data, infinity."""
        return self.measured if self.evidence == "measured" and self.measured is not None else self.bound

    @property
    def is_safe(self) -> bool:
        """Whether no number of the stage passes float16, for all finite inputs."""
        return max(self.bound, self.reached, self.inner_bound) <= FLOAT16_LIMIT

    @property
    def result_overflows(self) -> bool:
        """Whether a result certainly passes float16, or does so on the data."""
        return max(self.reached, self.measured or 0.0) > FLOAT16_LIMIT

    @property
    def overflows(self) -> bool:
        """Whether any number certainly passes float16, or does so on the data."""
        return self.result_overflows or (self.inner_measured or 0.0) > FLOAT16_LIMIT

    @property
    def may_overflow(self) -> bool:
        """Whether there is neither a proof nor a measurement that the stage fits float16."""
        return not self.is_safe and not self.overflows and self.measured is None


class RangeReport(Record):
    """The ranges of all stages, in the order of computation. `samples` is the number of samples of the calibration data, 0 without data.
    `kept` has the paths of the stages that a float16 model needs in float32, for `Model.keep_in_float32`. `limit` is the condition of the
    bounds, if there is one. `str()` is a table."""

    stages: tuple[StageRange, ...]
    samples: int = 0
    kept: tuple[str, ...] = ()
    limit: str = ""

    @property
    def overflowing(self) -> tuple[StageRange, ...]:
        """The stages that pass float16."""
        return tuple(stage for stage in self.stages if stage.overflows)

    def count(self, evidence: Evidence) -> int:
        """Count the stages whose range is known in this way."""
        return sum(stage.evidence == evidence for stage in self.stages)

    def summarize(self) -> str:
        """Return a sentence: how many stages are bounded, measured or unknown."""
        measured, unknown = self.count("measured"), self.count("unknown")
        plural = "" if self.samples == 1 else "s"
        parts = [f"{self.count('bounded')} of {len(self.stages)} stages bounded"]
        parts += [f"{measured} measured on {self.samples} sample{plural}"] if measured else []
        parts += [f"{unknown} of unknown range"] if unknown else []
        return ", ".join(parts)

    def __str__(self) -> str:
        rows = [(s.path, s.operator, _format_largest(s), _describe(s)) for s in self.stages]
        return "\n".join([*align_columns(("stage", "operator", "largest", ""), rows, (False, False, True, False)), self.summarize()])


def _format_largest(stage: StageRange) -> str:
    match stage.evidence:
        case "bounded":
            return f"<={stage.bound:.4g}"
        case "measured":
            return f"{stage.largest:.4g}"
    return "?"


def _describe(stage: StageRange) -> str:
    """Return the remarks on a stage: how its range is known, if not by a bound, and whether float16 holds it."""
    remarks: list[str] = [] if stage.evidence == "bounded" else [stage.evidence]
    if stage.overflows:
        remarks.append("beyond float16")
    elif stage.may_overflow and stage.evidence == "bounded":
        remarks.append("may pass float16")
    if stage.evidence == "bounded" and stage.measured is not None and stage.bound > FLOAT16_LIMIT:
        remarks.insert(0, f"measured {stage.measured:.4g}")
    return ", ".join(remarks)
