"""The error for models that cannot be quantized."""

from __future__ import annotations

from netc.compiler.backends.backend import WrongOutput


class CannotQuantize(WrongOutput):
    """The model, the method or the calibration data does not allow quantizing."""
