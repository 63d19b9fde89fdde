"""The conditions of `where`, checked with the sizes of real inputs.

In: the inputs' types, the declared names and the conditions of a program, and the shapes of the arrays for its inputs. Out: the sizes by
name, or a ValueError that names the condition and the sizes. Always: the proofs of the compiler rest on these conditions; a backend that
was given other sizes could compute numbers that mean nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from ..dims import Dim, OneOf, Stated, bounds, evaluate, invert, show, symbols
from ..ir.types import BATCH, TensorType

_HOLDS: Mapping[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Shapes = Mapping[str, tuple[int, ...]]
Inputs = Sequence[tuple[str, TensorType]]


def check_conditions(inputs: Inputs, dims: Mapping[str, Dim], conditions: Sequence[tuple[Stated, str]], shapes: Shapes) -> dict[str, int]:
    """The size of each name that the shapes, by input name, determine. Raises ValueError if they break a `where`, or are no sizes that the
    inputs' types can have."""
    sizes = _named(inputs, dims, shapes)
    _check_each(conditions, sizes)
    # Names of no axis, such as S in `2 * S`, follow from those that are one.
    sizes |= {n: evaluate(d, sizes) for n, d in dims.items() if n not in sizes and _known(d, sizes)}
    _check_each(conditions, sizes)
    _check_bounds(dims, sizes)
    for name, type_ in inputs:
        for axis, (dim, size) in enumerate(zip(type_.shape, shapes[name], strict=True)):
            if _known(dim, sizes) and evaluate(dim, sizes) != size:
                needed = f"{show(dim)}, which is {evaluate(dim, sizes)}"
                raise ValueError(f"the input `{name}` is {type_}: its axis {axis} must be {needed}, found {size}")
    return sizes


def list_sizes(names: Sequence[str], sizes: Mapping[str, int]) -> str:
    """`H is 4, W is 5`."""
    return ", ".join(f"{name} is {sizes[name]}" for name in names)


def _named(inputs: Inputs, dims: Mapping[str, Dim], shapes: Shapes) -> dict[str, int]:
    """The sizes of the names that are an axis of an input, and of those that one is computed from."""
    axes = [pair for name, type_ in inputs for pair in zip(type_.shape, shapes[name], strict=True)]
    sizes = {name: size for dim, size in axes for name, declared in dims.items() if declared == dim}
    for dim, size in axes:
        found = None if isinstance(dim, int) else invert(dim)
        if found is not None:
            name, factor, divisor, offset = found
            sizes.setdefault(name, (size - offset) * divisor // factor)
    return sizes


def _check_each(conditions: Sequence[tuple[Stated, str]], sizes: Mapping[str, int]) -> None:
    for condition, text in conditions:
        used = symbols(condition.left) | (frozenset() if isinstance(condition, OneOf) else symbols(condition.right))
        if used <= set(sizes) and not holds(condition, sizes):
            raise ValueError(f"`where {text}` does not hold: {list_sizes(sorted(used), sizes)}")


def _check_bounds(dims: Mapping[str, Dim], sizes: Mapping[str, int]) -> None:
    """Proofs take every size to be at least 1, where no `where` says otherwise. An empty batch has no samples to be wrong about."""
    for name, dim in dims.items():
        least = bounds(dim)[0]
        if name in sizes and name != BATCH and least is not None and sizes[name] < least:
            remedy = f"; with `where {name} >= 0`, it may be empty" if least == 1 and not sizes[name] else ""
            raise ValueError(f"`{name}` must be at least {least}, found {sizes[name]}{remedy}")


def holds(condition: Stated, sizes: Mapping[str, int]) -> bool:
    """Whether the condition holds for these sizes of its symbols."""
    try:
        if isinstance(condition, OneOf):
            return evaluate(condition.left, sizes) in condition.values
        return _HOLDS[condition.op](evaluate(condition.left, sizes), evaluate(condition.right, sizes))
    except ZeroDivisionError:
        return False


def _known(dim: Dim, sizes: Mapping[str, int]) -> bool:
    return not isinstance(dim, int) and symbols(dim) <= set(sizes)
