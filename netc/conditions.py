"""The conditions of `where`, checked with the sizes of real inputs.

In: a program, and the shapes of the arrays for its inputs. Out: nothing, or a ValueError that names the condition and the sizes. Always:
the proofs of the compiler rest on these conditions; a backend that was given other sizes could compute numbers that mean nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from netc.compiler.dims import Dim, OneOf, Stated, evaluate, invert, show, symbols

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

_HOLDS: Mapping[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Shapes = Mapping[str, tuple[int, ...]]


def check_sizes(program: Program, shapes: Shapes) -> None:
    """Raises ValueError if the shapes, by input name, break a `where`, or are no sizes that the inputs' types can have."""
    sizes = _named(program, shapes)
    _check_conditions(program, sizes)
    # Names of no axis, such as S in `2 * S`, follow from those that are one.
    _check_conditions(program, sizes | {n: evaluate(d, sizes) for n, d in program.dims.items() if n not in sizes and _known(d, sizes)})
    for value in program.main.inputs:
        for axis, (dim, size) in enumerate(zip(value.type.shape, shapes[value.name], strict=True)):
            if _known(dim, sizes) and evaluate(dim, sizes) != size:
                needed = f"{show(dim)}, which is {evaluate(dim, sizes)}"
                raise ValueError(f"the input `{value.name}` is {value.type}: its axis {axis} must be {needed}, found {size}")


def _named(program: Program, shapes: Shapes) -> dict[str, int]:
    """The sizes of the names that are an axis of an input, and of those that one is computed from."""
    axes = [pair for value in program.main.inputs for pair in zip(value.type.shape, shapes[value.name], strict=True)]
    sizes = {name: size for dim, size in axes for name, declared in program.dims.items() if declared == dim}
    for dim, size in axes:
        found = None if isinstance(dim, int) else invert(dim)
        if found is not None:
            name, factor, divisor, offset = found
            sizes.setdefault(name, (size - offset) * divisor // factor)
    return sizes


def _check_conditions(program: Program, sizes: Mapping[str, int]) -> None:
    for condition, text in program.conditions:
        used = symbols(condition.left) | (frozenset() if isinstance(condition, OneOf) else symbols(condition.right))
        if used <= set(sizes) and not _holds(condition, sizes):
            found = ", ".join(f"{name} is {sizes[name]}" for name in sorted(used))
            raise ValueError(f"`where {text}` does not hold: {found}")


def _holds(condition: Stated, sizes: Mapping[str, int]) -> bool:
    try:
        if isinstance(condition, OneOf):
            return evaluate(condition.left, sizes) in condition.values
        return _HOLDS[condition.op](evaluate(condition.left, sizes), evaluate(condition.right, sizes))
    except ZeroDivisionError:
        return False


def _known(dim: Dim, sizes: Mapping[str, int]) -> bool:
    return not isinstance(dim, int) and symbols(dim) <= set(sizes)
