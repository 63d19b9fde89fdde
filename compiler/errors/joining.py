"""What joining and dividing tensors refuses."""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, show
from ..ir.types import TensorType, show_shape
from .base import Problem


class SplitSum(Problem):
    """Pieces that are together more or less than the axis."""

    code: ClassVar[str] = "split-sum"
    axis: int
    sizes: tuple[Dim, ...]
    total: Dim
    found: TensorType

    def message(self) -> str:
        whole = f"axis {self.axis} of {self.found}, which is {show(self.found.shape[self.axis])}"
        return f"{show_shape(self.sizes)} are together {show(self.total)}, and cannot be the pieces of {whole}"


class UnknownCount(Problem):
    """A number of pieces that depends on the sizes of the inputs."""

    code: ClassVar[str] = "unknown-count"
    operator: str
    axis: int
    size: Dim
    found: TensorType
    suggestion: str = ""

    def message(self) -> str:
        whole = f"axis {self.axis} of {self.found}"
        return f"into how many pieces of {show(self.size)} `{self.operator}` divides {whole} is known only at run time"

    def help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class TooManyPieces(Problem):
    """More pieces than anybody could name."""

    code: ClassVar[str] = "too-many-pieces"
    operator: str
    count: int
    most: int

    def message(self) -> str:
        return f"`{self.operator}` would make {self.count} pieces, and {self.most} is the most"
