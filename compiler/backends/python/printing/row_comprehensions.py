"""Members in a row that follow a pattern: one comprehension instead of a list.

In: members of a sequence, a list or a dictionary. Out: the same members, in the same order, with `GeneratorStar` for runs whose members
differ in literals only: `Block(0.1), Block(0.2), ...` becomes `*(Block(0.1 * (i + 1)) for i in range(5))`. Always: the comprehension makes
exactly the run, member by member, up to rounding errors of probabilities. A number becomes a formula of the index only if the same step
leads from every member to the next. The search is linear in the number of members.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from typing import cast

from netc.dsl.record import replace
from netc.dsl.trees import find_literals, rewrite_downward, shape_key, walk_tree, with_literals, zip_trees

from ....dims import SymDim
from ....types.traced_ints import TracedInt, is_integer
from ..code.class_tree import Argument, Formatted, GeneratorStar, IfElse, NameCode, RepeatStar, StrictLiteral
from ..code.python_expressions import CallCode, Code, Infix, ItemCode, KeywordCode, Lit, Literal, Probability, Share, TupleCode
from ..identifiers import make_unique, make_variable_name, singularize
from .constructor_formulas import trace_numbers
from .firsts import merge_firsts
from .member_names import INDICES, collect_names
from .number_literals import to_fraction
from .row_steps import (
    ALTERNATING,
    ITEM,
    LABEL,
    LEAST,
    Over,
    Step,
    Times,
    find_exponent,
    get_constant,
    shift_items,
    split_changed_label,
    split_progressions,
    split_quotient,
    to_exact,
)

COUNTED = 5
"""The least number of values in equal steps that are written as a formula. Fewer are listed."""
POWERS = 4
"""The same number for powers."""


def make_comprehensions(items: list[Code]) -> list[Code]:
    """The same members, with runs that follow a pattern as `GeneratorStar`."""
    items = merge_firsts(items)
    # Formulas and shapes are compared only for rows long enough to become a comprehension.
    if len(items) < LEAST:
        return items
    written: dict[int, Code] = {}
    keyed: list[tuple[object, Code]] = []
    for item in items:
        known = isinstance(item, (RepeatStar, GeneratorStar, Lit))
        traced = item if known else trace_numbers(item)
        written[id(traced)] = item
        keyed.append((None if known else shape_key(traced), traced))
    result: list[Code] = []
    for key, group in groupby(keyed, key=lambda pair: pair[0]):
        run = [item for _, item in group]
        result += run if key is None or len(run) < LEAST else _write_run(run)
    return [written.get(id(item), item) for item in result]


def _is_repeat(run: list[Code]) -> bool:
    """Whether the members are layers, and all but the first are equal."""
    return isinstance(run[0], CallCode) and all(item == run[1] for item in run[2:])


def _write_run(run: list[Code]) -> list[Code]:
    """Write a run of one shape: in one piece if possible, else in parts that go in equal steps."""
    items = _make_item_comprehension(run)
    if items is not None:
        return [items]
    parts = [_Progression(run[start:end], steps) for start, end, steps in split_progressions([find_literals(item) for item in run])]
    if len(parts) == 1 and parts[0].is_clearer():
        return [parts[0].to_code()]
    if (nested := _nest_comprehensions([_make_item_comprehension(part.members) for part in parts])) is not None:
        return [nested]
    if _is_repeat(run):
        return run if len(run) <= LEAST else [run[0], RepeatStar(run[1], Lit(len(run) - 1))]
    listed = _list_values(run)
    if listed is not None:
        return [listed]
    return [code for part in parts for code in ([part.to_code()] if part.is_clearer() else part.members)]


def _make_item_comprehension(run: list[Code]) -> Code | None:
    """Write a run as a comprehension over a tuple if each member has one of its items, and they differ in nothing else."""
    member_items = [{p for p in walk_tree(item) if isinstance(p, ItemCode)} for item in run]
    # Two items in one member could come from different positions, and one loop variable cannot be both.
    if not all(len(items) == 1 for items in member_items):
        return None
    of = [next(iter(items)) for items in member_items]
    if [ItemCode(of[0].target, (Lit(i),), len(run)) for i in range(len(run))] != of or not isinstance(of[0].target, Argument):
        return None
    used_names = collect_names(TupleCode(tuple(run)))
    name = singularize(of[0].target.name)
    variable = NameCode(make_unique(name if name not in used_names else "value", used_names))
    written = {rewrite_downward(item, lambda p, items=items: variable if p == items else None) for item, items in zip(run, of, strict=True)}  # type: ignore[misc]
    return GeneratorStar(written.pop(), variable.text, of[0].target) if len(written) == 1 else None


def _nest_comprehensions(rows: list[Code | None]) -> Code | None:
    """Write repeated comprehensions over one tuple as one comprehension in another."""
    stars = [row for row in rows if isinstance(row, GeneratorStar)]
    if len(rows) < LEAST or len(stars) < len(rows) or len({(s.variable, s.iterable, shape_key(s.item)) for s in stars}) > 1:
        return None
    match _write_run([s.item for s in stars]):
        case [GeneratorStar(item, variable, iterable)] if not isinstance(item, GeneratorStar):
            return GeneratorStar(GeneratorStar(item, stars[0].variable, stars[0].iterable), variable, iterable)
    return None


# --- equal steps -----------------------------------------------------------------------------------------------------------


class _Progression:
    """Members in which each follows from the previous one by the same steps."""

    def __init__(self, members: list[Code], steps: tuple[Step, ...]) -> None:
        self.members, self.steps = members, steps

    def is_clearer(self) -> bool:
        """Whether formulas read better than a list."""
        # Alternating values alone would be a formula longer than their list.
        count, moved = len(self.members), [s for s in self.steps if s not in (None, ALTERNATING)]
        if count < LEAST:
            return False
        least = POWERS if any(isinstance(s, Times) for s in moved) else LEAST if self._is_share() else COUNTED
        return any(moved) and (any(isinstance(s, (str, Fraction, Over)) for s in moved) or count >= least)

    def _is_share(self) -> bool:
        """Whether each changing number is part of a probability, or an index, for which a list of values has no name."""
        inside = {id(lit) for p in walk_tree(self.members[0]) if isinstance(p, (Share, ItemCode)) for lit in find_literals(p)}
        return all(s is None or id(lit) in inside for lit, s in zip(find_literals(self.members[0]), self.steps, strict=True))

    def to_code(self) -> Code:
        first, second = (find_literals(m) for m in self.members[:2])
        used_names = collect_names(self.members[0])
        self.index = NameCode(next((n for n in INDICES if n not in used_names), make_unique(INDICES[0], used_names)))
        self.base = self._choose_base(first, second)
        formulas = iter([self._make_formula(a, b, s) for a, b, s in zip(first, second, self.steps, strict=True)])
        item = with_literals(self.members[0], formulas)
        bounds = (self.base, self.base + len(self.members)) if self.base else (len(self.members),)
        return GeneratorStar(item, self.index.text, CallCode("range", tuple(Lit(n) for n in bounds)))

    def _choose_base(self, first: list[Lit], second: list[Lit]) -> int:
        """Return where the index starts: where the labels do, else where all numbers are multiples of one step, else 0."""
        moved = [(to_exact(a), s) for a, s in zip(first, self.steps, strict=True) if isinstance(s, (int, Fraction))]
        numbers = [(n, s) for n, s in moved if n is not None]
        labels = [(cast("str", a.value), cast("str", b.value)) for a, b, s in zip(first, second, self.steps, strict=True) if s == LABEL]
        powers = [(cast("int", a.value), s.factor) for a, s in zip(first, self.steps, strict=True) if isinstance(s, Times)]
        starts = {split_changed_label(a, b)[1] for a, b in labels} or {find_exponent(n, factor) for n, factor in powers}
        starts = (
            starts or {int(n / s) for n, s in numbers if isinstance(n, Fraction)} or {int(get_constant(n)) for n, s in numbers if s == 1}
        )
        start = starts.pop() if len(starts) == 1 else 0
        return start if start >= 0 and all(get_constant(n) == start * s for n, s in numbers) else 0

    def _make_formula(self, first_literal: Lit, second_literal: Lit, step: Step) -> Code:
        if step is None:
            return first_literal
        if step == ALTERNATING:
            even = Infix("==", Infix("%", self.index, Lit(2)), Lit(0))
            return IfElse(even, second_literal, first_literal) if self.base % 2 else IfElse(even, first_literal, second_literal)
        if isinstance(step, Times):
            return Infix(
                "**", Lit(step.factor), self._add_to_index(find_exponent(cast("int", first_literal.value), step.factor) - self.base)
            )
        if isinstance(step, Over):
            top, divisor = split_quotient(cast("TracedInt", first_literal.value).origin)
            assert isinstance(top, SymDim)
            power = Infix("**", Lit(step.factor), self._add_to_index(find_exponent(divisor, step.factor) - self.base))
            return Infix("//", Lit(TracedInt(0, top)), power)
        if step == ITEM:
            shifted = shift_items(
                cast("TracedInt", first_literal.value).origin, lambda index: _format_index_sum(self.index.text, index - self.base)
            )
            assert isinstance(shifted, SymDim)
            return Lit(TracedInt(0, shifted))
        if isinstance(step, str):
            before, number, after = split_changed_label(cast("str", first_literal.value), cast("str", second_literal.value))
            return Formatted(before, self._add_to_index(number - self.base), after)
        start = cast("int | Fraction", to_exact(first_literal)) - step * self.base
        if step == 1 and isinstance(start, int):
            return self._add_to_index(start)
        if start == 0 and step > 0:
            return self._multiply_index(step)
        first: Code = Lit(start) if isinstance(start, int) else Probability(float(start))
        return Infix("+", first, self._multiply_index(step)) if step > 0 else Infix("-", first, self._multiply_index(-step))

    def _multiply_index(self, step: int | Fraction) -> Code:
        """Write a multiple of the index."""
        numerator, denominator = (step, 1) if isinstance(step, int) else to_fraction(float(step)) or (float(step), 1)
        number = numerator if is_integer(numerator) else int(numerator) if numerator == int(numerator) else float(numerator)
        product = self.index if number == 1 else Infix("*", Lit(number), self.index)
        return product if denominator == 1 else Infix("/", product, Lit(denominator))

    def _add_to_index(self, number: int) -> Code:
        """Write the sum of the index and a number."""
        return Infix("+" if number > 0 else "-", self.index, Lit(number if number > 0 else -number)) if number else self.index


def _format_index_sum(index: str, offset: int) -> str:
    """Write the sum of an index and a number."""
    return f"{index} {'+' if offset > 0 else '-'} {abs(offset)}" if offset else index


# --- one value each --------------------------------------------------------------------------------------------------------


def _list_values(run: list[Code]) -> Code | None:
    """Write members that differ in one literal, whatever its values are. Values that repeat periodically are written once."""
    differences = LiteralDifferences(set[str]().union(*map(collect_names, run)))
    item = differences.merge_codes(run)
    if len(differences.found) != 1:
        return None
    # A probability in any of the members is one in all: rounding errors are left out of the whole list.
    ((name, values),) = differences.found.items()
    kind = (
        Probability if any(isinstance(lit, Probability) and StrictLiteral(lit.value) == values[0] for lit in find_literals(run[0])) else Lit
    )
    period = next(p for p in range(1, len(values) + 1) if len(values) % p == 0 and values[:p] * (len(values) // p) == values)
    if LEAST <= period < len(values):
        match _write_run(run[:period]):
            case [GeneratorStar(counted, index, CallCode() as numbers)]:
                again = CallCode("range", (Lit(len(values) // period),))
                return GeneratorStar(GeneratorStar(counted, index, numbers), "_", again)
    once = TupleCode(tuple(kind(cast("Literal", v.value)) for v in values[:period]))
    return GeneratorStar(item, name, once if period == len(values) else Infix("*", once, Lit(len(values) // period)))


class LiteralDifferences:
    """The literals in which members differ, each with a name for it and its values."""

    def __init__(self, used_names: set[str]) -> None:
        self.taken = used_names
        self.found: dict[str, tuple[StrictLiteral, ...]] = {}

    def merge_codes(self, codes: Sequence[Code], keyword: str = "") -> Code:
        first = codes[0]
        if all(c is first for c in codes):
            return first
        if isinstance(first, KeywordCode):
            return replace(first, value=self.merge_codes([c.value for c in cast("list[KeywordCode]", codes)], first.name))
        if not isinstance(first, Lit):
            return zip_trees(codes, self.merge_codes)
        # Two literals with the same values in all members share one variable.
        values = tuple(StrictLiteral(c.value) for c in cast("list[Lit]", codes))
        if len(set(values)) == 1:
            return first
        hint = first.hint or keyword
        name = next((n for n, v in self.found.items() if v == values), None) or self._choose_name(make_variable_name(hint or "value"))
        self.found[name] = values
        return NameCode(name)

    def _choose_name(self, name: str) -> str:
        """Return the name, its last word (`features` for `in_features`) or `value`, made unique."""
        # `in_features` may be the name of an argument around the comprehension; `features` reads as well.
        free = next((n for n in (name, name.rpartition("_")[2]) if n and n not in self.taken), "value")
        return make_unique(free, self.taken | self.found.keys())
