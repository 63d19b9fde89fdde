"""Arithmetic of sizes: what a graph computes of the shapes of its tensors, done now, on symbolic dimensions.

In: a node whose inputs are known, sizes or one number repeated. Out: the same of its result, or `None` if that cannot be said without the
sizes themselves: the node is then one of the graph, or cannot be imported. Always: what comes out is right for all sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ...dims import Dim, Facts, SymDim, bounds, dim_max, dim_min
from ..graph_builder import ImportRefused
from .onnx_values import Filled, Item, Known, Objects, Part, Sizes, objects, sizes_or_known

FINEST = 2**12
LARGEST = 4096
"""No shape has more entries."""
Evaluator = Callable[[str, Sequence[Objects], Mapping[str, Any], Facts], Objects | None]


def as_objects(item: Item) -> Objects | None:
    """The items of what is known or sizes; floats as `Part`."""
    match item:
        case Sizes():
            return item.items
        case Known() if item.array.size <= LARGEST and item.array.dtype.kind in "iubf":
            if item.array.dtype.kind == "f":
                return _floats(item.array)
            return objects_of(item.array)
    return None


def objects_of(array: Any) -> Objects:
    found = np.empty(array.shape, dtype=object)
    for at in np.ndindex(array.shape):
        found[at] = array[at].item()
    return found


def _floats(array: Any) -> Objects | None:
    found = np.empty(array.shape, dtype=object)
    for at in np.ndindex(array.shape):
        value = float(array[at])
        if not np.isfinite(value) or abs(value) > 2**31:
            return None
        fraction = Fraction(value)
        if fraction.denominator > FINEST:
            return None
        found[at] = Part(fraction.numerator, fraction.denominator)
    return found


def _part(value: Any) -> Part:
    return value if isinstance(value, Part) else Part(value, 1)


def _of_parts(integers: Callable[[Any, Any], Any], parts: Callable[[Part, Part], Part | None]) -> Callable[[Any, Any], Any]:
    def run(a: Any, b: Any) -> Any:
        if isinstance(a, Part) or isinstance(b, Part):
            return parts(_part(a), _part(b))
        return integers(a, b)

    return run


def _sum(a: Part, b: Part) -> Part:
    return Part(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom)


def _difference(a: Part, b: Part) -> Part:
    return Part(a.top * b.bottom - b.top * a.bottom, a.bottom * b.bottom)


def _product(a: Part, b: Part) -> Part:
    return Part(a.top * b.top, a.bottom * b.bottom)


def _quotient(a: Part, b: Part) -> Part | None:
    if not isinstance(b.top, int) or b.top <= 0:
        return None
    return Part(a.top * b.bottom, a.bottom * b.top)


def _divide(a: Any, b: Any) -> Any:
    """ONNX divides integers towards 0; sizes are not negative."""
    if isinstance(a, int) and isinstance(b, int):
        if b == 0:
            return None
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return None if (isinstance(b, int) and b <= 0) or _may_be_negative(a) or _may_be_negative(b) else a // b


def _may_be_negative(d: Any) -> bool:
    low = d if isinstance(d, int) else bounds(d)[0]
    return low is None or low < 0


def _modulo(a: Any, b: Any) -> Any:
    return None if isinstance(b, int) and b == 0 else a % b


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": _of_parts(lambda a, b: a + b, _sum),
    "Sub": _of_parts(lambda a, b: a - b, _difference),
    "Mul": _of_parts(lambda a, b: a * b, _product),
    "Div": _of_parts(_divide, _quotient),
    "Mod": _of_parts(_modulo, lambda a, b: None),
    "Max": _of_parts(lambda a, b: dim_max(a, b), lambda a, b: None),
    "Min": _of_parts(lambda a, b: dim_min(a, b), lambda a, b: None),
}
UNARY: dict[str, Callable[[Any], Any]] = {
    "Neg": lambda a: Part(-a.top, a.bottom) if isinstance(a, Part) else -a,
    "Floor": lambda a: Part(a.top // a.bottom, 1) if isinstance(a, Part) else a,
    "Ceil": lambda a: Part(-(-a.top // a.bottom), 1) if isinstance(a, Part) else a,
    "Identity": lambda a: a,
}
COMPARISONS: dict[str, Callable[[Facts, Any, Any], bool | None]] = {
    "Equal": lambda facts, a, b: facts.are_equal(a, b),
    "Greater": lambda facts, a, b: facts.is_at_least(a, b + 1),
    "GreaterOrEqual": lambda facts, a, b: facts.is_at_least(a, b),
    "Less": lambda facts, a, b: facts.is_at_least(b, a + 1),
    "LessOrEqual": lambda facts, a, b: facts.is_at_least(b, a),
}


def elementwise(op: str, inputs: Sequence[Item], facts: Facts) -> Item:
    """The result of an operator of each element, if it is one of those that are done now."""
    given = [as_objects(item) for item in inputs]
    known = [array for array in given if array is not None]
    if len(known) != len(given) or not known:
        return None
    dtype = next((item.dtype for item in inputs if isinstance(item, Sizes)), np.dtype(np.int64))
    try:
        if op in COMPARISONS and len(known) == 2:
            answers = np.frompyfunc(lambda a, b: _compared(op, facts, a, b), 2, 1)(*known)
            answers = objects(answers) if not isinstance(answers, np.ndarray) else answers
            return None if any(a is None for a in answers.flat) else Known(answers.astype(bool))
        if op in UNARY and len(known) == 1:
            result = np.frompyfunc(UNARY[op], 1, 1)(known[0])
        elif op in BINARY and known:
            result = known[0]
            for other in known[1:]:
                result = np.frompyfunc(BINARY[op], 2, 1)(result, other)
        else:
            return None
    except (ValueError, TypeError, ArithmeticError):
        return None
    result = result if isinstance(result, np.ndarray) else objects(result)
    return None if any(r is None for r in result.flat) else finished(result, dtype)


def _compared(op: str, facts: Facts, a: Any, b: Any) -> bool | None:
    if isinstance(a, Part) or isinstance(b, Part):
        return None
    return COMPARISONS[op](facts, a, b)


def finished(items: Objects, dtype: Any) -> Item:
    """The result as `Known` where nothing in it is symbolic; whole parts stay parts of a float."""
    if items.size > LARGEST:
        raise ImportRefused(f"computes with {items.size} sizes, more than {LARGEST}")
    if np.dtype(dtype).kind == "f":
        if all(isinstance(_part(p).top, int) for p in items.flat):
            numbers = [p.top / p.bottom for p in map(_part, items.flat) if isinstance(p.top, int)]
            return Known(np.array(numbers, dtype=dtype).reshape(items.shape))
        wrapped = np.empty(items.shape, dtype=object)
        for at in np.ndindex(items.shape):
            wrapped[at] = _part(items[at])
        return Sizes(wrapped, dtype)
    return sizes_or_known(items, dtype)


def cast(item: Sizes, dtype: Any) -> Item:
    """Sizes as another type: floats become integers by leaving out what is after the point."""
    wanted = np.dtype(dtype)
    if wanted.kind == "f":
        return finished(item.items, wanted)
    if wanted.kind not in "iu":
        return None
    plain = np.empty(item.items.shape, dtype=object)
    for at in np.ndindex(item.items.shape):
        value = item.items[at]
        if isinstance(value, Part) and value.bottom != 1 and _may_be_negative(value.top):
            return None
        plain[at] = value.top // value.bottom if isinstance(value, Part) else value
    return sizes_or_known(plain, wanted)


def reduced(op: str, item: Sizes, axes: Sequence[int] | None, keepdims: bool) -> Item:
    """A sum, product, greatest or least of sizes."""
    step = BINARY[{"ReduceSum": "Add", "ReduceProd": "Mul", "ReduceMax": "Max", "ReduceMin": "Min"}[op]]
    items = item.items
    if items.ndim != 1 or items.size == 0 or (axes is not None and tuple(a % 1 for a in axes) != (0,) * len(axes)):
        return None
    total: Any = items[0]
    for value in items[1:]:
        total = step(total, value)
    return None if total is None else finished(objects([total]) if keepdims else objects(total), item.dtype)


def is_plain(items: Objects) -> bool:
    """Whether all items are dimensions."""
    return all(isinstance(item, int | SymDim) for item in items.flat)


def dims_of(item: Item) -> tuple[Dim, ...] | None:
    """The dimensions of a shape that is given as a tensor."""
    match item:
        case Known() if item.array.dtype.kind in "iu" and item.array.size <= LARGEST:
            return tuple(int(v) for v in item.array.reshape(-1))
        case Sizes() if is_plain(item.items):
            return tuple(item.items.reshape(-1))
        case Filled() if all(isinstance(d, int) for d in item.shape) and len(item.shape) <= 1:
            count = int(np.prod([d for d in item.shape if isinstance(d, int)])) if item.shape else 1
            return (int(item.number),) * count if count <= LARGEST else None
    return None
