"""Kinds of argument values: each checks a value and normalizes it.

In: a compile-time value: int, float, bool, str, SymDim, tuple, DType or Init. Words (`padding=same`) are str. Out: the normalized value, or
an `InvalidArgument`.

>>> SIZES.convert_value((3, 3)), INT.convert_value(2.0)
((3, 3), 2)
>>> COUNT.describe_values()
'an integer of at least 1'
"""

from __future__ import annotations

from math import inf, isfinite, nan
from typing import Generic, TypeVar

from ..dims import Dim, SymDim, bounds
from ..types.tensor_types import DTYPES, DType

T = TypeVar("T")


class InvalidArgument(Exception):
    """The value is not of the kind. The text says what is wrong with it if the kind's description does not: may be empty."""


class Kind(Generic[T]):
    """A set of allowed values. `words` has the values that are written as bare words."""

    words: tuple[str, ...] = ()
    varies: bool = False
    """Whether another value changes nothing in the graph but this number. Only then may the value keep its formula."""

    def describe_values(self) -> str:
        """Describe the values, to complete "expected ...": `an integer of at least 1`."""
        raise NotImplementedError

    def convert_value(self, value: object) -> T:
        raise NotImplementedError


def _range_words(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""


class IntKind(Kind[int]):
    """A plain integer within bounds."""

    def __init__(self, low: int | None = None, high: int | None = None, *, varies: bool = False) -> None:
        self.low, self.high, self.varies = low, high, varies

    def describe_values(self) -> str:
        return "an integer" + _range_words(self.low, self.high)

    def convert_value(self, value: object) -> int:
        # `2 * 1.5` is 3.0 in a text, and means 3. A bool is an int in Python, and never meant as one.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidArgument
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise InvalidArgument
        return value


class SizeKind(Kind[Dim]):
    """A dimension: an integer or a symbolic one, not provably below `low`."""

    varies = True

    def __init__(self, low: int | None = 1) -> None:
        self.low = low

    def describe_values(self) -> str:
        return "a size" + _range_words(self.low, None)

    def convert_value(self, value: object) -> Dim:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, (int, SymDim)):
            raise InvalidArgument
        # Only a size that is too small for every input is refused here. A size that may be too small is checked at
        # run time.
        highest = value if isinstance(value, int) else bounds(value)[1]
        if self.low is not None and highest is not None and highest < self.low:
            raise InvalidArgument
        return value


class AmountKind(SizeKind):
    """An integer or a dimension, also a negative one."""

    def __init__(self) -> None:
        super().__init__(None)

    def describe_values(self) -> str:
        return "an integer or a dimension"


class NumberKind(Kind["int | float"]):
    """A number; `above` and `below` exclude the bound itself."""

    varies = True

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        *,
        above: float | None = None,
        below: float | None = None,
    ) -> None:
        self.low, self.high, self.above, self.below = low, high, above, below

    def describe_values(self) -> str:
        strict = [f"above {self.above}"] * (self.above is not None) + [f"below {self.below}"] * (self.below is not None)
        return "a number" + _range_words(self.low, self.high) + (" " + " and ".join(strict) if strict else "")

    def convert_value(self, value: object) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidArgument
        too_low = (self.low is not None and value < self.low) or (self.above is not None and value <= self.above)
        too_high = (self.high is not None and value > self.high) or (self.below is not None and value >= self.below)
        if too_low or too_high or not _is_finite(value):
            raise InvalidArgument
        return value


NOT_FINITE = {"inf": inf, "-inf": -inf, "nan": nan}
"""The numbers that are not finite, by their words."""


class ExtendedKind(Kind["int | float"]):
    """A number or an infinity."""

    words: tuple[str, ...] = ("inf", "-inf")

    def describe_values(self) -> str:
        return _or_words(self.words)

    def convert_value(self, value: object) -> int | float:
        special = _parse_extended(value, self.words)
        return NumberKind().convert_value(value) if special is None else special


class ScalarKind(Kind["Dim | float | bool"]):
    """Any scalar: a number, a bool or a dimension."""

    varies = True

    def describe_values(self) -> str:
        return "a number"

    def convert_value(self, value: object) -> Dim | float | bool:
        if not isinstance(value, (int, float, SymDim)) or not _is_finite(value):
            raise InvalidArgument
        return value


class AnyScalarKind(ScalarKind):
    """Any scalar, or a number that is not finite."""

    words: tuple[str, ...] = tuple(NOT_FINITE)

    def describe_values(self) -> str:
        return _or_words(self.words)

    def convert_value(self, value: object) -> Dim | float | bool:
        special = _parse_extended(value, self.words)
        return super().convert_value(value) if special is None else special


def _or_words(words: tuple[str, ...]) -> str:
    return f"a number, {', '.join(f'`{word}`' for word in words[:-1])} or `{words[-1]}`"


def _parse_extended(value: object, words: tuple[str, ...]) -> float | None:
    """Parse a number that is not finite, from its word or itself. The NaN is always one object, so that tuples with it are equal."""
    word = str(value) if isinstance(value, float) else value
    return NOT_FINITE[word] if isinstance(word, str) and word in words else None


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or isfinite(value)


class FlagKind(Kind[bool]):
    def describe_values(self) -> str:
        return "`true` or `false`"

    def convert_value(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise InvalidArgument
        return value


class WordKind(Kind[str]):
    """One of a fixed set of words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def describe_values(self) -> str:
        quoted = [f"`{w}`" for w in self.words]
        return quoted[0] if len(quoted) == 1 else "one of " + ", ".join(quoted)

    def convert_value(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise InvalidArgument
        return value


class StringKind(Kind[str]):
    def describe_values(self) -> str:
        return "a string"

    def convert_value(self, value: object) -> str:
        if not isinstance(value, str):
            raise InvalidArgument
        return value


class DTypeKind(Kind[DType]):
    words = tuple(DTYPES)

    def describe_values(self) -> str:
        return "an element type such as `float32`"

    def convert_value(self, value: object) -> DType:
        # `cast float32` in a text passes a word, `cast x.dtype` an element type.
        if isinstance(value, DType):
            return value
        if not isinstance(value, str) or value not in DTYPES:
            raise InvalidArgument
        return DTYPES[value]


Item = TypeVar("Item")


class ListKind(Kind[tuple[Item, ...]], Generic[Item]):
    """A list. With `scalar`, a single item counts as a list of one."""

    def __init__(self, item: Kind[Item], *, scalar: bool = False, least: int = 0) -> None:
        self.item, self.scalar, self.least = item, scalar, least
        self.varies = item.varies

    def describe_values(self) -> str:
        many = "a list, each item " + self.item.describe_values()
        return f"{self.item.describe_values()}, or {many}" if self.scalar else many

    def convert_value(self, value: object) -> tuple[Item, ...]:
        if isinstance(value, tuple):
            if len(value) < self.least:
                raise InvalidArgument
            return tuple(self.item.convert_value(v) for v in value)
        if not self.scalar:
            raise InvalidArgument
        return (self.item.convert_value(value),)


class SizesKind(Kind["int | tuple[int, ...]"]):
    """One integer for all spatial axes, or a dims literal or list with one integer for each. The operator checks their number."""

    varies = True

    def __init__(self, low: int | None = 1) -> None:
        self.one = IntKind(low)

    def describe_values(self) -> str:
        return f"{self.one.describe_values()}, or one for each axis (`3x3`)"

    def convert_value(self, value: object) -> int | tuple[int, ...]:
        if isinstance(value, tuple):
            return tuple(self.one.convert_value(v) for v in value)
        return self.one.convert_value(value)


INT = IntKind()
COUNT = IntKind(1, varies=True)
SIZE = SizeKind(1)
DIM = SizeKind(None)
NUMBER = NumberKind()
EXTENDED = ExtendedKind()
FRACTION = NumberKind(0, 1)
SCALAR = ScalarKind()
ANY_SCALAR = AnyScalarKind()
FLAG = FlagKind()
STRING = StringKind()
DTYPE = DTypeKind()
# Not `varies`: another axis makes other shapes, so its value cannot stay a formula.
AXIS = IntKind()
AXES = ListKind(AXIS, scalar=True, least=1)
SIZES = SizesKind(1)
SIZES0 = SizesKind(0)
AMOUNT = AmountKind()
SHAPE = ListKind(DIM)
