"""Errors of Fourier transforms."""

from __future__ import annotations

from ..types.tensor_types import show_shape
from .operator_errors import NeedsFloat


class NeedsFullFloat(NeedsFloat):
    """A Fourier transform of a half type, or complex numbers that are integers."""

    def format_message(self) -> str:
        return f"`{self.operator}` needs float32 or float64, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert it with `-> cast float32`",)
