"""Errors of Fourier transforms.

>>> import netc
>>> netc.compile("input 8 float16 -> rfft")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[needs-float]: `rfft` needs float32 or float64, found float16 [N, 8]
 --> <text>:1:20
  |
1 | input 8 float16 -> rfft
  | ---------------    ^^^^
  | |
  | this is float16
  |
  = help: convert it with `-> cast float32`
...
"""

from __future__ import annotations

from ..types.tensor_types import show_shape
from .operator_errors import NeedsFloat


class NeedsFullFloat(NeedsFloat):
    """A Fourier transform of a half type, or complex numbers that are integers."""

    def format_message(self) -> str:
        return f"`{self.operator}` needs float32 or float64, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert it with `-> cast float32`",)
