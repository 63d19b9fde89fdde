"""What a training reports while it runs.

>>> Report(step=320, epoch=1.0, results={"loss": 0.48}, learning_rate=0.003).to_entry()
{'step': 320, 'epoch': 1.0, 'lr': 0.003, 'loss': 0.48}
"""

from __future__ import annotations

from typing import Any

from netc.dsl.record import Record


class Report(Record):
    """The results of the training batches since the last report, or of a validation. `steps` is the number of all steps of the run."""

    step: int
    epoch: float
    results: dict[str, float]
    learning_rate: float
    validation: bool = False
    samples: int = 0
    steps: int = 0

    def to_entry(self) -> dict[str, Any]:
        """Return the report as an entry of `metrics.jsonl`."""
        place = {"step": self.step, "epoch": round(self.epoch, 4)}
        return place | ({"validation": self.results} if self.validation else {"lr": self.learning_rate, **self.results})
