"""Errors of the attention operators."""

from __future__ import annotations

from typing import ClassVar

from ..ir.types import Shape, TensorType, show_shape
from .base import Location, Problem, input_


class MaskMismatch(Problem):
    """A mask whose shape does not broadcast to the scores. `needed` completes "needs a mask of ..."."""

    code: ClassVar[str] = "mask-mismatch"
    operator: str
    needed: str
    mask: Shape
    index: int

    def message(self) -> str:
        return f"`{self.operator}` needs a mask of {self.needed}, found {show_shape(self.mask)}"

    def marks(self) -> tuple[tuple[Location, str], ...]:
        return ((input_(self.index), f"this is {show_shape(self.mask)}"),)

    def help(self) -> tuple[str, ...]:
        return ("give the mask the queries as its axis -2 and the keys as its axis -1",)


class MaskType(Problem):
    """A mask with an integer element type."""

    code: ClassVar[str] = "mask-type"
    operator: str
    needed: str
    mask: TensorType

    def message(self) -> str:
        return f"`{self.operator}` needs a mask of {self.needed}, found {self.mask}"

    def label(self) -> str:
        return f"this is {self.mask.dtype}"

    def help(self) -> tuple[str, ...]:
        return ("convert it to bool with a comparison, as in `mask > 0`",)
