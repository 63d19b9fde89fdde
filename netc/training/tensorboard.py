"""The reports of a run for TensorBoard, in the folder `tensorboard` of the run.

In: reports. Out: event files. Always: nothing is written before the first report.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import Report


class TensorBoardWriter:
    """Called with each report. Raises `ImportError` when it is made, if TensorBoard is not installed."""

    def __init__(self, folder: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._make: Any = SummaryWriter
        self._folder = os.path.join(folder, "tensorboard")
        self._writer: Any = None

    def __call__(self, report: Report) -> None:
        if self._writer is None:  # of a resumed run, what came after its checkpoint is made again
            self._writer = self._make(self._folder, purge_step=report.step)
        for name, value in report.results.items():
            self._writer.add_scalar(f"{name}/{'validation' if report.validation else 'training'}", value, report.step)
        if not report.validation:
            self._writer.add_scalar("learning rate", report.learning_rate, report.step)

    def close(self) -> None:
        """Writes what is not written yet."""
        if self._writer is not None:
            self._writer.close()
