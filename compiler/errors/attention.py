"""What attention refuses, beyond what all operators do."""

from __future__ import annotations

from typing import ClassVar

from ..ir.types import Shape, TensorType, show_shape
from .base import Location, Problem, input_


class MaskMismatch(Problem):
    """A mask that does not go with the scores it is laid over. `needed` completes "needs a mask of ..."."""

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
        return ("the last axis of a mask is that of the keys, the one before it that of the queries",)


class MaskType(Problem):
    """A mask of integers."""

    code: ClassVar[str] = "mask-type"
    operator: str
    needed: str
    mask: TensorType

    def message(self) -> str:
        return f"`{self.operator}` needs a mask of {self.needed}, found {self.mask}"

    def label(self) -> str:
        return f"this is {self.mask.dtype}"

    def help(self) -> tuple[str, ...]:
        return ("make it bool by a comparison, as in `mask > 0`",)
