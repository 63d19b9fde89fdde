"""Tables for arrays: the formula that gives the values of a constant.

In: an array. Out: a `TableOperator` whose values are those, floats but for their last bits; an `ImportRefused` if none is found. Found are numbers that are all the
same, sums of multiples of the indices, sums of numbers that start at some index of an axis, comparisons of two indices with one value on each side, and powers
of one base.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..ir.elements import dtype_of
from ..ops.base import OperatorError
from ..ops.constants import TableOperator
from ..ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula
from .builder import ImportRefused

if TYPE_CHECKING:
    from .base import Array

_NAMES = "ijkl"
_MOST_STEPS = 4
"""Steps of an axis."""


def formula_of(array: Array) -> TableOperator:
    """The table that has the values of the array."""
    import numpy as np

    if not array.size:
        raise ImportRefused("a constant has no elements")
    for formula in (*_fills(array), *_affine(array), *_steps(array), *_masks(array), *_powers(array)):
        table = _table(array, formula)
        if table is not None and _is_equal(table.values(), array):
            return table
    raise ImportRefused(f"no formula was found for a constant of shape {list(array.shape)}")


def _table(array: Array, formula: Formula) -> TableOperator | None:
    """The table of a formula, if it can be made."""
    dtype = dtype_of(array.dtype)
    names = tuple(_NAMES[axis] if axis < len(_NAMES) else f"i{axis}" for axis in range(array.ndim))
    shape = tuple(int(size) for size in array.shape)
    table = TableOperator(indices=names, shape=shape, formula=formula, dtype=dtype)
    try:
        table.infer(table.bind((), _facts()))
    except OperatorError:
        return None
    return table


def _is_equal(found: Array, array: Array) -> bool:
    """Floats may differ in the last bits, since tables are computed in float64 and rounded once."""
    import numpy as np

    if array.dtype.kind != "f":
        return bool(np.array_equal(found, array))
    few = 4 * float(np.finfo(array.dtype).eps)
    return bool(np.allclose(found, array, rtol=few, atol=0, equal_nan=True))


def _facts() -> Any:
    from ..dims import Facts

    return Facts.nothing()


def _number(value: Any) -> float | int | bool:
    return value.item()  # type: ignore[no-any-return]


def _fills(array: Array) -> Iterator[Formula]:
    """One number everywhere."""
    first = array.flat[0]
    if (array == first).all():
        yield Const(_number(first))


def _affine(array: Array) -> Iterator[Formula]:
    """A start, and a step for each axis."""
    if array.dtype.kind == "b" or not array.ndim:
        return
    start = _number(array.flat[0])
    terms: list[Formula] = []
    for axis, size in enumerate(array.shape):
        if size > 1:
            step = _number(array.take(1, axis).flat[0] - array.flat[0])
            if step:
                terms.append(_scaled(IndexFormula(axis), step))
    if start or not terms:
        terms.append(Const(start))
    yield reduce(lambda a, b: BinaryFormula("+", a, b), terms)


def _scaled(index: Formula, step: float) -> Formula:
    return index if step == 1 else BinaryFormula("*", index, Const(step))


def _steps(array: Array) -> Iterator[Formula]:
    """For each axis a few indices from which on a number is added."""
    if array.dtype.kind == "b" or not array.ndim:
        return
    terms: list[Formula] = []
    for axis in range(array.ndim):
        profile = array[tuple(slice(None) if other == axis else 0 for other in range(array.ndim))]
        starts = [at for at in range(1, len(profile)) if profile[at] != profile[at - 1]]
        if len(starts) > _MOST_STEPS:
            return
        for at in starts:
            test = BinaryFormula(">=", IndexFormula(axis), Const(at))
            step = _number(profile[at] - profile[at - 1])
            terms.append(test if step == 1 else BinaryFormula("*", Const(step), test))
    start = _number(array.flat[0])
    if start:
        terms.append(Const(start))
    if terms:
        yield reduce(lambda a, b: BinaryFormula("+", a, b), terms)


def _masks(array: Array) -> Iterator[Formula]:
    """One value where an index, perhaps moved, is at most another one, and a second value elsewhere."""
    import numpy as np

    values = np.unique(array)
    axes = [axis for axis, size in enumerate(array.shape) if size > 1]
    if len(values) != 2:
        return
    for first, second in combinations(axes, 2):
        plane = array[tuple(slice(None) if axis in (first, second) else 0 for axis in range(array.ndim))]
        for inside, outside in ((values[0], values[1]), (values[1], values[0])):
            for moved in _offsets(plane == inside):
                left = IndexFormula(second)
                right: Formula = IndexFormula(first)
                right = right if not moved else BinaryFormula("+" if moved > 0 else "-", right, Const(abs(moved)))
                test = BinaryFormula("<=", left, right)
                if array.dtype.kind == "b":
                    yield test if inside else BinaryFormula(">", left, right)
                else:
                    yield CallFormula("where", (test, Const(_number(inside)), Const(_number(outside))))


def _powers(array: Array) -> Iterator[Formula]:
    """Powers of one base: the frequencies of positions, `start / base ** (i / length)`."""
    axes = [axis for axis, size in enumerate(array.shape) if size > 1]
    if array.dtype.kind != "f" or len(axes) != 1 or not (array > 0).all():
        return
    row = array.reshape(-1).astype("float64")
    length = len(row)
    start, base = float(row[0]), float((row[0] / row[-1]) ** (length / (length - 1)))
    for candidate in dict.fromkeys((float(round(base)), float(f"{base:.6g}"))):
        if candidate > 0 and abs(candidate / base - 1) < 1e-4:
            number = int(candidate) if candidate.is_integer() else candidate
            power = BinaryFormula("**", Const(number), BinaryFormula("/", IndexFormula(axes[0]), Const(length)))
            yield BinaryFormula("/", Const(int(start) if start.is_integer() else start), power)


def _offsets(inside: Array) -> Iterator[int]:
    """By how much the boundary of the first row is moved."""
    row = inside[0]
    if row[0] and not row.all():
        yield int(row.argmin()) - 1
    elif not row.any():
        column = inside[:, 0]
        if column.any():
            yield -int(column.argmax())
