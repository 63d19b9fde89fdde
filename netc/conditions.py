"""The conditions of `where`, checked with the sizes of real inputs.

In: a program, and the shapes of the arrays for its inputs. Out: nothing, or a ValueError that names the condition and the sizes. The
proofs of the compiler rest on these conditions; a backend that was fed other sizes could give numbers that mean nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from netc.compiler.dims import Dim, evaluate, invert, symbols

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

_HOLDS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def check_sizes(program: Program, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ValueError if the shapes, by input name, break a `where`."""
    sizes: dict[str, int] = {}
    for value in program.main.inputs:
        for dim, size in zip(value.type.shape, shapes[value.name], strict=True):
            name = _symbol(dim)
            if name:
                sizes[name] = size
    for condition, text in program.conditions:
        used = symbols(condition.left) | symbols(condition.right)
        if used <= set(sizes) and not _HOLDS[condition.op](evaluate(condition.left, sizes), evaluate(condition.right, sizes)):
            sizes_text = ", ".join(f"{name} is {sizes[name]}" for name in sorted(used))
            raise ValueError(f"`where {text}` does not hold: {sizes_text}")


def _symbol(dim: Dim) -> str:
    """The symbol that an axis is, if it is one alone."""
    found = None if isinstance(dim, int) else invert(dim)
    return found[0] if found is not None and found[1:] == (1, 1, 0) else ""
