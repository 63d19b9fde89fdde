"""Turn the conditions of `where` into a normal form for each dimension, and facts.

In: the names of dimensions, conditions over their raw symbols (`make_symbol(name)`), and sizes that a caller fixes (`--dim T=8`). Out: the
form of each
name from now on, and the remaining facts. Always: a condition is used in one of three ways: as another form of a symbol (`S == 2*T`,
`S % 32 == 0`), as bounds of it, or as a fact; one that cannot hold is reported instead.

    >>> S, T = make_symbol("S"), make_symbol("T")
    >>> declare_dims(["S", "T"], [Condition("==", S, 2 * T)], {}).dims
    {'S': 2*T, 'T': T}
    >>> declare_dims(["T"], [Condition(">=", T, 9)], {"T": 8}).contradictions
    [Condition(op='>=', left=T, right=9)]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import gcd

from netc.dsl.record import Record, replace

from .comparisons import Condition, OneOf
from .dim_bounds import bounds, ceil_div
from .division import substitute_symbols
from .facts import Facts
from .polynomial import Dim, Monomial, Quotient, Symbol, dim_from_terms, free_symbols, make_quotient, make_symbol, terms_of
from .where_conditions import (
    WhereCondition,
    add_condition,
    as_linear,
    as_modular,
    chinese_remainder,
    comparison_holds,
    condition_symbols,
    implied_comparisons,
    is_unproved_bound,
    lone_symbol_name,
    may_be_empty,
    substitute_sides,
)


class Declared(Record):
    """The result of `declare_dims`. The conditions in `contradictions` cannot hold; those in `ignored` mention undeclared names."""

    dims: dict[str, Dim]
    facts: Facts
    contradictions: list[WhereCondition]
    ignored: list[WhereCondition]


class _Range:
    """The known range of one free symbol: `lower <= S <= upper`, `S % step == rest`, and `S % divisor == 0` for a symbolic divisor."""

    def __init__(self, lower: int) -> None:
        self.lower = lower
        self.upper: int | None = None
        self.step = 1
        self.rest = 0
        self.divisor: Dim | None = None

    def bounds_as_comparisons(self) -> list[tuple[str, int]]:
        return [(">=", self.lower)] + ([("<=", self.upper)] if self.upper is not None else [])

    def has_value_between(self, lower: int, upper: int | None, step: int, rest: int) -> bool:
        return upper is None or lower + (rest - lower) % step <= upper


def declare_dims(names: Iterable[str], conditions: Sequence[WhereCondition], fixed: Mapping[str, int]) -> Declared:
    """Return the form of each of `names`, given that the conditions hold. Names in `fixed` have these values, and conditions are checked.

    A dimension is at least 1, unless a condition on it alone says that it may be 0: `P >= 0`, `P in [0, 8]`."""
    return _ConditionSolver(list(names), fixed, may_be_empty(conditions)).solve_conditions(conditions)


class _ConditionSolver:
    def __init__(self, names: list[str], fixed: Mapping[str, int], empty: frozenset[str]) -> None:
        self.names = names
        self.least = {name: 0 if name in empty else 1 for name in names}
        self.position = {name: i for i, name in enumerate(names)}
        self.forms: dict[str, Dim] = {name: fixed[name] for name in names if name in fixed}
        """The forms of eliminated symbols, over raw ones."""
        self.ranges = {name: _Range(self.least[name]) for name in names if name not in fixed}
        self.contradictions: list[WhereCondition] = []
        self.implied: list[tuple[Condition, WhereCondition]] = []
        """The comparisons that must hold in addition after an elimination, each with the condition that it comes from."""

    def solve_conditions(self, conditions: Sequence[WhereCondition]) -> Declared:
        ignored = [c for c in conditions if not self._is_declared(c)]
        stated = [c for c in conditions if self._is_declared(c)]
        remaining = [(c, origin) for origin in stated for c in implied_comparisons(origin)]
        # All equations first: bounds and remainders of an eliminated symbol are then conditions on the symbols of its
        # form.
        remaining = [(c, origin) for c, origin in remaining if not self._eliminate_symbol(c, origin)]
        asked = [(c, origin) for c, origin in remaining + self.implied if not self._narrow_range(c, origin)]
        final = self._final_forms()
        facts = self._remaining_facts(asked, final)
        choices = dict[str, tuple[int, ...]]()
        for listed in (c for c in stated if isinstance(c, OneOf)):
            self._narrow_choices(listed, choices)
        return Declared(final, replace(facts, choices=tuple(choices.items())), self.contradictions, ignored)

    def _is_declared(self, c: WhereCondition) -> bool:
        return condition_symbols(c) <= self.position.keys()

    def _report_contradiction(self, c: WhereCondition) -> bool:
        if c not in self.contradictions:
            self.contradictions.append(c)
        return True

    # --- equations ---------------------------------------------------------------------------------------------------------

    def _eliminate_symbol(self, c: Condition, origin: WhereCondition) -> bool:
        """Use an equation to write one symbol in terms of others. Return whether the equation needs no further treatment."""
        if c.op != "==":
            return False
        sides = substitute_sides(c, self.forms)
        if sides is None:
            return self._report_contradiction(origin)
        d = sides[0] - sides[1]
        if isinstance(d, int):
            return self._report_contradiction(origin) if d else True
        # `H % 32 == 0` is an equation with a floor in it, and better used as a step of H: see `_narrow_remainder`.
        if as_modular(d) is not None:
            return False
        solved = self._solve_for_symbol(*sides)
        if solved is None:
            return False
        name, form = solved
        forms = self._with_form(name, form)
        if forms is None:
            return self._report_contradiction(origin)
        self.forms = forms
        # `S == T - 5` also says that T is at least 6, because S is a size.
        low = bounds(form)[0]
        del self.ranges[name]
        if low is None or low < self.least[name]:
            self.implied.append((Condition(">=", form, self.least[name]), origin))
        return True

    def _with_form(self, name: str, form: Dim) -> dict[str, Dim] | None:
        """Add a form to the forms; None if one of them would be less than a dimension can be."""
        try:
            settled = {**{n: substitute_symbols(f, {name: form}) for n, f in self.forms.items()}, name: form}
        # `T % H == 0` and `H == 2 - T`: the new form may make a divisor zero.
        except ZeroDivisionError:
            return None
        highs = ((bounds(f)[1], self.least[n]) for n, f in settled.items())
        return None if any(high is not None and high < least for high, least in highs) else settled

    def _solve_for_symbol(self, left: Dim, right: Dim) -> tuple[str, Dim] | None:
        """Solve `left == right` for a symbol S: `(S, form)`, where `form` does not mention S."""
        d = left - right
        terms = terms_of(d)
        inside = [a for m in terms for a in m if len(m) > 1 or not isinstance(a, Symbol)]
        # A symbol that also occurs in a product or a floor cannot be isolated.
        entangled = frozenset().union(*(a.names for a in inside))
        alone = [(m[0].name, c) for m, c in terms.items() if len(m) == 1 and isinstance(m[0], Symbol) and m[0].name not in entangled]
        # Prefer `S == ...` as the author wrote it, then the name that was declared last: `H == W` makes W an H.
        sides = {lone_symbol_name(left), lone_symbol_name(right)} - {None}
        open_ = [(name, c) for name, c in alone if self._divides_all(terms, c)]
        if not open_:
            return None
        name, c = max(open_, key=lambda item: (item[0] in sides, self.position[item[0]]))
        rest = {m: e for m, e in terms.items() if not (len(m) == 1 and isinstance(m[0], Symbol) and m[0].name == name)}
        return name, dim_from_terms({m: -e // c for m, e in rest.items()})

    def _divides_all(self, terms: Mapping[Monomial, int], c: int) -> bool:
        return all(e % c == 0 for e in terms.values())

    # --- one symbol --------------------------------------------------------------------------------------------------------

    def _narrow_range(self, c: Condition, origin: WhereCondition) -> bool:
        """Use a condition on one symbol as a bound or a remainder. Return whether it needs no further treatment."""
        sides = substitute_sides(c, self.forms)
        if sides is None:
            return self._report_contradiction(origin)
        d = sides[0] - sides[1]
        if isinstance(d, int):
            return True if comparison_holds(c.op, d) else self._report_contradiction(origin)
        if c.op == "==":
            modular = as_modular(d)
            return self._narrow_remainder(origin, *modular) if modular is not None else self._check_integer_solution(origin, d)
        if c.op == "!=":
            return False
        return self._narrow_bound(c.op, d, origin)

    def _narrow_remainder(self, origin: WhereCondition, base: Dim, k: Dim, rest: int) -> bool:
        """Use `base % k == rest`, if `base` is linear in one symbol."""
        if isinstance(k, int) and not 0 <= rest < k:
            return self._report_contradiction(origin)
        linear = as_linear(base)
        if linear is None or linear[0] not in self.ranges:
            return False
        name, times, constant = linear
        known = self.ranges[name]
        if not isinstance(k, int):
            return self._narrow_by_symbolic_divisor(known, name, times, constant, k, rest)
        # Solve `times*S + constant == rest` modulo k: divide all by the common factor, then multiply by the inverse
        # of `times`.
        common = gcd(times, k)
        if (rest - constant) % common:
            return self._report_contradiction(origin)
        k //= common
        rest = (rest - constant) // common * pow(times // common, -1, k) % k if k > 1 else 0
        # `H % 4 == 0` and `H % 6 == 0` together are `H % 12 == 0`.
        combined = chinese_remainder(known.step, known.rest, k, rest)
        if combined is None or not known.has_value_between(known.lower, known.upper, *combined):
            return self._report_contradiction(origin)
        known.step, known.rest = combined
        return True

    def _narrow_by_symbolic_divisor(self, known: _Range, name: str, times: int, constant: int, k: Dim, rest: int) -> bool:
        if (times, constant, rest) != (1, 0, 0) or known.divisor is not None:
            return False
        terms = terms_of(k)
        if len(terms) != 1 or not all(isinstance(a, Symbol) and a.name in self.ranges for m in terms for a in m):
            return False
        # `D % K == 0, K % T == 0, T % D == 0` would define each symbol by the next. The last condition becomes a fact
        # instead.
        if self._depends_on(free_symbols(k), name):
            return False
        known.divisor = k
        return True

    def _depends_on(self, names: frozenset[str], goal: str) -> bool:
        """Whether any of the names is, or is a multiple of something that is, the goal."""
        todo, seen = list(names), set(names)
        while todo:
            name = todo.pop()
            if name == goal:
                return True
            divisor = self.ranges[name].divisor if name in self.ranges else None
            more = free_symbols(divisor) - seen if divisor is not None else frozenset()
            seen |= more
            todo += more
        return False

    def _check_integer_solution(self, origin: WhereCondition, d: Dim) -> bool:
        """Report `a*S + b == 0` if it has no integer solution. An equation that has one was used for an elimination."""
        linear = as_linear(d)
        return self._report_contradiction(origin) if linear is not None and linear[2] % linear[1] else False

    def _narrow_bound(self, op: str, d: Dim, origin: WhereCondition) -> bool:
        """Use `d op 0` as a bound, if d is linear in one symbol."""
        if op in ("<", "<="):
            d = -d
        if op in ("<", ">"):
            # Integers: `d > 0` is `d - 1 >= 0`.
            d = d - 1
        linear = as_linear(d)
        if linear is None or linear[0] not in self.ranges:
            return False
        name, times, constant = linear
        known = self.ranges[name]
        lower, upper = known.lower, known.upper
        if times > 0:
            lower = max(lower, ceil_div(-constant, times))
        else:
            most = constant // -times
            upper = most if upper is None else min(upper, most)
        if not known.has_value_between(lower, upper, known.step, known.rest):
            return self._report_contradiction(origin)
        known.lower, known.upper = lower, upper
        return True

    def _narrow_choices(self, listed: OneOf, choices: dict[str, tuple[int, ...]]) -> None:
        """Note the values of the only symbol of a dimension that nothing else rules out."""
        d = substitute_symbols(listed.left, self.forms)
        linear = as_linear(d)
        if linear is None or linear[0] not in self.ranges:
            if isinstance(d, int) and d not in listed.values:
                self._report_contradiction(listed)
            return
        name, times, constant = linear
        known = self.ranges[name]
        # The condition may be on `2*T + 1`; the choices are choices of T.
        sizes = {(v - constant) // times for v in listed.values if (v - constant) % times == 0}
        allowed = {s for s in sizes if known.lower <= s <= (known.upper or s) and s % known.step == known.rest}
        values = tuple(sorted(allowed & set(choices.get(name, allowed))))
        if not values:
            self._report_contradiction(listed)
        choices[name] = values

    # --- the result --------------------------------------------------------------------------------------------------------

    def _final_forms(self) -> dict[str, Dim]:
        """The form of each name, with everything that is known about single symbols."""
        forms: dict[str, Dim] = {}
        todo = [name for name in self.names if name in self.ranges]
        # A form may contain the form of its divisor, so divisors come first. `_depends_on` has excluded cycles.
        while todo:
            for name in list(todo):
                divisor = self.ranges[name].divisor
                if divisor is None or free_symbols(divisor) <= forms.keys():
                    forms[name] = self._final_form(name, self.ranges[name], forms)
                    todo.remove(name)
        return {name: forms[name] if name in forms else substitute_symbols(self.forms[name], forms) for name in self.names}

    def _final_form(self, name: str, known: _Range, forms: Mapping[str, Dim]) -> Dim:
        # `H % 32 == 0` makes H the product `32*(H/32)`: then `H//2*2 == H` is an identity of polynomials
        # (docs/decisions/022-facts-of-where.md).
        if known.step > 1:
            low = ceil_div(known.lower - known.rest, known.step)
            high = None if known.upper is None else (known.upper - known.rest) // known.step
            return known.step * make_quotient(name, known.step, known.rest, low, high) + known.rest
        if known.divisor is None or known.lower == known.upper:
            return make_symbol(name, lower=known.lower, upper=known.upper)
        divisor = substitute_symbols(known.divisor, forms)
        terms = terms_of(divisor)
        # An elimination may have made the divisor a sum, by which a quotient cannot be written. The condition is a
        # fact then.
        if len(terms) != 1 or not all(isinstance(a, Symbol | Quotient) for m in terms for a in m):
            return make_symbol(name, lower=known.lower, upper=known.upper)
        least, most = bounds(divisor)
        low = ceil_div(known.lower, most) if most else min(known.lower, 1)
        return divisor * make_quotient(name, divisor, 0, low, None if known.upper is None else known.upper // (least or 1))

    def _remaining_facts(self, asked: list[tuple[Condition, WhereCondition]], final: Mapping[str, Dim]) -> Facts:
        """The facts that the remaining conditions state. Each condition is checked against the conditions before it."""
        for name, known in self.ranges.items():
            # A bound of a form with a divisor is rounded to a multiple of the divisor. If the form doesn't prove the
            # bound, it becomes a fact.
            limits = [
                Condition(op, make_symbol(name), b) for op, b in known.bounds_as_comparisons() if is_unproved_bound(final[name], op, b)
            ]
            divisible = [Condition("==", make_symbol(name) % known.divisor, 0)] if known.divisor is not None else []
            asked = [*asked, *((c, c) for c in (*limits, *divisible))]
        facts = Facts.empty()
        for c, origin in asked:
            sides = substitute_sides(c, final)
            added = None if sides is None else add_condition(facts, c.op, *sides)
            if added is None:
                self._report_contradiction(origin)
            else:
                facts = added
        return facts
