"""Errors and warnings of losses."""

from __future__ import annotations

from ..ir.types import show_shape
from .operators import NeedsInteger


class LabelType(NeedsInteger):
    """Labels of `cross_entropy` and its like that are no int64 numbers."""

    def message(self) -> str:
        return f"`{self.operator}` needs int64 class numbers, found {self.found.dtype} {show_shape(self.found.shape)}"

    def help(self) -> tuple[str, ...]:
        declared = "if these are class numbers, declare them as integers: `input [...] int64`"
        return (declared if self.found.dtype.is_float else "convert them with `-> cast int64`",)
