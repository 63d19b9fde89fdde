"""Sets of element types that an input may have, each with the error for other types.

In: the element type of an input. Out: whether it is in the set, or the problem to report. Always: `a | b` reports what `a` reports.

    >>> (FLOATS | INTEGERS).text, "bool" in BOOLS.names
    ('float or integer', True)
"""

from __future__ import annotations

from collections.abc import Callable

from netc.dsl.record import Record

from ..errors.arithmetic import NeedsNumber
from ..errors.attention import MaskType
from ..errors.dense import NarrowIndices
from ..errors.indexing import LongIndices
from ..errors.operator_errors import NeedsBool, NeedsFloat, NeedsInteger
from ..errors.problem import Problem
from ..errors.spectral import NeedsFullFloat
from ..types.tensor_types import DTYPES, DType, TensorType


class ElementTypes(Record):
    """A set of element types. `problem` makes the error from the operator's name and the type of the input; `text` names the set in the
    reference."""

    names: tuple[str, ...]
    problem: Callable[[str, TensorType], Problem]
    text: str

    def __contains__(self, dtype: DType) -> bool:
        return dtype.name in self.names

    def make_problem(self, operator: str, found: TensorType, first: TensorType) -> Problem:
        """Make the problem of an input of the type `found`. `first` is the type of the first input."""
        return self.problem(operator, found)

    def __or__(self, other: ElementTypes) -> ElementTypes:
        more = tuple(name for name in other.names if name not in self.names)
        return ElementTypes(self.names + more, self.problem, f"{self.text} or {other.text}")


class MaskTypes(ElementTypes):
    """The element types of attention masks: bool, or a float that is added to the scores."""

    def make_problem(self, operator: str, found: TensorType, first: TensorType) -> Problem:
        return MaskType(operator, f"bool or {first.dtype}", found)


def _of_kinds(*kinds: str) -> tuple[str, ...]:
    return tuple(name for name, dtype in DTYPES.items() if dtype.kind in kinds)


def _not_an_index(operator: str, found: TensorType) -> Problem:
    # An int8 index needs a cast, a float index another tensor, so the two have different messages.
    return NarrowIndices(operator, found) if found.dtype.is_integer else NeedsInteger(operator, found)


def _not_a_long_index(operator: str, found: TensorType) -> Problem:
    return LongIndices(operator, found) if found.dtype.is_integer else NeedsInteger(operator, found)


FLOATS = ElementTypes(_of_kinds("float"), NeedsFloat, "float")
INTEGERS = ElementTypes(_of_kinds("int", "uint"), NeedsInteger, "integer")
BOOLS = ElementTypes(("bool",), NeedsBool, "bool")
NUMBERS = ElementTypes(_of_kinds("float", "int", "uint"), NeedsNumber, "float or integer")
ANY = ElementTypes(tuple(DTYPES), NeedsNumber, "any type")
# Images as they are stored, which `upsample` takes without a cast.
BYTES = ElementTypes(("uint8",), NeedsInteger, "uint8")
LONGS = ElementTypes(("int64",), _not_a_long_index, "int64")
INDICES = ElementTypes(("int64", "int32"), _not_an_index, "int64 or int32")
MASKS = MaskTypes((*FLOATS.names, "bool"), NeedsFloat, "float or bool")
FULL_FLOATS = ElementTypes(("float32", "float64"), NeedsFullFloat, "float32 or float64")
FULL_OR_INTEGERS = FULL_FLOATS | INTEGERS | BOOLS
