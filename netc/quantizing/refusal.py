"""What cannot be quantised."""

from __future__ import annotations

from netc.compiler.backends.backend import WrongOutput


class CannotQuantise(WrongOutput):
    """A model, a method or data for calibration with which nothing can be quantised."""
