"""The parameters of a search, and the values that each may have.

>>> width = IntRange(64, 200, step=64)
>>> width.list_values()
[('64', 64), ('128', 128), ('192', 192)]
>>> FloatRange(1e-4, 1e-2, log=True).list_values() is None
True
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from netc.dsl.record import Record

MAX_LISTED = 1_000_000
"""The most values of one parameter that are listed."""


class SearchRange(Record):
    """The values that a parameter may have."""

    @abstractmethod
    def list_values(self) -> list[tuple[str, object]] | None:
        """Return all values in order, each with its text; None if there are too many to list."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the range as JSON. Two ranges with the same values have the same JSON."""

    @abstractmethod
    def take_ends(self) -> tuple[object, object]:
        """Return the first and the last value."""

    def read_value(self, proposed: Any) -> object:
        """Return the value of the parameter that a sampler's choice stands for."""
        return proposed


class IntRange(SearchRange):
    """Integers from `low` to `high`, both included, `step` apart. With `log`, a sampler draws their logarithms uniformly."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def last(self) -> int:
        """The largest value: `high`, or the last step below it."""
        return self.high - (self.high - self.low) % self.step

    def list_values(self) -> list[tuple[str, object]] | None:
        numbers = range(self.low, self.high + 1, self.step)
        return [(str(number), number) for number in numbers] if len(numbers) <= MAX_LISTED else None

    def take_ends(self) -> tuple[object, object]:
        return self.low, self.last

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.last, "step": self.step, "log": self.log}


class FloatRange(SearchRange):
    """Numbers from `low` to `high`, both included: all of them, or only those `step` apart."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def last(self) -> float:
        """The largest value: `high`, or the last step below it."""
        return self.high if self.step is None else self._get_value(self._count_steps())

    def _count_steps(self) -> int:
        low, high, step = (read_exactly(number) for number in (self.low, self.high, self.step or 0.0))
        return math.floor((high - low) / step) if step else 0

    def _get_value(self, index: int) -> float:
        return float(read_exactly(self.low) + index * read_exactly(self.step or 0.0))

    def list_values(self) -> list[tuple[str, object]] | None:
        if self.step is None or self._count_steps() >= MAX_LISTED:
            return None
        numbers = [self._get_value(index) for index in range(self._count_steps() + 1)]
        return [(repr(number), number) for number in numbers]

    def take_ends(self) -> tuple[object, object]:
        return self.low, self.last

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.last, "step": self.step, "log": self.log}

    def read_value(self, proposed: Any) -> object:
        """Return the value that was proposed. Of a range with a step, it is the nearest listed one, as Optuna adds in floats."""
        if self.step is None:
            return proposed
        return self._get_value(round((read_exactly(proposed) - read_exactly(self.low)) / read_exactly(self.step)))


def read_exactly(number: int | float) -> Fraction:
    """Return the decimal number that a number was written as. In floats, 0.1 + 2 * 0.1 is not 0.3."""
    return Fraction(repr(number))


class Alternatives(SearchRange):
    """Values in a list, each with its text."""

    values: tuple[tuple[str, object], ...]

    def list_values(self) -> list[tuple[str, object]] | None:
        return list(self.values)

    def take_ends(self) -> tuple[object, object]:
        return self.values[0][1], self.values[-1][1]

    def to_json(self) -> dict[str, Any]:
        return {"values": [text for text, _ in self.values]}

    def read_value(self, proposed: Any) -> object:
        """Return the value with this text."""
        return next(value for text, value in self.values if text == proposed)


SearchSpace = Mapping[str, SearchRange]
"""The range of each parameter, by its name."""
