"""Sizes and repeated numbers, moved: what Gather, Slice, Concat and the like do to them, done now.

In: a `Site` whose inputs are known, sizes or one number repeated. Out: what its first output is, or None if the node belongs to the graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...dims import Dim, bounds
from ...ops.formula import BinaryFormula, Const, IndexFormula
from ...types.numpy_types import numpy_dtype
from ...types.tensor_types import DTYPES
from .fold import ELEMENTWISE, folded_numbers
from .importer_site import Site, element_of
from .onnx_values import Filled, Item, Known, Objects, Part, Sizes, objects, sizes_or_known
from .shape_arithmetic import as_objects, cast, dims_of, elementwise, finished, reduced

Arranger = Callable[[Site], Item]


def arranged(site: Site) -> Item:
    """The result of a node that is computed now, or None."""
    if not site.inputs or not all(isinstance(item, Known | Sizes | Filled | None) for item in site.inputs):
        return None
    if not any(isinstance(item, Sizes | Filled) for item in site.inputs):
        return None
    arranger = _ARRANGERS.get(site.op_type)
    if arranger is not None:
        return arranger(site)
    if any(isinstance(item, Filled) for item in site.inputs):
        return _of_filled(site)
    return elementwise(site.op_type, site.inputs, site.facts)


def _items(site: Site, index: int = 0) -> Objects | None:
    item = site.item(index)
    return item.items if isinstance(item, Sizes) else as_objects(item)


def _dtype(site: Site) -> Any:
    found = [item.dtype for item in site.inputs if isinstance(item, Sizes)]
    return found[0] if found else np.int64


def _ints(site: Site, index: int) -> list[int] | None:
    found = dims_of(site.item(index))
    return None if found is None or not all(isinstance(d, int) for d in found) else [int(d) for d in found if isinstance(d, int)]


def _identity(site: Site) -> Item:
    return site.item(0)


def _gather(site: Site) -> Item:
    items, index = _items(site), site.item(1)
    if items is None or not isinstance(index, Known):
        return None
    taken = np.take(items, index.array, axis=int(site.attr("axis", 0)))
    return finished(taken if isinstance(taken, np.ndarray) else objects(taken), _dtype(site))


def _slice(site: Site) -> Item:
    items = _items(site)
    if items is None or items.ndim != 1:
        return None
    starts = _ints(site, 1) if site.has(1) else site.ints("starts", [0])
    ends = _ints(site, 2) if site.has(2) else site.ints("ends", [2**31])
    steps = _ints(site, 4) if site.has(4) else [1]
    if starts is None or ends is None or steps is None or len(starts) != 1:
        return None
    return finished(items[starts[0] : ends[0] : steps[0]], _dtype(site))


def _concat(site: Site) -> Item:
    parts = [_items(site, i) for i in range(len(site))]
    found = [p for p in parts if p is not None]
    if len(found) != len(parts) or any(p.ndim != 1 for p in found):
        return None
    return finished(np.concatenate(found), _dtype(site))


def _unsqueeze(site: Site) -> Item:
    axes = _ints(site, 1) if site.has(1) else site.ints("axes", [])
    item = site.item(0)
    if axes is None:
        return None
    if isinstance(item, Filled):
        rank = len(item.shape) + len(axes)
        shape: list[Dim] = list(item.shape)
        for axis in sorted(a % rank for a in axes):
            shape.insert(axis, 1)
        return Filled(tuple(shape), item.number)
    items = _items(site)
    return None if items is None else finished(np.expand_dims(items, tuple(axes)), _dtype(site))


def _squeeze(site: Site) -> Item:
    axes = _ints(site, 1) if site.has(1) else site.attr("axes")
    items = _items(site)
    if items is None or isinstance(site.item(0), Filled):
        return None
    try:
        return finished(np.squeeze(items, None if axes is None else tuple(axes)), _dtype(site))
    except ValueError:
        return None


def _reshape(site: Site) -> Item:
    items, shape = _items(site), _ints(site, 1)
    if items is None or shape is None or items.size == 0:
        return None
    try:
        return finished(items.reshape(shape), _dtype(site))
    except ValueError:
        return None


def _cast(site: Site) -> Item:
    item = site.item(0)
    wanted = numpy_dtype(element_of(int(site.attr("to", 1))))
    match item:
        case Sizes():
            return cast(item, wanted)
        case Filled():
            return Filled(item.shape, item.number.astype(wanted))
    return None


def _constant_of_shape(site: Site) -> Item:
    shape = dims_of(site.item(0))
    value = site.attr("value")
    if shape is None:
        return None
    filler = np.float32(0) if value is None else np.asarray(value).reshape(-1)[0]
    return Filled(shape, filler)


def _expand(site: Site) -> Item:
    item, shape = site.item(0), dims_of(site.item(1))
    if shape is None:
        return None
    if isinstance(item, Filled):
        return Filled(shape, item.number) if all(d == 1 for d in item.shape) and len(item.shape) <= len(shape) else None
    if isinstance(item, Known) and item.array.size == 1 and item.array.ndim <= len(shape):
        return Filled(shape, item.array.reshape(-1)[0])
    return None


def _range(site: Site) -> Item:
    """Of symbolic length, a table."""
    found = [as_objects(site.item(i)) for i in range(3)]
    if any(f is None or f.size != 1 for f in found):
        return None
    parts = [f.reshape(-1)[0] for f in found if f is not None]
    if any(isinstance(p, Part) and p.bottom != 1 for p in parts):
        return None
    start, limit, delta = (p.top if isinstance(p, Part) else p for p in parts)
    low, high = (delta, delta) if isinstance(delta, int) else bounds(delta)
    if low is not None and low > 0:
        count = _steps(limit - start, delta)
    elif high is not None and high < 0:
        count = _steps(start - limit, -delta)
    else:
        return None
    formula = IndexFormula(0) if delta == 1 else BinaryFormula("*", Const(delta), IndexFormula(0))
    whole = formula if start == 0 else BinaryFormula("+", Const(start), formula)
    return site.emit.table((count,), whole, DTYPES[np.dtype(_dtype(site)).name])


def _steps(length: Dim, step: Dim) -> Dim:
    """The number of steps within the length, the last of which may be shorter. Where they fit exactly, the quotient is the simpler one:
    `min(H, W - 1)` of a diagonal, in steps of `W + 1`."""
    exact = length // step
    return exact if exact * step == length else (length + step - 1) // step


def _where(site: Site) -> Item:
    condition, a, b = site.item(0), _items(site, 1), _items(site, 2)
    if not isinstance(condition, Known) or a is None or b is None:
        return None
    chosen = np.frompyfunc(lambda c, p, q: p if c else q, 3, 1)(condition.array, a, b)
    return finished(chosen if isinstance(chosen, np.ndarray) else objects(chosen), _dtype(site))


def _reduce(site: Site) -> Item:
    item = site.item(0)
    axes = _ints(site, 1) if site.has(1) else site.attr("axes")
    if not isinstance(item, Sizes) or not all(isinstance(i, int) or hasattr(i, "terms") for i in item.items.flat):
        return None
    return reduced(site.op_type, item, axes, bool(site.attr("keepdims", 1)))


def _shape(site: Site) -> Item:
    item = site.item(0)
    if isinstance(item, Filled):
        return sizes_or_known(objects(list(item.shape))[site.attr("start", 0) : site.attr("end")])
    if isinstance(item, Sizes | Known):
        shape = item.items.shape if isinstance(item, Sizes) else item.array.shape
        return Known(np.array(shape[site.attr("start", 0) : site.attr("end")], dtype=np.int64))
    return None


def _size(site: Site) -> Item:
    item = site.item(0)
    if isinstance(item, Filled):
        return sizes_or_known(objects(math.prod(item.shape)))
    if isinstance(item, Sizes | Known):
        return Known(np.array(item.items.size if isinstance(item, Sizes) else item.array.size, dtype=np.int64))
    return None


def _of_filled(site: Site) -> Item:
    """An operator of each element of one number, and perhaps of single numbers."""
    if site.op_type not in ELEMENTWISE:
        return None
    shape: tuple[Dim, ...] = ()
    numbers: list[np.generic] = []
    for item in site.inputs:
        match item:
            case Filled() if not shape or item.shape == shape:
                shape = item.shape
                numbers.append(item.number)
            case Known() if item.array.size == 1:
                numbers.append(item.array.reshape(-1)[0])
            case _:
                return None
    if any(isinstance(item, Known) and item.array.ndim > len(shape) for item in site.inputs):
        return None
    made = folded_numbers(site.op_type, numbers, site.attributes, site.version)
    return None if made is None else Filled(shape, made)


_ARRANGERS: dict[str, Arranger] = {
    "Identity": _identity,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Reshape": _reshape,
    "Cast": _cast,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Range": _range,
    "Where": _where,
    "Shape": _shape,
    "Size": _size,
    **dict.fromkeys(("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"), _reduce),
}
