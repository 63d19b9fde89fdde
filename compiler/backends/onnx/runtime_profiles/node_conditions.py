"""Conditions on nodes and stages, from which the limits of several runtimes are made.

>>> from .runtime_profile import NodeUse, TensorUse
>>> has_dtype("int64")(NodeUse("Add", "add1", {}, (TensorUse("int64", 2),), (None,)))
True
"""

from __future__ import annotations

from collections.abc import Callable

from ....dims import free_symbols
from ....ir.graph import OpNode
from ....types.tensor_types import BATCH
from .runtime_profile import NodeUse

Condition = Callable[[NodeUse], bool]


def has_dtype(*dtypes: str) -> Condition:
    """Whether the first input is of one of these element types."""
    return lambda node: bool(node.inputs) and node.inputs[0] is not None and node.inputs[0].dtype in dtypes


def is_square(node: NodeUse) -> bool:
    """Whether a product has two equal factors of integers."""
    first, *others = node.inputs
    return first is not None and bool(first.name) and all(o is not None and o.name == first.name for o in others) and INTEGERS(node)


def divides_wide_integers(node: NodeUse) -> bool:
    """Whether the first input has integers of 32 or 64 bits, other than sizes and places, which are small."""
    first = node.inputs[0]
    return first is not None and first.dtype in ("int32", "int64", "uint32", "uint64") and not (first.is_size or first.is_stored)


def has_wide_constant(node: NodeUse) -> bool:
    """Whether an input is a constant with an integer that 32 bits with a sign do not hold. A slice ends at the last element anyway. The
    bounds of int64 stand for no bound where numbers are compared, and in the table of powers of 2 by which bits are shifted."""
    numbers = {number for tensor in node.inputs if tensor is not None for number in tensor.extremes}
    is_allowed = node.op_type == "Slice" or (node.op_type in _COMPARING and numbers & _INT64_BOUNDS)
    return not is_allowed and any(not -(2**31) <= number < 2**31 for number in numbers)


def has_attribute(name: str, *values: object) -> Condition:
    """Whether an attribute has one of these values."""
    return lambda node: node.attributes.get(name) in values


INTEGERS = has_dtype("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
"""Whether the first input has integers."""
_INT64_BOUNDS = {-(2**63), 2**63 - 1}
_COMPARING = ("Max", "Min", "Clip", "Pad", "Where", "Gather")


def has_rank(rank: int) -> Condition:
    """Whether the first input has this number of axes."""
    return lambda node: bool(node.inputs) and node.inputs[0] is not None and node.inputs[0].rank == rank


def has_symbolic_result(node: OpNode) -> bool:
    """Whether a size of the first result of a stage is a symbol other than the batch."""
    return bool({name for size in node.outputs[0].type.shape for name in free_symbols(size)} - {BATCH})


def has_narrow_integers(node: OpNode) -> bool:
    """Whether the input of a stage has booleans, or integers of fewer than 64 bits."""
    dtype = node.inputs[0].type.dtype
    return not dtype.is_float and dtype.name != "int64"


def flips_symbolic_axis(node: OpNode) -> bool:
    """Whether a stage reverses an axis whose size is a symbol."""
    shape = node.inputs[0].type.shape
    return any(free_symbols(shape[axis]) for axis in node.op.args["axis"])


def has_wide_integers(node: OpNode) -> bool:
    """Whether a stage has a result of integers of 32 or 64 bits."""
    return node.outputs[0].type.dtype.name in ("int32", "int64")


def has_places_of_bytes(node: OpNode) -> bool:
    """Whether a stage gives the places of the largest of small integers, many of which are equal."""
    return len(node.outputs) > 1 and node.inputs[0].type.dtype.size == 1
