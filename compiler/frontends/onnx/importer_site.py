"""One node of an ONNX graph, as its importer sees it.

In: the node, its attributes and the items of its inputs. Out: tensors, known numbers, sizes and attributes. Always: an input or attribute
that has no counterpart raises `ImportRefused`, which names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from ...dims import Dim, Facts, SymDim
from ...ir.graph_values import Value
from ...types.numpy_types import Array, dtype_of
from ...types.tensor_types import DType
from ..graph_builder import ImportRefused
from .emitter import Emitter, to_number
from .onnx_values import Filled, Item, Known, Sizes
from .shape_arithmetic import to_dims


class Attributes(dict[str, Any]):
    """The attributes of a node, which remember what was asked for."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        super().__init__(attributes)
        self.read: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)

    def list_unread(self) -> list[str]:
        return [name for name in self if name not in self.read]


class OnnxSite:
    """One node. `version` is the version of the operator set. `used` says for each output whether something reads it."""

    def __init__(
        self,
        op_type: str,
        inputs: Sequence[Item],
        attributes: Mapping[str, Any],
        version: int,
        emitter: Emitter,
        used: Sequence[bool],
        alone: Sequence[bool] = (),
        follows: tuple[str, Item] = ("", None),
    ) -> None:
        self.op_type = op_type
        self.inputs = list(inputs)
        # Files may write optional inputs at the end as empty names.
        while self.inputs and self.inputs[-1] is None:
            self.inputs.pop()
        self.attributes = Attributes(attributes)
        self.version = version
        self.emit = emitter
        self.used = used
        self.alone = alone
        """For each input, whether nothing else reads it."""

        self.follows = follows
        """The operator of the only node that reads the first output, and that node's other input, if it is known already."""

    @property
    def facts(self) -> Facts:
        return self.emit.facts

    def is_only_user(self, index: int) -> bool:
        """Return whether nothing else reads this input."""
        return index < len(self.alone) and self.alone[index]

    # --- attributes ----------------------------------------------------------------------------------------------------------

    def get_attr(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def get_ints(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        value = self.attributes.get(name, default)
        if value is None:
            raise ImportRefused(f"it lacks the attribute `{name}`")
        return [int(v) for v in value]

    def require_attr(self, name: str, *allowed: Any, default: Any) -> None:
        """Refuse other values of an attribute."""
        value = self.attributes.get(name, default)
        if value not in allowed:
            raise ImportRefused(f"`{name}={value}` has no counterpart")

    # --- inputs --------------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.inputs)

    def get_item(self, index: int) -> Item:
        return self.inputs[index] if index < len(self.inputs) else None

    def has_input(self, index: int) -> bool:
        return self.get_item(index) is not None

    def input(self, index: int = 0) -> Value:
        """Return an input as a tensor of the graph."""
        return self.to_tensor(self.get_item(index))

    def to_tensor(self, item: Item) -> Value:
        match item:
            case Value():
                return item
            case Known():
                return self.emit.make_tensor(item)
            case Filled():
                return self.emit.make_filled(item)
            case Sizes():
                return self.emit.make_sizes(item)
        raise ImportRefused("it lacks an input")

    def require_known(self, index: int, what: str) -> Known:
        item = self.get_item(index)
        if item is None:
            raise ImportRefused(f"it lacks {what}")
        if isinstance(item, Filled):
            item = materialize(item)
        if not isinstance(item, Known):
            raise ImportRefused(f"{what} is computed, and must be known")
        return item

    def require_array(self, index: int, what: str) -> Array:
        return self.require_known(index, what).array

    def require_dims(self, index: int, what: str) -> tuple[Dim, ...]:
        """Return the dimensions that an input tensor has."""
        item = self.get_item(index)
        if item is None:
            raise ImportRefused(f"it lacks {what}")
        result = to_dims(item)
        if result is None:
            raise ImportRefused(f"{what} depends on data, and must be known from the sizes of the inputs")
        return result

    def find_dims(self, index: int, attribute: str, what: str) -> tuple[Dim, ...] | None:
        """Return dimensions that are an input, or in older files an attribute, or None."""
        if self.has_input(index):
            return self.require_dims(index, what)
        value = self.attributes.get(attribute)
        return None if value is None else tuple(int(v) for v in np.atleast_1d(value))

    def read_axes(self, index: int, rank: int, default: Sequence[int] | None = None) -> list[int] | None:
        """Return axes that are an input or the attribute `axes`, counted from the front."""
        axes = self.find_dims(index, "axes", "the list of axes")
        if axes is None:
            return None if default is None else list(default)
        return [self.normalize_axis(int(a), rank) for a in axes if isinstance(a, int)]

    def normalize_axis(self, axis: int, rank: int) -> int:
        if not -rank <= axis < max(rank, 1):
            raise ImportRefused(f"axis {axis} is not one of {rank} axes")
        # A scalar counts as having an axis 0.
        return axis % max(rank, 1)

    def get_scalar(self, index: int, rank: int | None = None) -> int | float | bool | SymDim | None:
        """Return an input as a number, if it is a single known one with at most `rank` axes, or None.

        A number with more axes than the tensor would broadcast the tensor to its own rank.
        """
        match self.get_item(index):
            case Known() as known if known.array.size == 1 and (rank is None or known.array.ndim <= rank):
                return to_number(known.array) if known.array.dtype.kind in "iubf" or known.array.dtype.name == "bfloat16" else None
            case Sizes() as sizes if sizes.items.size == 1 and (rank is None or sizes.items.ndim <= rank):
                value = sizes.items.reshape(-1)[0]
                return value if isinstance(value, SymDim) else None
        return None

    # --- results -------------------------------------------------------------------------------------------------------------

    def apply_op(self, operator: str, *inputs: Value, **arguments: Any) -> Value:
        return self.emit.apply_op(operator, *inputs, **arguments)

    def cast(self, x: Value, dtype: DType) -> Value:
        return x if x.type.dtype == dtype else self.apply_op("cast", x, dtype=dtype)

    def are_equal(self, a: Sequence[Dim], b: Sequence[Dim]) -> bool:
        """Return whether two shapes are provably equal."""
        return len(a) == len(b) and all(self.facts.are_equal(d, e) is True for d, e in zip(a, b, strict=True))


def materialize(filled: Filled) -> Item:
    """Return the array of a repeated number, if its shape is known and small."""
    sizes = [d for d in filled.shape if isinstance(d, int)]
    # A large table is better written as one number than as an array.
    if len(sizes) != len(filled.shape) or int(np.prod(sizes, dtype=object)) > 2**20:
        return filled
    return Known(np.full(sizes, filled.number))


def to_dtype(code: int) -> DType:
    """Return the element type for a number of `TensorProto.DataType`."""
    try:
        result = dtype_of(np.dtype(helper.tensor_dtype_to_np_dtype(code)))
    except (KeyError, TypeError, ValueError):
        result = None
    if result is None:
        name = onnx.TensorProto.DataType.Name(code).lower() if code in onnx.TensorProto.DataType.values() else f"ONNX's element type {code}"
        raise ImportRefused(f"netc has no tensors of {name}")
    return result
