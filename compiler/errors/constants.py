"""What `param` and `table` refuse."""

from __future__ import annotations

from typing import ClassVar

from ..dims import show
from ..ir.types import DType, Shape, show_shape
from .base import Problem


class SymbolicParameterShape(Problem):
    """A learned tensor whose size is known only at run time."""

    code: ClassVar[str] = "symbolic-parameter"
    shape: Shape
    axis: int

    def message(self) -> str:
        return f"the shape of a parameter must be known, but axis {self.axis} of {show_shape(self.shape)} is {show(self.shape[self.axis])}"

    def label(self) -> str:
        return f"{show(self.shape[self.axis])} is known only at run time"

    def help(self) -> tuple[str, ...]:
        return ("give it a number: 1 where it is the same along an axis (it broadcasts), the greatest size where it is sliced later",)


class SymbolicBuffer(Problem):
    """A table that would be in the state dict, but depends on the sizes of the inputs."""

    code: ClassVar[str] = "symbolic-buffer"
    shape: Shape

    def message(self) -> str:
        return f"a labelled table is part of the state dict, and this one, {show_shape(self.shape)}, is known only at run time"

    def help(self) -> tuple[str, ...]:
        return ("leave out its label, or give it sizes that are numbers",)


class UntrainableType(Problem):
    """A learned parameter of integers."""

    code: ClassVar[str] = "untrainable-type"
    dtype: DType

    def message(self) -> str:
        return f"a parameter of {self.dtype} cannot be learned: only floating-point numbers have gradients"

    def help(self) -> tuple[str, ...]:
        return ("make it a buffer with `trainable=false`, or a float",)


class InitNeedsFloat(Problem):
    """Random integers."""

    code: ClassVar[str] = "init-needs-float"
    init: str
    dtype: DType

    def message(self) -> str:
        return f"`init={self.init}` draws real numbers, and the parameter is {self.dtype}"


class InitUnfit(Problem):
    """0.5 or 300 for an int8, 1e6 for a float16."""

    code: ClassVar[str] = "init-unfit"
    value: float
    dtype: DType

    def message(self) -> str:
        return f"a parameter of {self.dtype} cannot be {self.value}"

    def label(self) -> str:
        if self.dtype.is_float:
            return "too large"
        low, high = self.dtype.limits
        return f"{self.dtype} holds integers from {low} to {high}"


class InitNeedsMatrix(Problem):
    """Fans of a vector."""

    code: ClassVar[str] = "init-needs-matrix"
    init: str
    shape: Shape

    def message(self) -> str:
        return f"`init={self.init}` needs at least two axes, found {show_shape(self.shape)}"


class IndexCount(Problem):
    """A table whose indices are not one for each axis."""

    code: ClassVar[str] = "index-count"
    indices: tuple[str, ...]
    shape: Shape

    def message(self) -> str:
        counted = "1 index" if len(self.indices) == 1 else f"{len(self.indices)} indices"
        return f"a table needs one index for each axis, found {counted} for {show_shape(self.shape)}"


class FormulaTooDeep(Problem):
    """A formula of hundreds of terms."""

    code: ClassVar[str] = "formula-too-deep"
    depth: int
    most: int

    def message(self) -> str:
        return f"the formula of this table is nested {self.depth} deep, and {self.most} is the most"

    def help(self) -> tuple[str, ...]:
        return ("add several tables instead",)


class DivisorMayBeZero(Problem):
    """`i // j` in a table of integers."""

    code: ClassVar[str] = "zero-divisor"
    op: str

    def message(self) -> str:
        return f"the right side of `{self.op}` in this table may be zero"

    def help(self) -> tuple[str, ...]:
        return (f"indices count from 0: write `{self.op} (j + 1)` or `{self.op} max(j, 1)` for an index `j`",)
