"""Errors of `param` and `table`."""

from __future__ import annotations

from typing import ClassVar

from ..dims import show
from ..ir.types import DType, Shape, show_shape
from .base import Problem


class SymbolicParameterShape(Problem):
    """A parameter whose shape is symbolic."""

    code: ClassVar[str] = "symbolic-parameter"
    shape: Shape
    axis: int

    def message(self) -> str:
        symbolic = f"axis {self.axis} of {show_shape(self.shape)} is {show(self.shape[self.axis])}"
        return f"the shape of a parameter must be known at compile time, but {symbolic}"

    def label(self) -> str:
        return f"{show(self.shape[self.axis])} is known only at run time"

    def help(self) -> tuple[str, ...]:
        return ("use a fixed size: 1 for an axis along which it broadcasts, or the maximum if it is sliced later",)


class SymbolicBuffer(Problem):
    """A labelled table, which is in the state dict, whose shape is symbolic."""

    code: ClassVar[str] = "symbolic-buffer"
    shape: Shape

    def message(self) -> str:
        return f"a table with a label needs a fixed shape, found {show_shape(self.shape)}"

    def notes(self) -> tuple[str, ...]:
        return ("a labelled table is a buffer of the state dict",)

    def help(self) -> tuple[str, ...]:
        return ("remove the label, or use fixed sizes",)


class UntrainableType(Problem):
    """A trainable parameter of an integer or boolean type."""

    code: ClassVar[str] = "untrainable-type"
    dtype: DType

    def message(self) -> str:
        return f"a parameter of {self.dtype} cannot be trained: only floating-point tensors have gradients"

    def help(self) -> tuple[str, ...]:
        return ("make it a buffer with `trainable=false`, or use a floating-point type",)


class InitNeedsFloat(Problem):
    """A random initialiser for an integer parameter."""

    code: ClassVar[str] = "init-needs-float"
    init: str
    dtype: DType

    def message(self) -> str:
        return f"`{self.init}` draws floating-point values, but the parameter is {self.dtype}"


class InitUnfit(Problem):
    """0.5 or 300 for an int8, 1e6 for a float16: the element type cannot represent the value."""

    code: ClassVar[str] = "init-out-of-range"
    value: float
    dtype: DType

    def message(self) -> str:
        return f"a parameter of {self.dtype} cannot be initialised to {self.value}"

    def label(self) -> str:
        if self.dtype.is_float:
            return f"out of range for {self.dtype}"
        low, high = self.dtype.limits
        return f"{self.dtype} holds the integers from {low} to {high}"


class InitNeedsMatrix(Problem):
    """An initialiser that depends on fan-in and fan-out, for a tensor with fewer than two axes."""

    code: ClassVar[str] = "init-needs-matrix"
    init: str
    shape: Shape

    def message(self) -> str:
        return f"`{self.init}` needs at least two axes, found {show_shape(self.shape)}"


class InitNeedsPrecision(Problem):
    """An orthogonal matrix of float16: PyTorch has no decomposition for it."""

    code: ClassVar[str] = "init-needs-precision"
    init: str
    dtype: DType

    def message(self) -> str:
        return f"`{self.init}` needs float32 or float64, but the parameter is {self.dtype}"


class BadInitialiser(Problem):
    """`uniform(1, -1)`: arguments that are no distribution together."""

    code: ClassVar[str] = "bad-initialiser"
    init: str
    why: str

    def message(self) -> str:
        return f"`{self.init}` has no values to draw: {self.why}"


class IndexCount(Problem):
    """A table whose indices are not one for each axis."""

    code: ClassVar[str] = "index-count"
    indices: tuple[str, ...]
    shape: Shape

    def message(self) -> str:
        counted = "1 index" if len(self.indices) == 1 else f"{len(self.indices)} indices"
        return f"a table needs one index for each axis, found {counted} for {show_shape(self.shape)}"

    def help(self) -> tuple[str, ...]:
        missing = len(self.shape) - len(self.indices)
        if missing < 0:
            return ()
        more = [name for name in "ijklmnpqrstuvw" if name not in self.indices][:missing]
        return (f"name one for each axis, even if its size is 1: `table ({', '.join((*self.indices, *more))}) ...`",)


class FormulaTooDeep(Problem):
    """A formula of hundreds of terms."""

    code: ClassVar[str] = "formula-too-deep"
    depth: int
    most: int

    def message(self) -> str:
        return f"the formula of this table is nested {self.depth} levels deep; the limit is {self.most}"

    def help(self) -> tuple[str, ...]:
        return ("split it into several tables and add them",)


class DivisorMayBeZero(Problem):
    """`i // j` in a table of integers."""

    code: ClassVar[str] = "zero-divisor"
    op: str

    def message(self) -> str:
        return f"the divisor of `{self.op}` in this table may be zero"

    def help(self) -> tuple[str, ...]:
        return (f"indices start at 0: write `{self.op} (j + 1)` or `{self.op} max(j, 1)` for an index `j`",)
