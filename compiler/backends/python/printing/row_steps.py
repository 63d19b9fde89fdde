"""Finds the steps from one member of a row to the next: how its literals change.

In: the literals of members that are equal otherwise. Out: runs of members in equal steps: `64, 128, 256, 7` is a run with `Times(2)`, and
a run of one. Always: the steps from a member to the next are exact or, for probabilities, exact up to rounding errors.

    >>> rows = [[Lit(number)] for number in (64, 128, 256, 7)]
    >>> list(split_progressions(rows))
    [(0, 3, (Times(factor=2),)), (3, 4, ())]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from fractions import Fraction
from itertools import pairwise

from netc.dsl.record import Record

from ....dims import Dim, SymDim, free_symbols, make_symbol, substitute_symbols
from ....dims.polynomial import FloorQuotient
from ....types.traced_ints import TracedInt, is_integer
from ..code.class_tree import StrictLiteral
from ..code.python_expressions import Lit, Literal, Probability
from .number_literals import to_fraction

LEAST = 3
"""The least number of members in a row that are written as a comprehension."""
_ITEM = re.compile(r"\[(\d+)\]$")


class Times(Record):
    """A step to the next power of `factor`."""

    factor: int


class Over(Record):
    """A step to the quotient by the next power of `factor`: from `width // 2` to `width // 4`."""

    factor: int


Step = int | Fraction | str | Times | Over | None
"""A step from one literal to the next. A number is added, a power multiplied (`Times`) or a formula divided (`Over`). `label`: the number
in a text goes up by one. `item`: the indices in a formula do. `alternating`: the value returns to the one before. None: nothing
changes."""
Ways = tuple[Step, ...]
"""The steps that lead from one literal to the next, the simplest first."""
LABEL = "label"
ITEM = "item"
ALTERNATING = "alternating"


def split_progressions(rows: list[list[Lit]]) -> Iterator[tuple[int, int, tuple[Step, ...]]]:
    """Split rows into runs of equal steps: the first row, the end, and the steps. A row that no step leads to is a run of its own."""
    start = 0
    before: list[Ways] | None = None
    alternating = {i for i, column in enumerate(zip(*rows, strict=True)) if _is_alternating([lit.value for lit in column])}
    for index, (row, next_row) in enumerate(pairwise(rows), 1):
        steps = _find_steps(row, next_row, alternating)
        both = steps if index - start == 1 else _intersect_ways(before, steps)
        if both is not None:
            before = both
            continue
        # Any two members follow some pattern, so the second one more likely begins the next run.
        end = index - 1 if index - start == 2 and steps is not None else index
        yield start, end, _choose_simplest(before)
        start, before = end, steps if end < index else None
    yield start, len(rows), _choose_simplest(before)


def _is_alternating(values: list[Literal]) -> bool:
    """Whether two values alternate."""
    first, second, *_ = several = list(map(StrictLiteral, values))
    return len(values) > LEAST and first != second and all(v == (first, second)[i % 2] for i, v in enumerate(several))


def _choose_simplest(ways: list[Ways] | None) -> tuple[Step, ...]:
    return tuple(way[0] for way in ways or ())


def _intersect_ways(first: list[Ways] | None, second: list[Ways] | None) -> list[Ways] | None:
    """Return the steps that are in both, or None if a literal has no common step."""
    shared = [tuple(s for s in a if s in b) for a, b in zip(first or (), second or (), strict=False)]
    return shared if first is not None and second is not None and all(shared) else None


def _find_steps(first: list[Lit], second: list[Lit], alternating: Container[int]) -> list[Ways] | None:
    ways: list[Ways] = []
    for index, (a, b) in enumerate(zip(first, second, strict=True)):
        if index in alternating:
            ways.append((ALTERNATING,))
        elif StrictLiteral(a.value) == StrictLiteral(b.value):
            ways.append((None,))
        elif (x := to_exact(a)) is not None and (y := to_exact(b)) is not None and type(x) is type(y):
            ways.append((y - x, *_iterate_power_steps(x, y), *_iterate_formula_steps(x, y)))
        elif isinstance(a.value, str) and isinstance(b.value, str) and _is_next_label(a.value, b.value):
            ways.append((LABEL,))
        else:
            return None
    return ways


def _iterate_power_steps(first: int | Fraction, second: int | Fraction) -> Iterator[Times]:
    """Yield the factor if both are consecutive powers of it."""
    # Powers only of `factor` itself: from 6 to 12 is no step between powers of 2.
    if type(first) is int and type(second) is int and second > first > 0 and second % first == 0:
        factor = second // first
        if factor ** find_exponent(first, factor) == first:
            yield Times(factor)


def _iterate_formula_steps(first: int | Fraction, second: int | Fraction) -> Iterator[Step]:
    """Yield the steps that lead from one formula to the other."""
    if not (isinstance(first, TracedInt) and isinstance(second, TracedInt)):
        return
    (top, divisor), (same, next_divisor) = split_quotient(first.origin), split_quotient(second.origin)
    factor = next_divisor // divisor
    if top == same and factor > 1 and factor ** find_exponent(next_divisor, factor) == next_divisor:
        yield Over(factor)
    if shift_items(first.origin, lambda index: str(index + 1)) == second.origin != first.origin:
        yield ITEM


def split_quotient(formula: Dim) -> tuple[Dim, int]:
    """Split a quotient into its dividend and its divisor, which is 1 for other formulas."""
    match list(formula.terms.items()) if isinstance(formula, SymDim) else []:
        case [((FloorQuotient(top=top, bottom=int() as bottom),), 1)]:
            return top, bottom
    return formula, 1


def shift_items(formula: Dim, index: Callable[[int], str]) -> Dim:
    """Move the formula to other items of its tuples: `rates[0]` is a symbol of its own."""
    matches = {name: match for name in free_symbols(formula) if (match := _ITEM.search(name)) is not None}
    places = {name: make_symbol(f"{name[: match.start()]}[{index(int(match[1]))}]", lower=None) for name, match in matches.items()}
    return substitute_symbols(formula, places) if places else formula


def find_exponent(power: int, factor: int) -> int:
    exponent = 0
    while power % factor == 0:
        power //= factor
        exponent += 1
    return exponent


def to_exact(lit: Lit) -> int | Fraction | None:
    """Return an integer, or the fraction nearest to a probability. None for values that no steps lead to."""
    if isinstance(lit, Probability) and isinstance(lit.value, float):
        numerator, denominator = to_fraction(lit.value) or (0, 0)
        # Through text, because the float 0.1 is not the fraction 1/10, and steps are compared exactly.
        return Fraction(f"{numerator:.12g}") / denominator if denominator else None
    return lit.value if is_integer(lit.value) else None


def get_constant(number: int | Fraction) -> int | Fraction:
    """Return a number, or the constant term of a formula."""
    return number.origin.terms.get((), 0) if isinstance(number, TracedInt) else number


def split_label(label: str) -> list[str]:
    """Split a label into text and, at odd positions, the numbers in it."""
    return re.split(r"(\d+)", label)


def _is_next_label(label: str, next_label: str) -> bool:
    """Whether the texts differ in one number, by one."""
    a, b = split_label(label), split_label(next_label)
    if len(a) != len(b):
        return False
    changed = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    return (
        len(changed) == 1
        and changed[0] % 2 == 1
        # `layer01` is not written by an f-string with a plain number.
        and all(n == str(int(n)) for n in (a[changed[0]], b[changed[0]]))
        and (int(b[changed[0]]) == int(a[changed[0]]) + 1)
    )


def split_changed_label(label: str, changed: str) -> tuple[str, int, str]:
    """Split a label at the number that changes: the text before it, the number, and the text after it."""
    a, b = split_label(label), split_label(changed)
    start = next(i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y)
    return "".join(a[:start]), int(a[start]), "".join(a[start + 1 :])
