"""Errors and warnings of `dense` and `embedding`.

A dense layer on an image is valid, and almost always a mistake:

>>> import netc
>>> problem = netc.compile("input 28x28 -> dense 10").diagnostics[0]
>>> print(problem.message)
`dense` applies to the last axis only: [N, 28, 28] becomes [N, 28, 10]
>>> print(problem.help[0])
to use the whole image, insert `-> flatten` before it
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..types.tensor_types import TensorType, show_shape
from .operator_errors import NeedsInteger
from .problem import Problem, Replacement


class DenseAfterSpatial(Problem):
    """A dense layer on an image: PyTorch accepts it and applies the layer to the last axis only."""

    code: ClassVar[str] = "dense-after-spatial"
    severity: ClassVar[Severity] = "warning"
    found: TensorType
    result: TensorType

    def format_message(self) -> str:
        return f"`dense` applies to the last axis only: {self.found} becomes {self.result}"

    def format_label(self) -> str:
        return "the channel axis and the other spatial axes are kept" if self.found.rank > 3 else "the other axes are kept"

    def format_help(self) -> tuple[str, ...]:
        pool = " or `-> global_avg_pool`" if self.found.rank > 3 else ""
        return (f"to use the whole image, insert `-> flatten`{pool} before it",)

    def make_replacement(self) -> Replacement | None:
        return Replacement("flatten -> ", before=True)


class NarrowIndices(NeedsInteger):
    """`embedding` with an integer type that PyTorch does not accept as indices."""

    def format_message(self) -> str:
        return f"`{self.operator}` needs int64 or int32 indices, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert them with `-> cast int64`",)
