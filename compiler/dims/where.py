"""From the `where` of inputs to the normal form of each dimension.

In: the names of dimensions, conditions over their raw symbols (`symbol(name)`), and sizes fixed from outside. Out: the form of each name
from now on, and the facts that are left. Always: a condition is used in one of three ways: as another form of a symbol (`S == 2*T`,
`S % 32 == 0`), as bounds of it, or as a fact; one that cannot hold is reported instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import gcd

from netc.dsl.record import Record, replace

from .division import cofactor, substitute
from .facts import Condition, Facts, OneOf
from .intervals import bounds, ceil_div
from .polynomial import Dim, FloorQuotient, Monomial, Quotient, Symbol, constant_of, make, of_atom, quotient, symbol, symbols, terms_of

Stated = Condition | OneOf
"""What a `where` states."""


class Declared(Record):
    """What became of the declarations. `contradictions` cannot hold; `ignored` mention undeclared names."""

    dims: dict[str, Dim]
    facts: Facts
    contradictions: list[Stated]
    ignored: list[Stated]


class _Range:
    """What is known of one free symbol: `lower <= S <= upper`, `S % step == rest`, and `S % divisor == 0` for a symbolic divisor."""

    def __init__(self, lower: int) -> None:
        self.lower = lower
        self.upper: int | None = None
        self.step = 1
        self.rest = 0
        self.divisor: Dim | None = None

    def feasible(self, lower: int, upper: int | None, step: int, rest: int) -> bool:
        return upper is None or lower + (rest - lower) % step <= upper


def declare(names: Iterable[str], conditions: Sequence[Stated], fixed: Mapping[str, int]) -> Declared:
    """The form of each of `names`, given that the conditions hold. Names in `fixed` are those numbers, and conditions are checked.

    A dimension is at least 1, unless a condition on it alone says that it may be 0: `P >= 0`, `P in [0, 8]`."""
    return _Declaration(list(names), fixed, _may_be_empty(conditions)).run(conditions)


class _Declaration:
    def __init__(self, names: list[str], fixed: Mapping[str, int], empty: frozenset[str]) -> None:
        self.names = names
        self.least = {name: 0 if name in empty else 1 for name in names}
        self.position = {name: i for i, name in enumerate(names)}
        self.forms: dict[str, Dim] = {name: fixed[name] for name in names if name in fixed}
        """The forms of eliminated symbols, over raw ones."""
        self.ranges = {name: _Range(self.least[name]) for name in names if name not in fixed}
        self.contradictions: list[Stated] = []
        self.implied: list[tuple[Condition, Stated]] = []
        """What else must hold after an elimination, each with the condition that it comes from."""

    def run(self, conditions: Sequence[Stated]) -> Declared:
        ignored = [c for c in conditions if not self._declared(c)]
        stated = [c for c in conditions if self._declared(c)]
        left = [(c, origin) for origin in stated for c in _comparisons(origin)]
        left = [(c, origin) for c, origin in left if not self._eliminate(c, origin)]
        asked = [(c, origin) for c, origin in left + self.implied if not self._confine(c, origin)]
        final = self._final()
        facts = self._facts(asked, final)
        choices = dict[str, tuple[int, ...]]()
        for one in (c for c in stated if isinstance(c, OneOf)):
            self._choose(one, choices)
        return Declared(final, replace(facts, choices=tuple(choices.items())), self.contradictions, ignored)

    def _declared(self, c: Stated) -> bool:
        return _symbols(c) <= self.position.keys()

    def _refuse(self, c: Stated) -> bool:
        if c not in self.contradictions:
            self.contradictions.append(c)
        return True

    # --- equations ---------------------------------------------------------------------------------------------------------

    def _eliminate(self, c: Condition, origin: Stated) -> bool:
        """Uses an equation to write one symbol in terms of others."""
        if c.op != "==":
            return False
        sides = _sides(c, self.forms)
        if sides is None:
            return self._refuse(origin)
        d = sides[0] - sides[1]
        if isinstance(d, int):
            return self._refuse(origin) if d else True
        if _modular(d) is not None:
            return False
        solved = self._solve(*sides)
        if solved is None:
            return False
        name, form = solved
        forms = self._with_form(name, form)
        if forms is None:
            return self._refuse(origin)
        self.forms = forms
        low = bounds(form)[0]
        del self.ranges[name]
        if low is None or low < self.least[name]:
            self.implied.append((Condition(">=", form, self.least[name]), origin))
        return True

    def _with_form(self, name: str, form: Dim) -> dict[str, Dim] | None:
        """The forms with one more; None if that makes one of them less than a dimension can be."""
        try:
            settled = {**{n: substitute(f, {name: form}) for n, f in self.forms.items()}, name: form}
        except ZeroDivisionError:
            return None
        highs = ((bounds(f)[1], self.least[n]) for n, f in settled.items())
        return None if any(high is not None and high < least for high, least in highs) else settled

    def _solve(self, left: Dim, right: Dim) -> tuple[str, Dim] | None:
        """`(S, form)`: the equation says that S is `form`, which does not mention S."""
        d = left - right
        terms = terms_of(d)
        inside = [a for m in terms for a in m if len(m) > 1 or not isinstance(a, Symbol)]
        taken = frozenset().union(*(a.names for a in inside))
        alone = [(m[0].name, c) for m, c in terms.items() if len(m) == 1 and isinstance(m[0], Symbol) and m[0].name not in taken]
        sides = {_name(left), _name(right)} - {None}
        open_ = [(name, c) for name, c in alone if self._divisible(terms, c)]
        if not open_:
            return None
        name, c = max(open_, key=lambda item: (item[0] in sides, self.position[item[0]]))
        rest = {m: e for m, e in terms.items() if not (len(m) == 1 and isinstance(m[0], Symbol) and m[0].name == name)}
        return name, make({m: -e // c for m, e in rest.items()})

    def _divisible(self, terms: Mapping[Monomial, int], c: int) -> bool:
        return all(e % c == 0 for e in terms.values())

    # --- one symbol --------------------------------------------------------------------------------------------------------

    def _confine(self, c: Condition, origin: Stated) -> bool:
        """Uses a condition on one symbol as a bound or a remainder."""
        sides = _sides(c, self.forms)
        if sides is None:
            return self._refuse(origin)
        d = sides[0] - sides[1]
        if isinstance(d, int):
            return True if _holds(c.op, d) else self._refuse(origin)
        if c.op == "==":
            found = _modular(d)
            return self._remainder(origin, *found) if found is not None else self._number(origin, d)
        if c.op == "!=":
            return False
        return self._bound(c.op, d, origin)

    def _remainder(self, origin: Stated, base: Dim, k: Dim, rest: int) -> bool:
        """base % k == rest."""
        if isinstance(k, int) and not 0 <= rest < k:
            return self._refuse(origin)
        linear = _as_linear(base)
        if linear is None or linear[0] not in self.ranges:
            return False
        name, times, constant = linear
        own = self.ranges[name]
        if not isinstance(k, int):
            return self._symbolic(own, name, times, constant, k, rest)
        common = gcd(times, k)
        if (rest - constant) % common:
            return self._refuse(origin)
        k //= common
        rest = (rest - constant) // common * pow(times // common, -1, k) % k if k > 1 else 0
        combined = _chinese_remainder(own.step, own.rest, k, rest)
        if combined is None or not own.feasible(own.lower, own.upper, *combined):
            return self._refuse(origin)
        own.step, own.rest = combined
        return True

    def _symbolic(self, own: _Range, name: str, times: int, constant: int, k: Dim, rest: int) -> bool:
        if (times, constant, rest) != (1, 0, 0) or own.divisor is not None:
            return False
        terms = terms_of(k)
        if len(terms) != 1 or not all(isinstance(a, Symbol) and a.name in self.ranges for m in terms for a in m):
            return False
        if self._reaches(symbols(k), name):
            return False
        own.divisor = k
        return True

    def _reaches(self, names: frozenset[str], goal: str) -> bool:
        """Whether any of the names is, or is a multiple of something that is, the goal."""
        todo, seen = list(names), set(names)
        while todo:
            name = todo.pop()
            if name == goal:
                return True
            divisor = self.ranges[name].divisor if name in self.ranges else None
            more = symbols(divisor) - seen if divisor is not None else frozenset()
            seen |= more
            todo += more
        return False

    def _number(self, origin: Stated, d: Dim) -> bool:
        """`a*S + b == 0` that no elimination took: it has no integer solution."""
        linear = _as_linear(d)
        return self._refuse(origin) if linear is not None and linear[2] % linear[1] else False

    def _bound(self, op: str, d: Dim, origin: Stated) -> bool:
        """d op 0."""
        if op in ("<", "<="):
            d = -d
        if op in ("<", ">"):
            d = d - 1
        linear = _as_linear(d)
        if linear is None or linear[0] not in self.ranges:
            return False
        name, times, constant = linear
        own = self.ranges[name]
        lower, upper = own.lower, own.upper
        if times > 0:
            lower = max(lower, ceil_div(-constant, times))
        else:
            most = constant // -times
            upper = most if upper is None else min(upper, most)
        if not own.feasible(lower, upper, own.step, own.rest):
            return self._refuse(origin)
        own.lower, own.upper = lower, upper
        return True

    def _choose(self, one: OneOf, choices: dict[str, tuple[int, ...]]) -> None:
        """Notes the values of the one symbol that a dimension is made of: those that nothing else rules out."""
        d = substitute(one.left, self.forms)
        linear = _as_linear(d)
        if linear is None or linear[0] not in self.ranges:
            if isinstance(d, int) and d not in one.values:
                self._refuse(one)
            return
        name, times, constant = linear
        own = self.ranges[name]
        sizes = {(v - constant) // times for v in one.values if (v - constant) % times == 0}
        allowed = {s for s in sizes if own.lower <= s <= (own.upper or s) and s % own.step == own.rest}
        values = tuple(sorted(allowed & set(choices.get(name, allowed))))
        if not values:
            self._refuse(one)
        choices[name] = values

    # --- the result --------------------------------------------------------------------------------------------------------

    def _final(self) -> dict[str, Dim]:
        """The form of each name, with all that is known of single symbols."""
        made: dict[str, Dim] = {}
        todo = [name for name in self.names if name in self.ranges]
        while todo:
            for name in list(todo):
                divisor = self.ranges[name].divisor
                if divisor is None or symbols(divisor) <= made.keys():
                    made[name] = self._form(name, self.ranges[name], made)
                    todo.remove(name)
        return {name: made[name] if name in made else substitute(self.forms[name], made) for name in self.names}

    def _form(self, name: str, own: _Range, made: Mapping[str, Dim]) -> Dim:
        if own.step > 1:
            low = ceil_div(own.lower - own.rest, own.step)
            high = None if own.upper is None else (own.upper - own.rest) // own.step
            return own.step * quotient(name, own.step, own.rest, low, high) + own.rest
        if own.divisor is None or own.lower == own.upper:
            return symbol(name, lower=own.lower, upper=own.upper)
        divisor = substitute(own.divisor, made)
        terms = terms_of(divisor)
        if len(terms) != 1 or not all(isinstance(a, Symbol | Quotient) for m in terms for a in m):
            return symbol(name, lower=own.lower, upper=own.upper)
        least, most = bounds(divisor)
        low = ceil_div(own.lower, most) if most else min(own.lower, 1)
        return divisor * quotient(name, divisor, 0, low, None if own.upper is None else own.upper // (least or 1))

    def _facts(self, asked: list[tuple[Condition, Stated]], final: Mapping[str, Dim]) -> Facts:
        """What is left of the conditions, each of which is checked against those before it."""
        for name, own in self.ranges.items():
            limits = [Condition(op, symbol(name), b) for op, b in _limits(own) if _lost(final[name], op, b)]
            divisible = [Condition("==", symbol(name) % own.divisor, 0)] if own.divisor is not None else []
            asked = [*asked, *((c, c) for c in (*limits, *divisible))]
        facts = Facts.nothing()
        for c, origin in asked:
            sides = _sides(c, final)
            added = None if sides is None else _with(facts, c.op, *sides)
            if added is None:
                self._refuse(origin)
            else:
                facts = added
        return facts


def _symbols(c: Stated) -> frozenset[str]:
    return symbols(c.left) | (frozenset() if isinstance(c, OneOf) else symbols(c.right))


def _comparisons(c: Stated) -> Iterable[Condition]:
    """The comparisons that a condition is, or that follow from it."""
    if isinstance(c, Condition):
        return (c,)
    least, step = min(c.values), gcd(*(v - min(c.values) for v in c.values))
    if not step:
        return (Condition("==", c.left, least),)
    common = (Condition("==", c.left % step, least % step),) if step > 1 else ()
    return (Condition(">=", c.left, least), Condition("<=", c.left, max(c.values)), *common)


def _sides(c: Condition, forms: Mapping[str, Dim]) -> tuple[Dim, Dim] | None:
    """Both sides of the condition; None if they divide by zero."""
    try:
        return substitute(c.left, forms), substitute(c.right, forms)
    except ZeroDivisionError:
        return None


def _may_be_empty(conditions: Iterable[Stated]) -> frozenset[str]:
    """The raw symbols that a condition lets be 0, or less."""
    found = set()
    for c in conditions:
        name, least = _least(c)
        if name and least <= 0:
            found.add(name)
    return frozenset(found)


def _least(c: Stated) -> tuple[str, int]:
    """The raw symbol that a condition gives a least value, and that value; otherwise no name."""
    if isinstance(c, OneOf):
        return _name(c.left) or "", min(c.values)
    d = {"<": c.right - c.left - 1, "<=": c.right - c.left, ">": c.left - c.right - 1, ">=": c.left - c.right}.get(c.op, 0)
    linear = _as_linear(d)
    return (linear[0], ceil_div(-linear[2], linear[1])) if linear is not None and linear[1] > 0 else ("", 0)


def _limits(own: _Range) -> list[tuple[str, int]]:
    return [(">=", own.lower)] + ([("<=", own.upper)] if own.upper is not None else [])


def _lost(d: Dim, op: str, bound: int) -> bool:
    """Whether the bound doesn't follow from the form of the dimension."""
    low, high = bounds(d)
    return (low is None or low < bound) if op == ">=" else (high is None or high > bound)


def _with(facts: Facts, op: str, left: Dim, right: Dim) -> Facts | None:
    """The facts and one more; None if they contradict each other."""
    d = left - right
    if isinstance(d, int):
        return facts if _holds(op, d) else None
    zeros, nonzeros, positives, multiples = facts.zeros, facts.nonzeros, facts.nonnegatives, facts.multiples
    if op in ("==", "!="):
        known = facts.equal(left, right)
        if known is not None:
            return facts if known is (op == "==") else None
        if op == "!=":
            return replace(facts, nonzeros=(*nonzeros, d, -d))
        found = _modular(d)
        if found is not None:
            return replace(facts, multiples=(*multiples, (found[1], found[0] - found[2])))
        return replace(facts, zeros=(*zeros, d))
    d = {"<": -d - 1, "<=": -d, ">": d - 1, ">=": d}[op]
    known = facts.at_least(d, 0)
    if known is not None:
        return facts if known else None
    return replace(facts, nonnegatives=(*positives, d))


def _holds(op: str, d: int) -> bool:
    return {"==": d == 0, "!=": d != 0, "<": d < 0, "<=": d <= 0, ">": d > 0, ">=": d >= 0}[op]


def _name(d: Dim) -> str | None:
    linear = _as_linear(d)
    return linear[0] if linear is not None and linear[1:] == (1, 0) else None


def _as_linear(d: Dim) -> tuple[str, int, int] | None:
    """`(S, a, b)` if d is `a*S + b` for a raw symbol S."""
    terms = [(m, c) for m, c in terms_of(d).items() if m]
    if len(terms) != 1 or len(terms[0][0]) != 1 or not isinstance(terms[0][0][0], Symbol):
        return None
    return terms[0][0][0].name, terms[0][1], constant_of(d)


def _modular(d: Dim) -> tuple[Dim, Dim, int] | None:
    """`(base, k, rest)` if `d == 0` means that `base % k == rest`."""
    for m, c in terms_of(d).items():
        for atom in m:
            if not isinstance(atom, FloorQuotient):
                continue
            share = terms_of(atom.bottom).get(cofactor(m, (atom,)) or (), 0)
            if not share or c % share:
                continue
            unit = -c // share
            left = d - unit * (atom.top - atom.bottom * of_atom(atom))
            if isinstance(left, int) and left % unit == 0:
                return atom.top, atom.bottom, -left // unit
    return None


def _chinese_remainder(k: int, a: int, m: int, b: int) -> tuple[int, int] | None:
    """`(lcm, x)`: what is a modulo k and b modulo m is x modulo their least common multiple. None where nothing is both."""
    common = gcd(k, m)
    if (b - a) % common:
        return None
    step = k // common * m
    return step, (a + (b - a) // common * pow(k // common, -1, m // common) % (m // common) * k) % step
