"""Comparisons of dimensions, as a `where` states them: `T <= 255`, `H in [128, 256]`.

>>> from .polynomial import make_symbol
>>> print(Condition("<=", make_symbol("T"), 255))
T <= 255
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from netc.dsl.record import Record

from .dim_text import format_dim
from .polynomial import Dim

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
"""The comparison that holds where another one does not."""


class Condition(Record):
    """`left op right`, with `op` one of `==`, `!=`, `<`, `<=`, `>`, `>=`. Over raw symbols: `symbol(name)`."""

    op: str
    left: Dim
    right: Dim

    @property
    def slack(self) -> Dim | None:
        """The dimension that is at least 0 exactly if the condition holds: `255 - T` for `T <= 255`. None for `==` and `!=`."""
        match self.op:
            case "<" | "<=":
                # Dimensions are integers: `a < b` is `b - a - 1 >= 0`.
                return self.right - self.left - (self.op == "<")
            case ">" | ">=":
                return self.left - self.right - (self.op == ">")
        return None

    def __str__(self) -> str:
        return f"{format_dim(self.left)} {self.op} {format_dim(self.right)}"


class OneOf(Record):
    """`left in values`: a dimension is one of some integers. Over raw symbols."""

    left: Dim
    values: tuple[int, ...]

    def __str__(self) -> str:
        return f"{format_dim(self.left)} in [{', '.join(map(str, self.values))}]"
