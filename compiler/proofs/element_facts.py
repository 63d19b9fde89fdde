"""What is known of the elements of a tensor in one case: their values, and what they depend on.

>>> add_facts(Fact(make_point(-10000.0)), Fact(depends=frozenset({0}))).penalty
-10000.0
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netc.dsl.record import Record, replace

from ..ops.interval_arithmetic import UNKNOWN, Interval, apply_binary, truth_interval, unite_intervals
from ..types.tensor_types import BOOL, DType
from .position_relations import COUNT, NOTHING, OTHER, Labels

PENALTY = -1e4
"""A score with this number added, or a lower one, has a weight of 0: float32's exponential underflows long before."""
_EXACT = 2**24
"""Integers up to here are exact in float32, and arithmetic on them too."""


class SampleIndex(Record):
    """A number for each sample: `rows` times the index of the sample in a tensor `[N * T]`, plus `lengths` times its number of visible
    positions, plus `offset`."""

    rows: int = 0
    lengths: int = 0
    offset: int = 0


class Fact(Record):
    """`interval` holds the values, as long as they are finite. `group`: the values are the numbers of the group with this label.
    `penalty`: a number of -1e4 or less that was added to the values. `depends`: the labels of the positions that they depend on. `index`:
    the values are this index of the sample that the element belongs to."""

    interval: Interval = UNKNOWN
    depends: Labels = NOTHING
    group: int | None = None
    penalty: float | None = None
    index: SampleIndex | None = None

    @property
    def is_constant(self) -> bool:
        """Whether all elements have the same known value, so that they depend on nothing."""
        return self.interval.low == self.interval.high and not self.interval.nan

    @property
    def is_zero(self) -> bool:
        return self.is_constant and self.interval.low == 0

    @property
    def is_infinite(self) -> bool:
        return self.is_constant and self.interval.infinite

    @property
    def hiding(self) -> float | None:
        """The number that makes the weight of this score 0, if there is one."""
        if self.penalty is not None:
            return self.penalty
        return self.interval.high if self.interval.high <= PENALTY and not self.interval.nan else None


def make_point(value: float) -> Interval:
    """The interval of one number."""
    return Interval(value, value, infinite=abs(value) == float("inf"))


def drop_constant_dependence(fact: Fact) -> Fact:
    """Return a fact whose elements depend on nothing if they are constant."""
    return replace(fact, depends=NOTHING) if fact.is_constant and fact.depends else fact


def add_count_dependence(fact: Fact) -> Fact:
    """Return a fact whose elements depend on the number of positions, unless they are constant, or depend on the positions themselves."""
    return fact if OTHER in fact.depends else drop_constant_dependence(replace(fact, depends=fact.depends | {COUNT}))


def join_facts(facts: Sequence[Fact]) -> Fact:
    """Return what holds of the elements of all facts."""
    penalties = [fact.penalty if fact.penalty is not None else fact.hiding for fact in facts]
    known = [p for p in penalties if p is not None]
    groups, indices = {fact.group for fact in facts}, {fact.index for fact in facts}
    return Fact(
        unite_intervals(fact.interval for fact in facts),
        unite_labels(facts),
        groups.pop() if len(groups) == 1 else None,
        max(known) if len(known) == len(facts) else None,
        indices.pop() if len(indices) == 1 else None,
    )


def unite_labels(facts: Iterable[Fact]) -> Labels:
    return NOTHING.union(*(fact.depends for fact in facts))


def make_result(interval: Interval, facts: Sequence[Fact]) -> Fact:
    """Return the fact of an element that is computed from one element of each fact."""
    return drop_constant_dependence(Fact(interval, unite_labels(facts)))


def add_facts(a: Fact, b: Fact) -> Fact:
    # A hidden score stays hidden, whatever ordinary score is added to it.
    for one, other in ((a, b), (b, a)):
        if one.is_infinite and not other.is_infinite:
            return Fact(one.interval)
    result = make_result(round_interval(apply_binary("+", a.interval, b.interval, integers=False)), (a, b))
    lowest = min((h for h in (_add_penalty(a, b), _add_penalty(b, a)) if h is not None), default=None)
    return replace(result, penalty=lowest, index=_add_indices(a, b))


def _add_indices(a: Fact, b: Fact) -> SampleIndex | None:
    first, second = (_read_index(fact) for fact in (a, b))
    if first is None or second is None or (a.index is None and b.index is None):
        return None
    return SampleIndex(first.rows + second.rows, first.lengths + second.lengths, first.offset + second.offset)


def _read_index(fact: Fact) -> SampleIndex | None:
    """Return the index that the values are; an integer is one too."""
    is_integer = fact.is_constant and not fact.is_infinite and fact.interval.low % 1 == 0
    return SampleIndex(offset=int(fact.interval.low)) if is_integer else fact.index


def _add_penalty(hidden: Fact, other: Fact) -> float | None:
    """The penalty of a hidden score after adding another one, which is an ordinary score unless its bound is known."""
    if hidden.hiding is None:
        return None
    known = other.interval.high
    penalty = hidden.hiding + (known if 0 < known < float("inf") else 0)
    return penalty if penalty <= PENALTY else None


def limit_to_type(fact: Fact, dtype: DType) -> Fact:
    """Return a fact of an element type: integers wrap, and booleans are 0 or 1."""
    if dtype == BOOL:
        return replace(fact, interval=truth_interval(fact.interval.truth))
    low, high = dtype.limits
    if dtype.is_integer and not low <= fact.interval.low <= fact.interval.high <= high:
        return replace(fact, interval=UNKNOWN, penalty=None)
    return fact


def multiply_facts(a: Fact, b: Fact) -> Fact:
    """Multiply. 0 times a finite number is 0."""
    for one, other in ((a, b), (b, a)):
        if one.is_zero and not other.is_infinite:
            return Fact(make_point(0.0))
    result = make_result(round_interval(apply_binary("*", a.interval, b.interval, integers=False)), (a, b))
    for one, other in ((a, b), (b, a)):
        if one.hiding is not None and other.interval.low > 0:
            scaled = one.hiding * other.interval.low
            return replace(result, penalty=scaled if scaled <= PENALTY else None)
    return result


def round_interval(interval: Interval) -> Interval:
    """Return an interval that holds the numbers in any floating-point type. Only small integers are exact in all of them."""
    low, high = interval.low, interval.high
    if low == high and (abs(low) == float("inf") or (low % 1 == 0 and abs(low) <= _EXACT)):
        return interval
    return replace(interval, low=low - abs(low) * _SLACK - _TINY, high=high + abs(high) * _SLACK + _TINY)


_SLACK, _TINY = 0.01, 1e-30
"""More than rounding to any floating-point type moves a number."""
