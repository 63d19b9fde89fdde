"""Errors of `param` and `table`: their shapes, element types, initial values and formulas.

>>> import netc
>>> netc.compile("input 3 -> dense 4 init=uniform(1, -1)")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[bad-initializer]: `uniform` has no values to draw: its lower end `a` is not below its upper end `b`
 --> <text>:1:25
  |
1 | input 3 -> dense 4 init=uniform(1, -1)
  |                         ^^^^^^^^^^^^^^
...
"""

from __future__ import annotations

import math
from typing import ClassVar

from ..dims import format_dim
from ..types.tensor_types import DType, Shape, TensorType, show_shape
from .problem import Problem, Replacement


class SymbolicParameterShape(Problem):
    """A parameter whose shape is symbolic."""

    code: ClassVar[str] = "symbolic-parameter"
    shape: Shape
    axis: int

    def format_message(self) -> str:
        symbolic = f"axis {self.axis} of {show_shape(self.shape)} is {format_dim(self.shape[self.axis])}"
        return f"the shape of a parameter must be known at compile time, but {symbolic}"

    def format_label(self) -> str:
        return f"{format_dim(self.shape[self.axis])} is known only at run time"

    def format_help(self) -> tuple[str, ...]:
        return ("use a fixed size: 1 for an axis along which it broadcasts, or the maximum if it is sliced later",)


class SymbolicBuffer(Problem):
    """A labeled table, which is in the state dict, whose shape is symbolic."""

    code: ClassVar[str] = "symbolic-buffer"
    shape: Shape

    def format_message(self) -> str:
        return f"a table with a label needs a fixed shape, found {show_shape(self.shape)}"

    def format_notes(self) -> tuple[str, ...]:
        return ("a labeled table is a buffer of the state dict",)

    def format_help(self) -> tuple[str, ...]:
        return ("remove the label, or use fixed sizes",)


class UntrainableType(Problem):
    """A trainable parameter of an integer or boolean type."""

    code: ClassVar[str] = "untrainable-type"
    dtype: DType

    def format_message(self) -> str:
        return f"a parameter of {self.dtype} cannot be trained: only floating-point tensors have gradients"

    def format_help(self) -> tuple[str, ...]:
        return ("make it a buffer with `trainable=false`, or use a floating-point type",)


class InitNeedsFloat(Problem):
    """A random initializer for an integer parameter."""

    code: ClassVar[str] = "init-needs-float"
    init: str
    dtype: DType

    def format_message(self) -> str:
        return f"`{self.init}` draws floating-point values, but the parameter is {self.dtype}"


class InitUnfit(Problem):
    """A value that the element type cannot represent: 0.5 or 300 for int8, 1e6 for float16."""

    code: ClassVar[str] = "init-out-of-range"
    value: float
    dtype: DType

    def format_message(self) -> str:
        return f"a parameter of {self.dtype} cannot be initialized to {self.value}"

    def format_label(self) -> str:
        if self.dtype.is_float:
            return f"out of range for {self.dtype}"
        low, high = self.dtype.limits
        return f"{self.dtype} holds the integers from {low} to {high}"


class InitNeedsMatrix(Problem):
    """An initializer that depends on fan-in and fan-out, for a tensor with fewer than two axes."""

    code: ClassVar[str] = "init-needs-matrix"
    init: str
    shape: Shape

    def format_message(self) -> str:
        return f"`{self.init}` needs at least two axes, found {show_shape(self.shape)}"


class InitNeedsPrecision(Problem):
    """An orthogonal matrix of float16: PyTorch has no decomposition for it."""

    code: ClassVar[str] = "init-needs-precision"
    init: str
    dtype: DType

    def format_message(self) -> str:
        return f"`{self.init}` needs float32 or float64, but the parameter is {self.dtype}"


class BadInitializer(Problem):
    """`uniform(1, -1)`: arguments that do not make a distribution."""

    code: ClassVar[str] = "bad-initializer"
    init: str
    why: str

    def format_message(self) -> str:
        return f"`{self.init}` has no values to draw: {self.why}"


class IndexCount(Problem):
    """A table with another number of indices than axes."""

    code: ClassVar[str] = "index-count"
    indices: tuple[str, ...]
    shape: Shape

    def format_message(self) -> str:
        counted = "1 index" if len(self.indices) == 1 else f"{len(self.indices)} indices"
        return f"a table needs one index for each axis, found {counted} for {show_shape(self.shape)}"

    def format_help(self) -> tuple[str, ...]:
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

    def format_message(self) -> str:
        return f"the formula of this table is nested {self.depth} levels deep; the limit is {self.most}"

    def format_help(self) -> tuple[str, ...]:
        return ("split it into several tables and add them",)


class UnevenList(Problem):
    """`[[1, 2], [3]][i][j]`: an index would have different bounds in different rows."""

    code: ClassVar[str] = "uneven-list"

    def format_message(self) -> str:
        return "a list in the formula of a table needs lists of equal length at each level, and numbers at the last one"


class ItemIndexCount(Problem):
    """Too few or too many indices: `[[1, 2], [3, 4]][i]`, which is a list, or `[1, 2][i][j]`."""

    code: ClassVar[str] = "item-index-count"
    given: int
    sizes: tuple[int, ...]

    def format_message(self) -> str:
        counted = "1 index" if self.given == 1 else f"{self.given} indices"
        levels = "1 level" if len(self.sizes) == 1 else f"{len(self.sizes)} levels"
        return f"a number in a list with {levels} needs an index for each, found {counted}"

    def format_help(self) -> tuple[str, ...]:
        indices = "".join(f"[{name}]" for name in "ijklmnpqrstuvw"[: len(self.sizes)])
        return (f"give an index for each axis of the list after it, as in `{indices}`",)


class ListTooLong(Problem):
    """A list of a million numbers in a text."""

    code: ClassVar[str] = "list-too-long"
    items: int
    most: int

    def format_message(self) -> str:
        return f"a list in the formula of a table has {self.items} numbers; the limit is {self.most}"


class RealItemIndex(Problem):
    """An index that is not an integer: `[1, 2][i / 2]`."""

    code: ClassVar[str] = "real-item-index"

    def format_message(self) -> str:
        return "the index of a list in the formula of a table must be an integer, found a real number"

    def format_help(self) -> tuple[str, ...]:
        return ("round it: `//` divides integers and rounds down, `floor(...)` makes an integer of a real number",)


_LONGEST_LIST = 1000
"""The largest number of items that a help asks for."""


class ItemOutside(Problem):
    """An index that may be outside of its list: `[1, 2, 3][i]` in a table of 4."""

    code: ClassVar[str] = "item-outside"
    items: int
    low: float
    high: float

    def format_message(self) -> str:
        return f"an index in the formula of this table may be outside its list of {self.items} {'item' if self.items == 1 else 'items'}"

    def format_label(self) -> str:
        if math.isinf(self.high - self.low):
            return "its bounds are not known"
        return f"it is from {self.low:g} to {self.high:g}, and the list has the indices from 0 to {self.items - 1}"

    def format_help(self) -> tuple[str, ...]:
        limit = f"limit the index: `i % {self.items}` repeats the list, `min(i, {self.items - 1})` its last item"
        if self.low < 0 or self.high >= _LONGEST_LIST:
            return (limit,)
        return (f"give the list {int(self.high) + 1} items, or {limit}",)


class DivisorMayBeZero(Problem):
    """A division of integers by a number that may be 0: `i // j`."""

    code: ClassVar[str] = "zero-divisor"
    op: str

    def format_message(self) -> str:
        return f"the divisor of `{self.op}` in this table may be zero"

    def format_help(self) -> tuple[str, ...]:
        return (f"indices start at 0: write `{self.op} (j + 1)` or `{self.op} max(j, 1)` for an index `j`",)


class NoStoredTable(Problem):
    """A file without the array of a table."""

    code: ClassVar[str] = "no-such-table"
    name: str
    path: str
    near: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"`{self.path}` has nothing called `{self.name}`"

    def format_help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()

    def make_replacement(self) -> Replacement | None:
        return Replacement(f'"{self.near[0]}"', safe=False) if len(self.near) == 1 else None


class StoredTableDiffers(Problem):
    """A table from a file, in which the array has another type or shape."""

    code: ClassVar[str] = "table-differs"
    name: str
    path: str
    wanted: TensorType
    found: TensorType

    def format_message(self) -> str:
        found, wanted = (f"{type_.dtype} {show_shape(type_.shape)}" for type_ in (self.found, self.wanted))
        return f"`{self.name}` of `{self.path}` is {found}, not {wanted}"
