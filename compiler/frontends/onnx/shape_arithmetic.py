"""Computes arithmetic on sizes while the file is read, with symbolic dimensions.

In: a node whose inputs are known numbers, sizes, or one number repeated. Out: its result, or None if the result depends on the actual
sizes; the node then belongs to the graph or cannot be imported. Always: the result holds for all sizes. `Div` of `2 * T` by 2 is `T`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ...dims import Dim, Facts, SymDim, bounds, dim_max, dim_min
from ..graph_builder import ImportRefused
from .onnx_values import Filled, Item, Known, Objects, SizeRatio, Sizes, sizes_or_known, to_objects

FINEST = 2**12
"""The largest denominator of a float that counts as an exact fraction."""
LARGEST = 4096
"""The largest number of sizes in a tensor of sizes. No shape has more."""
Evaluator = Callable[[str, Sequence[Objects], Mapping[str, Any], Facts], Objects | None]


def as_objects(item: Item) -> Objects | None:
    """Return the elements of known numbers or sizes, with floats as `SizeRatio`. None for other items."""
    match item:
        case Sizes():
            return item.items
        case Known() if item.array.size <= LARGEST and item.array.dtype.kind in "iubf":
            if item.array.dtype.kind == "f":
                return _floats_to_ratios(item.array)
            return array_to_objects(item.array)
    return None


def array_to_objects(array: Any) -> Objects:
    objects = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        objects[index] = array[index].item()
    return objects


def _floats_to_ratios(array: Any) -> Objects | None:
    result = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        value = float(array[index])
        if not np.isfinite(value) or abs(value) > 2**31:
            return None
        # The factors of a Resize, such as 0.5 or 1.25, are fractions of small integers. Others, such as 0.1, would round.
        fraction = Fraction(value)
        if fraction.denominator > FINEST:
            return None
        result[index] = SizeRatio(fraction.numerator, fraction.denominator)
    return result


def _to_ratio(value: Any) -> SizeRatio:
    return value if isinstance(value, SizeRatio) else SizeRatio(value, 1)


def _make_binary(
    integers: Callable[[Any, Any], Any], parts: Callable[[SizeRatio, SizeRatio], SizeRatio | None]
) -> Callable[[Any, Any], Any]:
    def run(a: Any, b: Any) -> Any:
        if isinstance(a, SizeRatio) or isinstance(b, SizeRatio):
            return parts(_to_ratio(a), _to_ratio(b))
        return integers(a, b)

    return run


def _add_ratios(a: SizeRatio, b: SizeRatio) -> SizeRatio:
    return SizeRatio(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom)


def _subtract_ratios(a: SizeRatio, b: SizeRatio) -> SizeRatio:
    return SizeRatio(a.top * b.bottom - b.top * a.bottom, a.bottom * b.bottom)


def _multiply_ratios(a: SizeRatio, b: SizeRatio) -> SizeRatio:
    return SizeRatio(a.top * b.top, a.bottom * b.bottom)


def _divide_ratios(a: SizeRatio, b: SizeRatio) -> SizeRatio | None:
    # A ratio has an integer as its divisor, so a quotient of two sizes is left to the graph.
    if not isinstance(b.top, int) or b.top <= 0:
        return None
    return SizeRatio(a.top * b.bottom, a.bottom * b.top)


def _divide_toward_zero(a: Any, b: Any) -> Any:
    """Divide as ONNX does, towards 0. For symbolic sizes, which are not negative, and for exact quotients, this is `//`."""
    if isinstance(a, int) and isinstance(b, int):
        if b == 0:
            return None
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    if (isinstance(b, int) and b <= 0) or _may_be_negative(b):
        return None
    if not _may_be_negative(a) or a % b == 0:
        return a // b
    return None if _may_be_negative(-a) else -(-a // b)


def _may_be_negative(d: Any) -> bool:
    low = d if isinstance(d, int) else bounds(d)[0]
    return low is None or low < 0


# As in Python, the remainder of ONNX's Mod has the sign of the divisor.
def _take_remainder(a: Any, b: Any) -> Any:
    return None if isinstance(b, int) and b == 0 else a % b


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": _make_binary(lambda a, b: a + b, _add_ratios),
    "Sub": _make_binary(lambda a, b: a - b, _subtract_ratios),
    "Mul": _make_binary(lambda a, b: a * b, _multiply_ratios),
    "Div": _make_binary(_divide_toward_zero, _divide_ratios),
    "Mod": _make_binary(_take_remainder, lambda a, b: None),
    "Max": _make_binary(lambda a, b: dim_max(a, b), lambda a, b: None),
    "Min": _make_binary(lambda a, b: dim_min(a, b), lambda a, b: None),
}
UNARY: dict[str, Callable[[Any], Any]] = {
    "Neg": lambda a: SizeRatio(-a.top, a.bottom) if isinstance(a, SizeRatio) else -a,
    "Floor": lambda a: SizeRatio(a.top // a.bottom, 1) if isinstance(a, SizeRatio) else a,
    # Dimensions only have a division that rounds down.
    "Ceil": lambda a: SizeRatio(-(-a.top // a.bottom), 1) if isinstance(a, SizeRatio) else a,
    "Identity": lambda a: a,
}
COMPARISONS: dict[str, Callable[[Facts, Any, Any], bool | None]] = {
    "Equal": lambda facts, a, b: facts.are_equal(a, b),
    "Greater": lambda facts, a, b: facts.is_at_least(a, b + 1),
    "GreaterOrEqual": lambda facts, a, b: facts.is_at_least(a, b),
    "Less": lambda facts, a, b: facts.is_at_least(b, a + 1),
    "LessOrEqual": lambda facts, a, b: facts.is_at_least(b, a),
}


def evaluate_elementwise(op: str, inputs: Sequence[Item], facts: Facts) -> Item:
    """Compute an elementwise operator on sizes. None if it is not computed here."""
    converted = [as_objects(item) for item in inputs]
    known = [array for array in converted if array is not None]
    if len(known) != len(converted) or not known:
        return None
    dtype = next((item.dtype for item in inputs if isinstance(item, Sizes)), np.dtype(np.int64))
    try:
        if op in COMPARISONS and len(known) == 2:
            answers = np.frompyfunc(lambda a, b: _compare_items(op, facts, a, b), 2, 1)(*known)
            answers = to_objects(answers) if not isinstance(answers, np.ndarray) else answers
            return None if any(a is None for a in answers.flat) else Known(answers.astype(bool))
        if op in UNARY and len(known) == 1:
            result = np.frompyfunc(UNARY[op], 1, 1)(known[0])
        elif op in BINARY and known:
            result = known[0]
            for other in known[1:]:
                result = np.frompyfunc(BINARY[op], 2, 1)(result, other)
        else:
            return None
    # Shapes that do not broadcast, for example. The graph reports them with the place in the file.
    except (ValueError, TypeError, ArithmeticError):
        return None
    result = result if isinstance(result, np.ndarray) else to_objects(result)
    # One undecided element leaves the whole node to the graph.
    return None if any(r is None for r in result.flat) else finish_items(result, dtype)


def _compare_items(op: str, facts: Facts, a: Any, b: Any) -> bool | None:
    if isinstance(a, SizeRatio) or isinstance(b, SizeRatio):
        return None
    return COMPARISONS[op](facts, a, b)


def finish_items(items: Objects, dtype: Any) -> Item:
    """Return a result as `Known` if nothing in it is symbolic, or else as `Sizes`. Items of a float type are ratios."""
    if items.size > LARGEST:
        raise ImportRefused(f"computes with {items.size} sizes, more than {LARGEST}")
    if np.dtype(dtype).kind == "f":
        if all(isinstance(_to_ratio(p).top, int) for p in items.flat):
            numbers = [p.top / p.bottom for p in map(_to_ratio, items.flat) if isinstance(p.top, int)]
            return Known(np.array(numbers, dtype=dtype).reshape(items.shape))
        wrapped = np.empty(items.shape, dtype=object)
        for index in np.ndindex(items.shape):
            wrapped[index] = _to_ratio(items[index])
        return Sizes(wrapped, dtype)
    return sizes_or_known(items, dtype)


def cast_sizes(item: Sizes, dtype: Any) -> Item:
    """Convert sizes to another type. Floats are truncated to integers."""
    wanted = np.dtype(dtype)
    if wanted.kind == "f":
        return finish_items(item.items, wanted)
    if wanted.kind not in "iu":
        return None
    plain = np.empty(item.items.shape, dtype=object)
    for index in np.ndindex(item.items.shape):
        value = item.items[index]
        # Truncation rounds up below 0, and `//` rounds down.
        if isinstance(value, SizeRatio) and value.bottom != 1 and _may_be_negative(value.top):
            return None
        plain[index] = value.top // value.bottom if isinstance(value, SizeRatio) else value
    return sizes_or_known(plain, wanted)


def reduce_sizes(op: str, item: Sizes, axes: Sequence[int] | None, keepdims: bool) -> Item:
    """Return the sum, product, maximum or minimum of a vector of sizes."""
    step = BINARY[{"ReduceSum": "Add", "ReduceProd": "Mul", "ReduceMax": "Max", "ReduceMin": "Min"}[op]]
    items = item.items
    if items.ndim != 1 or items.size == 0 or (axes is not None and tuple(a % 1 for a in axes) != (0,) * len(axes)):
        return None
    total: Any = items[0]
    for value in items[1:]:
        total = step(total, value)
    return None if total is None else finish_items(to_objects([total]) if keepdims else to_objects(total), item.dtype)


def is_plain(items: Objects) -> bool:
    """Return whether all items are dimensions."""
    return all(isinstance(item, int | SymDim) for item in items.flat)


def to_dims(item: Item) -> tuple[Dim, ...] | None:
    """Return the dimensions of a shape that a tensor contains, or None."""
    match item:
        case Known() if item.array.dtype.kind in "iu" and item.array.size <= LARGEST:
            return tuple(int(v) for v in item.array.reshape(-1))
        case Sizes() if is_plain(item.items):
            return tuple(item.items.reshape(-1))
        case Filled() if all(isinstance(d, int) for d in item.shape) and len(item.shape) <= 1:
            count = int(np.prod([d for d in item.shape if isinstance(d, int)])) if item.shape else 1
            return (int(item.number),) * count if count <= LARGEST else None
    return None
