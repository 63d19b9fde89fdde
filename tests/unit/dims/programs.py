"""Random dimensions and conditions, what they are in plain integers, and what must hold between the two."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from profiles import examples

from netc.compiler.dims import (
    Condition,
    Declared,
    Dim,
    Facts,
    bounds,
    declare_dims,
    dim_max,
    dim_min,
    dim_to_python,
    evaluate_dim,
    fold_dim,
    format_dim,
    free_symbols,
    invert_linear,
    make_symbol,
)

NAMES = ("H", "T", "W")
SYMBOLS: dict[str, Dim] = {n: make_symbol(n) for n in NAMES}
NOTHING = Facts.empty()
PROPERTY = settings(max_examples=examples(200))

Values = dict[str, int]
Program = tuple[Any, ...]

LEAVES = st.one_of(st.sampled_from([(name,) for name in NAMES]), st.integers(-6, 12).map(lambda n: ("#", n)))


def _grow(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    number = st.integers(1, 9).map(lambda n: ("#", n))
    positive = st.one_of(number, number, st.sampled_from([(name,) for name in NAMES]), st.just(("*", ("#", 2), ("W",))))
    return st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "max", "min"]), inner, inner),
        st.tuples(st.sampled_from(["//", "%"]), inner, positive),
        st.tuples(st.just("neg"), inner),
    )


PROGRAMS = st.recursive(LEAVES, _grow, max_leaves=8)
VALUES = st.fixed_dictionaries({name: st.integers(1, 40) for name in NAMES})

Operations = dict[str, Callable[..., Any]]
PLAIN: Operations = {"max": max, "min": min}
SYMBOLIC: Operations = {"max": dim_max, "min": dim_min}


def run(program: Program, names: dict[str, Any], operations: Operations) -> Any:
    match program:
        case (str(name),):
            return names[name]
        case ("#", n):
            return n
        case ("neg", a):
            return -run(a, names, operations)
        case (op, a, b):
            x, y = run(a, names, operations), run(b, names, operations)
            match op:
                case "+":
                    return x + y
                case "-":
                    return x - y
                case "*":
                    return x * y
                case "//":
                    return x // y
                case "%":
                    return x % y
            return operations[op](x, y)
    raise AssertionError(program)


class Exact(Fraction):
    """A number that `/` must divide without a remainder."""

    def __truediv__(self, other: Any) -> Exact:  # type: ignore[override]
        result = Exact(Fraction(self) / Fraction(other))
        assert result.denominator == 1, f"{self} / {other} leaves a remainder"
        return result


for _op in ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "neg"):

    def _made(op: str) -> Callable[..., Exact]:
        plain = getattr(Fraction, f"__{op}__")
        return lambda *args: Exact(plain(*(Fraction(a) for a in args)))

    setattr(Exact, f"__{_op}__", _made(_op))


def parsed(text: str, values: Values) -> int:
    """The value of a text in the language's syntax, where `/` must be exact."""
    code = re.sub(r"\b\d+\b", lambda m: f"Exact({m[0]})", text)
    result = eval(code, {"Exact": Exact, "max": max, "min": min, **{n: Exact(v) for n, v in values.items()}})
    assert result == int(result)
    return int(result)


def folded(d: Dim, values: Values) -> int:
    result: int = fold_dim(d, int, values.__getitem__, operator.add, operator.mul, operator.floordiv, max, min)
    return result


def check_views(d: Dim, values: Values, expected: int) -> None:
    """All ways to look at a dimension agree."""
    assert evaluate_dim(d, values) == expected
    assert parsed(format_dim(d), values) == expected, format_dim(d)
    code = dim_to_python(d, {n: f"x.shape[{i}]" if i % 2 else f"{n.lower()} + 0" for i, n in enumerate(values)})

    class x:  # noqa: N801
        shape = list(values.values())

    assert eval(code, {"x": x, "max": max, "min": min, **{n.lower(): v for n, v in values.items()}}) == expected, code
    assert folded(d, values) == expected
    lo, hi = bounds(d)
    assert lo is None or lo <= expected
    assert hi is None or expected <= hi
    assert free_symbols(d) <= values.keys()
    found = invert_linear(d)
    if found is not None:
        name, a, c, b = found
        assert (expected - b) * c % a == 0
        assert (expected - b) * c // a == values[name]


def check_answers(a: Dim, b: Dim, facts: Facts, samples: list[Values]) -> None:
    equal, least, divides = facts.are_equal(a, b), facts.is_at_least(a, b), facts.divides(b, a)
    exact = facts.exact_div(a, b)
    assert (exact is not None) == (divides is True and b != 0)
    for values in samples:
        x, y = evaluate_dim(a, values), evaluate_dim(b, values)
        assert equal is None or equal == (x == y), (a, b, facts)
        assert least is None or least == (x >= y), (a, b, facts)
        if y:
            assert divides is None or divides == (x % y == 0), (a, b, facts)
            assert exact is None or evaluate_dim(exact, values) * y == x, (a, b, exact)


# --- conditions ---


def where(*conditions: Condition, names: str = "H T W S K D", **fixed: int) -> Declared:
    return declare_dims(names.split(), conditions, fixed)


def is_multiple(d: Dim, k: Dim, rest: Dim = 0) -> Condition:
    return Condition("==", d % k, rest)


NUMBERS = st.integers(0, 12).map(lambda n: ("#", n))
SYMBOL = st.sampled_from([(name,) for name in NAMES])
SUMS = st.one_of(SYMBOL, st.tuples(st.sampled_from(["+", "*", "-"]), st.one_of(SYMBOL, NUMBERS), SYMBOL))
CONDITIONS = st.one_of(
    st.tuples(st.just("=="), st.tuples(st.just("%"), SUMS, st.integers(1, 8).map(lambda n: ("#", n))), st.just(("#", 0))),
    st.tuples(
        st.just("=="), st.tuples(st.just("%"), SYMBOL, st.integers(1, 6).map(lambda n: ("#", n))), st.integers(0, 3).map(lambda n: ("#", n))
    ),
    st.tuples(st.just("=="), st.tuples(st.just("%"), SYMBOL, SYMBOL), st.just(("#", 0))),
    st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), SUMS, st.one_of(SUMS, NUMBERS)),
)
CHOICES = st.lists(st.tuples(st.one_of(SYMBOL, SUMS), st.lists(st.integers(1, 12), min_size=1, max_size=4)), max_size=2)
HOLDS: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
GRID = [{"H": h, "T": t, "W": w} for h in range(1, 11) for t in range(1, 11) for w in range(1, 11)]


def allowed(conditions: list[Program]) -> list[Values]:
    return [v for v in GRID if all(HOLDS[op](run(a, v, PLAIN), run(b, v, PLAIN)) for op, a, b in conditions)]
