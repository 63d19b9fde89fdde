"""The items that names of an ONNX graph are bound to during an import.

- `Value`: a tensor of the typed graph.
- `Known`: an array of known numbers, such as a weight.
- `Sizes`: integers, some of which are symbolic dimensions, such as the result of Shape.
- `Filled`: one number in every position of a symbolic shape.
- `Broken`: the result of a node that could not be imported.
- None: an input that is left out.

Only a `Value` costs anything at run time. The import computes all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray

from netc.dsl.record import Record

from ...dims import Dim, SymDim
from ...ir.graph_values import Value
from ...types.numpy_types import numpy_dtype

if TYPE_CHECKING:
    from ...types.numpy_types import Array

Objects = NDArray[Any]
"""An array of Python objects: dimensions."""


class Known:
    """Known numbers. `name` is the initializer that they are, or are made from. `layout` says how: two that are equal in both are the same
    numbers. An empty layout means the initializer's own numbers, in its own shape and order."""

    __slots__ = ("array", "layout", "name")

    def __init__(self, array: Array, name: str = "", layout: str = "") -> None:
        self.array = array
        self.name = name
        self.layout = layout

    def __repr__(self) -> str:
        return f"<{self.name or 'known'} {self.array.dtype}{list(self.array.shape)}>"


def transpose_known(known: Known) -> Known:
    """Swap the axes of a matrix. Swapping twice gives the initializer's own layout again."""
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
    """Return an array of objects from a list of dimensions, or from one dimension. NumPy alone would try to convert them."""
    if isinstance(items, list | tuple):
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = item
        return array
    single = np.empty((), dtype=object)
    single[()] = items
    return single


def sizes_or_known(items: Objects, dtype: Any = np.int64) -> Known | Sizes:
    """Return `Known` if no item is symbolic, or else `Sizes`."""
    if any(isinstance(item, SymDim | SizeRatio) for item in items.flat):
        return Sizes(items, dtype)
    # The list of an array of shape (0, 2) is empty, and has lost the 2.
    return Known(np.array(items.tolist(), dtype=dtype).reshape(items.shape))


def make_type_proto(item: Item) -> onnx.TypeProto:
    """Return the type of a node's input, or an empty type if it is left out."""
    match item:
        case Value():
            element = onnx.helper.np_dtype_to_tensor_dtype(numpy_dtype(item.type.dtype))
            return onnx.helper.make_tensor_type_proto(element, [d if isinstance(d, int) else None for d in item.type.shape])
        case Known():
            return onnx.helper.make_tensor_type_proto(onnx.helper.np_dtype_to_tensor_dtype(item.array.dtype), item.array.shape)
    return onnx.TypeProto()
