"""What a name of an ONNX graph can be while the graph is imported.

A tensor of the typed graph (`Value`); an array whose numbers are known (`Known`); integers some of which are symbolic dimensions
(`Sizes`); one number in a shape that is symbolic (`Filled`); something that could not be imported (`Broken`). None is an input that is
left out. Only tensors cost anything at run time: all others are arithmetic that is done now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netc.dsl.record import Record

from ...dims import Dim, SymDim
from ...ir.graph_values import Value

if TYPE_CHECKING:
    from ...types.numpy_types import Array

Objects = NDArray[Any]
"""An array of Python objects: dimensions."""


class Known:
    """Numbers that are known. `name` is that of the initializer that they are, or are made of; `layout` says how, so that two that are
    equal in both are the same numbers. `exact`: they are the initializer's own, in its own shape and order."""

    __slots__ = ("array", "layout", "name")

    def __init__(self, array: Array, name: str = "", layout: str = "") -> None:
        self.array = array
        self.name = name
        self.layout = layout

    def __repr__(self) -> str:
        return f"<{self.name or 'known'} {self.array.dtype}{list(self.array.shape)}>"


def transpose_known(known: Known) -> Known:
    """A matrix with its axes swapped. Twice makes it the initializer's own again."""
    mark = "|T"
    layout = known.layout[: -len(mark)] if known.layout.endswith(mark) else known.layout + mark
    return Known(known.array.T, known.name, layout)


class SizeRatio(Record):
    """`top / bottom`, a size that may not be an integer."""

    top: Dim
    bottom: int


class Sizes:
    """Integers (`dtype` int64 or int32) or floats (then each item is a `SizeRatio`), some of which are symbolic."""

    __slots__ = ("dtype", "items")

    def __init__(self, items: Objects, dtype: Any = np.int64) -> None:
        self.items = items
        self.dtype = np.dtype(dtype)

    def __repr__(self) -> str:
        return f"<sizes {self.items.tolist()}>"


class Filled:
    """One number in every position of a shape."""

    __slots__ = ("number", "shape")

    def __init__(self, shape: tuple[Dim, ...], number: np.generic) -> None:
        self.shape = shape
        self.number = number


class Broken:
    """A result that is missing because of an obstacle."""


BROKEN = Broken()
Item = Value | Known | Sizes | Filled | Broken | None


def to_objects(items: object) -> Objects:
    """An array of objects, of a list of dimensions or one of them."""
    if isinstance(items, list | tuple):
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = item
        return array
    single = np.empty((), dtype=object)
    single[()] = items
    return single


def sizes_or_known(items: Objects, dtype: Any = np.int64) -> Known | Sizes:
    """`Known` if no item is symbolic."""
    if any(isinstance(item, SymDim | SizeRatio) for item in items.flat):
        return Sizes(items, dtype)
    return Known(np.array(items.tolist(), dtype=dtype).reshape(items.shape))
