"""The curve of a training in a notebook, redrawn while it runs.

In: each `Report` of the training. Out: one picture in the cell's output, which every drawing replaces. Always: the picture is the same as
the `curves.svg` in the run folder, and the last report is drawn.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..training.training_report import Report

INTERVAL = 0.5
"""The seconds between two drawings. A notebook stores and sends every drawing, so a fast training would flood it."""


class LiveCurve:
    """Draws the reports of one training, `netc.train(model, output="run", report=LiveCurve())`."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._display: Any = None
        # draw the first report at once
        self._drawn_at = -INTERVAL
        self._drawn_entries = 0

    def __call__(self, report: Report) -> None:
        """Add a report, and draw it if the last drawing is long enough ago or the run is at its end."""
        self.entries.append(report.to_entry())
        if time.monotonic() - self._drawn_at >= INTERVAL or report.step == report.steps:
            self.draw()

    def draw(self) -> None:
        """Draw all reports so far, unless they are drawn already."""
        from IPython.display import SVG, display

        from ..training.curves import draw_curves

        if len(self.entries) == self._drawn_entries:
            return
        picture = SVG(draw_curves({"run": self.entries}))  # type: ignore[no-untyped-call]
        if self._display is None:
            # the handle replaces this drawing by later ones; another `display` would add a second picture
            self._display = display(picture, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._display.update(picture)
        self._drawn_at, self._drawn_entries = time.monotonic(), len(self.entries)
