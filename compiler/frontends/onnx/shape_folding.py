"""Folds shape arithmetic: computes the results of Gather, Slice, Concat and similar operators on sizes while the file is read.

In: an `OnnxSite` whose inputs are known numbers, sizes, or one number repeated. Out: its first output, or None if the node belongs to the
graph. Always: the result holds for all sizes.

For an input of shape `[N, C, H, W]`, Shape gives `[N, C, H, W]`, Gather of index 0 gives `N`, and Concat with -1 gives `[N, -1]`. Only the
Reshape that reads the result becomes an operator of the graph.
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
from .fold import ELEMENTWISE, fold_numbers, slice_array
from .importer_site import OnnxSite, to_dtype
from .onnx_values import Filled, Item, Known, Objects, SizeRatio, Sizes, sizes_or_known, to_objects
from .shape_arithmetic import as_objects, cast_sizes, evaluate_elementwise, finish_items, reduce_sizes, to_dims

ShapeFolder = Callable[[OnnxSite], Item]


def fold_shapes(site: OnnxSite) -> Item:
    """Compute a node on sizes now, or return None."""
    if not site.inputs or not all(isinstance(item, Known | Sizes | Filled | None) for item in site.inputs):
        return None
    # Known numbers alone are folded by fold.py.
    if not any(isinstance(item, Sizes | Filled) for item in site.inputs):
        return None
    arranger = _FOLDERS.get(site.op_type)
    if arranger is not None:
        return arranger(site)
    if any(isinstance(item, Filled) for item in site.inputs):
        return _fold_filled(site)
    return evaluate_elementwise(site.op_type, site.inputs, site.facts)


def _get_items(site: OnnxSite, index: int = 0) -> Objects | None:
    item = site.get_item(index)
    return item.items if isinstance(item, Sizes) else as_objects(item)


def _find_dtype(site: OnnxSite) -> Any:
    dtypes = [item.dtype for item in site.inputs if isinstance(item, Sizes)]
    return dtypes[0] if dtypes else np.int64


def _get_ints(site: OnnxSite, index: int) -> list[int] | None:
    dims = to_dims(site.get_item(index))
    return None if dims is None or not all(isinstance(d, int) for d in dims) else [int(d) for d in dims if isinstance(d, int)]


def _fold_identity(site: OnnxSite) -> Item:
    return site.get_item(0)


def _fold_gather(site: OnnxSite) -> Item:
    items, index = _get_items(site), site.get_item(1)
    if items is None or not isinstance(index, Known):
        return None
    gathered = np.take(items, index.array, axis=int(site.get_attr("axis", 0)))
    return finish_items(gathered if isinstance(gathered, np.ndarray) else to_objects(gathered), _find_dtype(site))


def _fold_slice(site: OnnxSite) -> Item:
    items = _get_items(site)
    starts = _get_ints(site, 1) if site.has_input(1) else site.get_ints("starts", [0])
    ends = _get_ints(site, 2) if site.has_input(2) else site.get_ints("ends", [2**31])
    if items is None or starts is None or ends is None:
        return None
    axes = _get_ints(site, 3) if site.has_input(3) else site.get_ints("axes", list(range(len(starts))))
    steps = _get_ints(site, 4) if site.has_input(4) else [1] * len(starts)
    if axes is None or steps is None or not len(starts) == len(ends) == len(axes) == len(steps):
        return None
    try:
        return finish_items(slice_array(items, starts, ends, axes, steps), _find_dtype(site))
    # An axis that is not there, for example. The graph reports it.
    except (IndexError, ValueError):
        return None


def _fold_transpose(site: OnnxSite) -> Item:
    items, axes = _get_items(site), site.get_attr("perm")
    if items is None or (axes is not None and sorted(axes) != list(range(items.ndim))):
        return None
    return finish_items(items.transpose(axes), _find_dtype(site))


def _fold_concat(site: OnnxSite) -> Item:
    parts = [_get_items(site, i) for i in range(len(site))]
    known_parts = [p for p in parts if p is not None]
    if len(known_parts) != len(parts) or any(p.ndim != 1 for p in known_parts):
        return None
    return finish_items(np.concatenate(known_parts), _find_dtype(site))


def _fold_unsqueeze(site: OnnxSite) -> Item:
    axes = _get_ints(site, 1) if site.has_input(1) else site.get_ints("axes", [])
    item = site.get_item(0)
    if axes is None:
        return None
    if isinstance(item, Filled):
        rank = len(item.shape) + len(axes)
        shape: list[Dim] = list(item.shape)
        for axis in sorted(a % rank for a in axes):
            shape.insert(axis, 1)
        return Filled(tuple(shape), item.number)
    items = _get_items(site)
    return None if items is None else finish_items(np.expand_dims(items, tuple(axes)), _find_dtype(site))


def _fold_squeeze(site: OnnxSite) -> Item:
    axes = _get_ints(site, 1) if site.has_input(1) else site.get_attr("axes")
    items = _get_items(site)
    if items is None or isinstance(site.get_item(0), Filled):
        return None
    try:
        return finish_items(np.squeeze(items, None if axes is None else tuple(axes)), _find_dtype(site))
    except ValueError:
        return None


def _fold_reshape(site: OnnxSite) -> Item:
    items, shape = _get_items(site), _get_ints(site, 1)
    if items is None or shape is None or items.size == 0:
        return None
    try:
        return finish_items(items.reshape(shape), _find_dtype(site))
    except ValueError:
        return None


def _fold_cast(site: OnnxSite) -> Item:
    item = site.get_item(0)
    wanted = numpy_dtype(to_dtype(int(site.get_attr("to", 1))))
    match item:
        case Sizes():
            return cast_sizes(item, wanted)
        case Filled():
            return Filled(item.shape, item.number.astype(wanted))
    return None


def _fold_constant_of_shape(site: OnnxSite) -> Item:
    shape = to_dims(site.get_item(0))
    value = site.get_attr("value")
    if shape is None:
        return None
    filler = np.float32(0) if value is None else np.asarray(value).reshape(-1)[0]
    return Filled(shape, filler)


def _fold_expand(site: OnnxSite) -> Item:
    item, shape = site.get_item(0), to_dims(site.get_item(1))
    if shape is None:
        return None
    if isinstance(item, Filled):
        return Filled(shape, item.number) if all(d == 1 for d in item.shape) and len(item.shape) <= len(shape) else None
    if isinstance(item, Known) and item.array.size == 1 and item.array.ndim <= len(shape):
        return Filled(shape, item.array.reshape(-1)[0])
    return None


def _fold_range(site: OnnxSite) -> Item:
    """Return a table if the length is symbolic."""
    bounds_items = [as_objects(site.get_item(i)) for i in range(3)]
    if any(f is None or f.size != 1 for f in bounds_items):
        return None
    parts = [f.reshape(-1)[0] for f in bounds_items if f is not None]
    if any(isinstance(p, SizeRatio) and p.bottom != 1 for p in parts):
        return None
    start, limit, delta = (p.top if isinstance(p, SizeRatio) else p for p in parts)
    low, high = (delta, delta) if isinstance(delta, int) else bounds(delta)
    # The sign of the step decides which end is the limit, so it must be known for all sizes.
    if low is not None and low > 0:
        count = _count_steps(limit - start, delta)
    elif high is not None and high < 0:
        count = _count_steps(start - limit, -delta)
    else:
        return None
    formula = IndexFormula(0) if delta == 1 else BinaryFormula("*", Const(delta), IndexFormula(0))
    shifted = formula if start == 0 else BinaryFormula("+", Const(start), formula)
    return site.emit.make_table((count,), shifted, DTYPES[np.dtype(_find_dtype(site)).name])


def _count_steps(length: Dim, step: Dim) -> Dim:
    """Count the steps within a length, the last of which may be shorter.

    If they fit exactly, the plain quotient is simpler: `min(H, W - 1)` for a diagonal, in steps of `W + 1`.
    """
    exact = length // step
    return exact if exact * step == length else (length + step - 1) // step


def _fold_where(site: OnnxSite) -> Item:
    condition, a, b = site.get_item(0), _get_items(site, 1), _get_items(site, 2)
    if not isinstance(condition, Known) or a is None or b is None:
        return None
    chosen = np.frompyfunc(lambda c, p, q: p if c else q, 3, 1)(condition.array, a, b)
    return finish_items(chosen if isinstance(chosen, np.ndarray) else to_objects(chosen), _find_dtype(site))


def _fold_reduce(site: OnnxSite) -> Item:
    item = site.get_item(0)
    axes = _get_ints(site, 1) if site.has_input(1) else site.get_attr("axes")
    if not isinstance(item, Sizes) or not all(isinstance(i, int) or hasattr(i, "terms") for i in item.items.flat):
        return None
    return reduce_sizes(site.op_type, item, axes, bool(site.get_attr("keepdims", 1)))


def _fold_shape(site: OnnxSite) -> Item:
    item = site.get_item(0)
    if isinstance(item, Filled):
        return sizes_or_known(to_objects(list(item.shape))[site.get_attr("start", 0) : site.get_attr("end")])
    if isinstance(item, Sizes | Known):
        shape = item.items.shape if isinstance(item, Sizes) else item.array.shape
        return Known(np.array(shape[site.get_attr("start", 0) : site.get_attr("end")], dtype=np.int64))
    return None


def _fold_size(site: OnnxSite) -> Item:
    item = site.get_item(0)
    if isinstance(item, Filled):
        return sizes_or_known(to_objects(math.prod(item.shape)))
    if isinstance(item, Sizes | Known):
        return Known(np.array(item.items.size if isinstance(item, Sizes) else item.array.size, dtype=np.int64))
    return None


def _fold_filled(site: OnnxSite) -> Item:
    """Compute an elementwise operator on a repeated number, and perhaps single numbers."""
    if site.op_type not in ELEMENTWISE:
        return None
    shape: tuple[Dim, ...] = ()
    numbers: list[np.generic] = []
    for item in site.inputs:
        match item:
            # Two repeated numbers of different shapes broadcast, which is left to the graph.
            case Filled() if not shape or item.shape == shape:
                shape = item.shape
                numbers.append(item.number)
            case Known() if item.array.size == 1:
                numbers.append(item.array.reshape(-1)[0])
            case _:
                return None
    if any(isinstance(item, Known) and item.array.ndim > len(shape) for item in site.inputs):
        return None
    number = fold_numbers(site.op_type, numbers, site.attributes, site.version)
    return None if number is None else Filled(shape, number)


_FOLDERS: dict[str, ShapeFolder] = {
    "Identity": _fold_identity,
    "Gather": _fold_gather,
    "Slice": _fold_slice,
    "Concat": _fold_concat,
    "Unsqueeze": _fold_unsqueeze,
    "Squeeze": _fold_squeeze,
    "Reshape": _fold_reshape,
    "Transpose": _fold_transpose,
    "Cast": _fold_cast,
    "ConstantOfShape": _fold_constant_of_shape,
    "Expand": _fold_expand,
    "Range": _fold_range,
    "Where": _fold_where,
    "Shape": _fold_shape,
    "Size": _fold_size,
    **dict.fromkeys(("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"), _fold_reduce),
}
