"""Write the reports of a run for TensorBoard, into the folder `tensorboard` of the run.

In: reports. Out: event files. Always: nothing is written before the first report.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .training_report import Report


class TensorBoardWriter:
    """Writes each report that it is called with. The constructor raises `ImportError` if TensorBoard is not installed."""

    def __init__(self, folder: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._make: Any = SummaryWriter
        self._folder = os.path.join(folder, "tensorboard")
        self._writer: Any = None

    def __call__(self, report: Report) -> None:
        if self._writer is None:  # a resumed run reports again what came after its checkpoint
            self._writer = self._make(self._folder, purge_step=report.step)
        for name, value in report.results.items():
            self._writer.add_scalar(f"{name}/{'validation' if report.validation else 'training'}", value, report.step)
        if not report.validation:
            self._writer.add_scalar("learning rate", report.learning_rate, report.step)

    def close(self) -> None:
        """Flush and close the event file."""
        if self._writer is not None:
            self._writer.close()
