"""What dense layers refuse, beyond what all operators do, and what is almost always a mistake around them."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..ir.types import TensorType, show_shape
from .base import Problem
from .operators import NeedsInteger


class DenseAfterSpatial(Problem):
    """PyTorch takes it, over the last axis alone."""

    code: ClassVar[str] = "dense-after-spatial"
    severity: ClassVar[Severity] = "warning"
    found: TensorType
    result: TensorType

    def message(self) -> str:
        return f"`dense` works on the last axis alone: {self.found} becomes {self.result}"

    def label(self) -> str:
        return "this keeps the channels and the other axes of space"

    def help(self) -> tuple[str, ...]:
        return ("put `-> flatten` before it, or `-> global_avg_pool`, to use all of the image",)


class NarrowIndices(NeedsInteger):
    """`embedding` on integers that PyTorch does not look up by."""

    def message(self) -> str:
        return f"`{self.operator}` needs int64 or int32 indices, found {self.found.dtype} {show_shape(self.found.shape)}"

    def help(self) -> tuple[str, ...]:
        return ("convert them with `-> cast int64`",)
