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


def has_attribute(name: str, *values: object) -> Condition:
    """Whether an attribute has one of these values."""
    return lambda node: node.attributes.get(name) in values


def has_rank(rank: int) -> Condition:
    """Whether the first input has this number of axes."""
    return lambda node: bool(node.inputs) and node.inputs[0] is not None and node.inputs[0].rank == rank


def has_symbolic_result(node: OpNode) -> bool:
    """Whether a size of the first result of a stage is a symbol other than the batch."""
    return bool({name for size in node.outputs[0].type.shape for name in free_symbols(size)} - {BATCH})


def has_places_of_bytes(node: OpNode) -> bool:
    """Whether a stage gives the places of the largest of small integers, many of which are equal."""
    return len(node.outputs) > 1 and node.inputs[0].type.dtype.size == 1
