"""Symbolic dimensions against plain integers: whatever is said of a dimension is true of its values."""

from __future__ import annotations

import copy
import operator
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netc.compiler.dims import (
    Condition,
    Declared,
    Dim,
    Facts,
    SymDim,
    advice,
    advice_divides,
    bounds,
    declare,
    evaluate,
    fold,
    invert,
    maximum,
    minimum,
    show,
    size,
    substitute,
    symbol,
    symbols,
    to_python,
)

NAMES = ("H", "T", "W")
H, T, W, S, K, D = (symbol(name) for name in ("H", "T", "W", "S", "K", "D"))
NOTHING = Facts.nothing()
PROPERTY = settings(derandomize=True, deadline=None, max_examples=200)

Values = dict[str, int]
Program = tuple[Any, ...]


def where(*conditions: Condition, names: str = "H T W S K D", **fixed: int) -> Declared:
    return declare(names.split(), conditions, fixed)


def is_multiple(d: Dim, k: Dim, rest: Dim = 0) -> Condition:
    return Condition("==", d % k, rest)


# --- canonical forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        ((4 * T + 3) // 4, "T"),
        ((2 * H + 1) // 2, "H"),
        ((H - 1) // 2 + 1, "(H + 1)//2"),
        ((H + 1) // 2, "(H + 1)//2"),
        ((H + 2 * 3 - 7) // 2 + 1, "(H + 1)//2"),
        ((H // 2) // 2, "H//4"),
        (((H + 1) // 2 + 1) // 2, "(H + 3)//4"),
        ((H * W) // W, "H"),
        ((H * W * T) // (W * T), "H"),
        ((4 * H * W) // (2 * W), "2*H"),
        ((H * T + W * T) // (H + W), "T"),
        (2 * H // (4 * W), "H//(2*W)"),
        ((T - 1) // T, "0"),
        (T // (T + 1), "0"),
        (-3 // T + 3 // T, "-3//T + 3//T"),
        (H % 2 + 2 * (H // 2), "H"),
        (H % 1, "0"),
        (T - T, "0"),
        (T + 1, "T + 1"),
        (2 * T, "2*T"),
        (5 - T, "5 - T"),
        (-T, "-T"),
        (3 * W * H, "3*H*W"),
        (T * T, "T*T"),
        (W + H * W + 7 + H, "H*W + H + W + 7"),
        (2 * (H // 2), "2*(H//2)"),
        (W * (H // 2) + 1, "W*(H//2) + 1"),
        (5 - H // 2, "5 - H//2"),
        (-(H // 2), "-(H//2)"),
        (-H // 2, "-H//2"),
        (3 * H // 2, "3*H//2"),
        (H // W, "H//W"),
        ((H + W) // (T + 1), "(H + W)//(T + 1)"),
        (maximum(T, 5), "max(T, 5)"),
        (maximum(T + 1, 6), "max(T, 5) + 1"),
        (maximum(T, 1), "T"),
        (maximum(T, T + 3, 2), "T + 3"),
        (minimum(H, W), "min(H, W)"),
        (minimum(W, H), "min(H, W)"),
        (maximum(maximum(H, W), T), "max(H, T, W)"),
        (maximum(2 * H, 2 * W), "2*max(H, W)"),
        (maximum(H + T, W + T), "T + max(H, W)"),
        (maximum(3, 4), "4"),
        (minimum(3, 4), "3"),
        (symbol("B", lower=4, upper=4), "4"),
        (symbol("B", upper=7) // 8, "0"),
    ],
)
def test_normal_form(dim: Dim, text: str) -> None:
    assert show(dim) == text
    if isinstance(dim, SymDim):
        assert repr(dim) == text


def test_equality_is_by_normal_form() -> None:
    assert (H - 1) // 2 + 1 == (H + 1) // 2
    assert hash(H + W) == hash(W + H)
    assert H + W == W + H
    assert H != W
    assert H != 3
    assert H != "H"
    assert len({H, symbol("H"), H + 0, H * 1, 2 * H - H}) == 1


def test_constants_are_ints() -> None:
    for zero in (H - H, H * 0, (H + 3) % 1, 0 * H):
        assert type(zero) is int
        assert zero == 0
    assert type(H - H + 5) is int


def test_there_is_no_order_and_no_truth() -> None:
    with pytest.raises(TypeError, match="Facts"):
        _ = H < 3
    with pytest.raises(TypeError, match="Facts"):
        _ = max(H, W)
    with pytest.raises(TypeError, match="Facts"):
        bool(H)
    with pytest.raises(ZeroDivisionError):
        _ = H // 0


def test_copies_are_equal() -> None:
    dims = where(is_multiple(H, 32), is_multiple(T, K)).dims
    for d in (H * W + 3, maximum(H // 2, W) % 7, dims["H"] // 4, dims["T"]):
        assert pickle.loads(pickle.dumps(d)) == d
        assert copy.deepcopy(d) == d


def test_long_chains() -> None:
    h: Dim = H
    for _ in range(1000):
        h = (h - 1) // 2 + 1
    assert evaluate(h, {"H": 2**1000 * 5}) == 5
    nested: Dim = H
    for _ in range(1000):
        nested = (3 * nested + 1) // 2
    value = 7
    for _ in range(1000):
        value = (3 * value + 1) // 2
    assert evaluate(nested, {"H": 7}) == value
    assert "..." in show(nested)
    assert NOTHING.equal(nested, nested + 1) is False
    assert substitute(nested, {"H": 7}) == value
    halved: Dim = H
    for _ in range(1000):
        halved = halved + halved // 2
    assert "..." in show(halved)
    assert size(halved) > 10**6
    with pytest.raises(OverflowError):
        to_python(halved, {"H": "h"})


# --- random expressions ----------------------------------------------------------------------------------------------------

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
SYMBOLIC: Operations = {"max": maximum, "min": minimum}


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
    result: int = fold(d, int, values.__getitem__, operator.add, operator.mul, operator.floordiv, max, min)
    return result


def check_views(d: Dim, values: Values, expected: int) -> None:
    """All ways to look at a dimension agree."""
    assert evaluate(d, values) == expected
    assert parsed(show(d), values) == expected, show(d)
    code = to_python(d, {n: f"x.shape[{i}]" if i % 2 else f"{n.lower()} + 0" for i, n in enumerate(values)})

    class x:  # noqa: N801
        shape = list(values.values())

    assert eval(code, {"x": x, "max": max, "min": min, **{n.lower(): v for n, v in values.items()}}) == expected, code
    assert folded(d, values) == expected
    lo, hi = bounds(d)
    assert lo is None or lo <= expected
    assert hi is None or expected <= hi
    assert symbols(d) <= values.keys()
    found = invert(d)
    if found is not None:
        name, a, c, b = found
        assert (expected - b) * c % a == 0
        assert (expected - b) * c // a == values[name]


@PROPERTY
@given(PROGRAMS, VALUES)
def test_a_dimension_is_its_values(program: Program, values: Values) -> None:
    d = run(program, {n: symbol(n) for n in NAMES}, SYMBOLIC)
    check_views(d, values, run(program, values, PLAIN))


@PROPERTY
@given(PROGRAMS, PROGRAMS, st.lists(VALUES, min_size=5, max_size=5))
def test_answers_hold(p: Program, q: Program, samples: list[Values]) -> None:
    check_answers(run(p, SYMBOLS, SYMBOLIC), run(q, SYMBOLS, SYMBOLIC), NOTHING, samples)


SYMBOLS: dict[str, Dim] = {n: symbol(n) for n in NAMES}


def check_answers(a: Dim, b: Dim, facts: Facts, samples: list[Values]) -> None:
    equal, least, divides = facts.equal(a, b), facts.at_least(a, b), facts.divides(b, a)
    exact = facts.exact_div(a, b)
    assert (exact is not None) == (divides is True and b != 0)
    for values in samples:
        x, y = evaluate(a, values), evaluate(b, values)
        assert equal is None or equal == (x == y), (a, b, facts)
        assert least is None or least == (x >= y), (a, b, facts)
        if y:
            assert divides is None or divides == (x % y == 0), (a, b, facts)
            assert exact is None or evaluate(exact, values) * y == x, (a, b, exact)


@PROPERTY
@given(PROGRAMS, PROGRAMS, VALUES)
def test_substitution(p: Program, q: Program, values: Values) -> None:
    inner = run(q, SYMBOLS, SYMBOLIC)
    value = evaluate(inner, values)
    if value < 1:
        inner, value = maximum(inner, 1), 1
    outer = substitute(run(p, SYMBOLS, SYMBOLIC), {"T": inner})
    assert evaluate(outer, values) == run(p, {**values, "T": value}, PLAIN)


# --- random conditions -----------------------------------------------------------------------------------------------------

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


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(CONDITIONS, min_size=1, max_size=3), st.lists(PROGRAMS, min_size=2, max_size=2), st.data())
def test_facts_hold(conditions: list[Program], programs: list[Program], data: st.DataObject) -> None:
    raw = [Condition(op, run(a, SYMBOLS, SYMBOLIC), run(b, SYMBOLS, SYMBOLIC)) for op, a, b in conditions]
    declared = declare(NAMES, raw, {})
    values = allowed(conditions)
    if declared.contradictions:
        assert not values, (raw, declared)
        return
    assert declared.dims.keys() == set(NAMES)
    if not values:
        return
    samples = [values[data.draw(st.integers(0, len(values) - 1))] for _ in range(4)]
    first, second = (run(p, declared.dims, SYMBOLIC) for p in programs)
    for v in samples:
        for name in NAMES:
            check_views(declared.dims[name], v, v[name])
        check_views(first, v, run(programs[0], v, PLAIN))
    check_answers(first, second, declared.facts, samples)
    for name in NAMES:
        check_answers(declared.dims[name], first, declared.facts, samples)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(CONDITIONS, min_size=1, max_size=2))
def test_what_is_declared_can_be_answered(conditions: list[Program]) -> None:
    raw = [Condition(op, run(a, SYMBOLS, SYMBOLIC), run(b, SYMBOLS, SYMBOLIC)) for op, a, b in conditions]
    declared = declare(NAMES, raw, {})
    if declared.contradictions:
        return
    for c in raw:
        left, right = substitute(c.left, declared.dims), substitute(c.right, declared.dims)
        match c.op:
            case "==":
                assert declared.facts.equal(left, right) is True
            case "!=":
                assert declared.facts.equal(left, right) is False
            case ">=" | ">":
                assert declared.facts.at_least(left, right) is True
            case _:
                assert declared.facts.at_least(right, left) is True


# --- what where makes of symbols -------------------------------------------------------------------------------------------


def test_multiples_are_shown_as_fractions() -> None:
    h = where(is_multiple(H, 32)).dims["H"]
    shown = {show(d) for d in (h, h // 32, h // 2, 3 * h // 4, 2 * h, h * h, h + 1, h // 64, h // 32 * W, (h // 32 + 1) // 2)}
    assert shown == {"H", "H/32", "H/2", "3*H/4", "2*H", "H*H", "H + 1", "H//64", "H*W/32", "(H/32 + 1)//2"}
    assert (h // 2) * 2 == h
    assert h % 16 == 0
    assert symbols(h // 2) == {"H"}
    assert evaluate(h // 2, {"H": 64}) == 32
    assert to_python(h // 2, {"H": "h"}) == "h//2"
    assert to_python(h // 32 * 32, {"H": "h"}) == "h"
    assert invert(h // 2 + 1) == ("H", 1, 2, 1)
    assert invert(3 * h // 4) == ("H", 3, 4, 0)
    assert invert(2 * T + 3) == ("T", 2, 1, 3)
    assert invert(T * W) is None
    assert invert(H // 2) is None
    assert bounds(h) == (32, None)


def test_remainders() -> None:
    h = where(is_multiple(H, 4, 1)).dims["H"]
    assert [show(d) for d in (h, h // 4, h // 2, h - 1, h // 4 * 3 + 5, W * (h // 4))] == [
        "H",
        "(H - 1)/4",
        "(H - 1)/2",
        "H - 1",
        "(3*H + 17)/4",
        "(H*W - W)/4",
    ]
    assert h % 2 == 1
    assert bounds(h) == (1, None)


def test_several_moduli_are_joined() -> None:
    h = where(is_multiple(H, 4), is_multiple(H, 6), Condition(">", H, 30), Condition("<=", H, 100)).dims["H"]
    assert show(h // 12) == "H/12"
    assert bounds(h) == (36, 96)
    assert where(is_multiple(H, 4, 1), is_multiple(H, 6)).contradictions == [is_multiple(H, 6)]


def test_symbolic_divisors() -> None:
    d = where(is_multiple(D, K))
    size, heads = d.dims["D"], d.dims["K"]
    assert size % heads == 0
    assert show(size // heads) == "D/K"
    assert show(size // heads * heads) == "D"
    assert d.facts.divides(heads, 3 * size) is True
    assert d.facts.exact_div(size, heads) == size // heads
    assert evaluate(size // heads, {"D": 512, "K": 8}) == 64
    chain = where(is_multiple(D, K), is_multiple(K, T), is_multiple(T, D))
    assert not chain.contradictions
    twice = where(is_multiple(D, 2 * K), is_multiple(K, 3))
    assert show(twice.dims["D"] // twice.dims["K"]) == "D/K"
    assert show(twice.dims["D"] // (2 * twice.dims["K"])) == "D/(2*K)"


def test_equations() -> None:
    assert where(Condition("==", S, 2 * T)).dims["S"] == 2 * T
    assert where(Condition("==", T, S)).dims == where(Condition("==", S, T)).dims
    assert show(where(Condition("==", H, W)).dims["W"]) == "H"
    assert where(Condition("==", T, 128)).dims["T"] == 128
    assert where(Condition("==", 2 * T, 256)).dims["T"] == 128
    assert where(Condition("==", 2 * T, 5)).contradictions
    shifted = where(Condition("==", S, T - 5))
    assert shifted.dims["S"] == shifted.dims["T"] - 5
    assert bounds(shifted.dims["T"]) == (6, None)
    both = where(Condition("==", S, 2 * T), is_multiple(S, 4))
    assert show(both.dims["T"] // 2) == "T/2"


def test_fixed_dimensions_are_checked() -> None:
    good = where(is_multiple(H, 32), Condition("==", S, H), H=64)
    assert (good.dims["H"], good.dims["S"], good.contradictions) == (64, 64, [])
    bad = is_multiple(H, 32)
    assert where(bad, H=65).contradictions == [bad]
    assert where(Condition(">", H, 5), Condition("<", H, 3)).contradictions == [Condition("<", H, 3)]
    assert where(Condition(">", T, W), T=3, W=4).contradictions == [Condition(">", T, W)]
    assert where(Condition(">", symbol("Q"), 3)).ignored == [Condition(">", symbol("Q"), 3)]


def test_what_would_divide_by_zero_cannot_hold() -> None:
    none = Condition("==", H, 2 * H)
    assert where(is_multiple(T, H), none).contradictions == [none]
    assert where(is_multiple(T, H), Condition("==", H, 2 - T), none).contradictions == [none]


def test_enormous_numbers_are_shortened() -> None:
    h = H // 10**5000
    assert show(h) == "H//..."
    assert eval(to_python(h + 10**5000, {"H": "h"}), {"h": 3}) == 10**5000
    assert show(10**5000) == "..."


def test_stored_facts() -> None:
    facts = where(Condition(">=", S, T)).facts
    assert facts.at_least(S, T) is True
    assert facts.at_least(T, S + 1) is False
    assert facts.at_least(2 * S + 1, 2 * T) is True
    assert facts.at_least(S * W, T * W) is True
    assert facts.at_least(S // 2, T // 2) is True
    assert facts.at_least(T, S) is None
    facts = where(Condition("==", H * W, 1024)).facts
    assert facts.equal(H * W, 1024) is True
    assert facts.equal(2 * H * W + T, T + 2048) is True
    assert facts.equal(H * W, 1023) is False
    assert facts.divides(W, 1024) is True
    assert facts.exact_div(1024, W) == H
    facts = where(is_multiple(H + W, 4)).facts
    assert facts.divides(4, H + W) is True
    assert facts.divides(2, 3 * H + 3 * W) is True
    assert facts.divides(4, H + W + 1) is not True
    half = facts.exact_div(H + W, 2)
    assert half is not None
    assert facts.equal(2 * half, H + W) is True
    facts = where(Condition("!=", H, W)).facts
    assert facts.equal(H, W) is False
    assert facts.equal(W + 1, H + 1) is False


def test_answers_without_facts() -> None:
    assert NOTHING.equal(H // 2 + (H + 1) // 2, H) is True
    assert NOTHING.equal(3 * H // 2, H + H // 2) is True
    assert NOTHING.equal(-H // 2, -((H + 1) // 2)) is True
    assert NOTHING.equal(2 * T + 1, 2 * H) is False
    assert NOTHING.equal(H, H + W) is False
    assert NOTHING.equal(H, W) is None
    assert NOTHING.equal(3, 3) is True
    assert NOTHING.equal(3, 4) is False
    assert NOTHING.equal(maximum(H, W) + minimum(H, W), H + W) in (True, None)
    assert NOTHING.at_least(T, T // 2) is True
    assert NOTHING.at_least(maximum(T, 5), T) is True
    assert NOTHING.at_least(T, minimum(T, 5)) is True
    assert NOTHING.at_least(H * W, H) is True
    assert NOTHING.at_least(T * T, T) is True
    assert NOTHING.at_least(T, 2 * T) is False
    assert NOTHING.at_least(T, 3) is None
    assert NOTHING.at_least(2 * ((T + 1) // 2), T) is True
    assert NOTHING.divides(2, 2 * T + 1) is False
    assert NOTHING.divides(2, T) is None
    assert NOTHING.divides(W, H * W + W) is True
    assert NOTHING.divides(12, 512) is False
    assert NOTHING.exact_div(6 * T, 4) is None
    assert NOTHING.exact_div(6 * T, 3) == 2 * T
    assert NOTHING.exact_div(512, 12) is None


# --- advice ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        (S, T, "S == T"),
        (T, S, "S == T"),
        (2 * S * W, 2 * T * W, "S == T"),
        (S, 5, "S == 5"),
        (5 + T, 2 * T - 3, "T == 8"),
        (2 * (H // 2), H, "H % 2 == 0"),
        (2 * ((H - 1) // 2) + 1, H, "H % 2 == 1"),
        (4 * ((H + 2) // 4), H + 2, "H % 4 == 2"),
        (W * (H // 8) * 8, H * W, "H % 8 == 0"),
        (4 * ((H + W) // 4), H + W, "(H + W) % 4 == 0"),
        (H + 1, W, "W == H + 1"),
        (H * W, 1024, "H*W == 1024"),
        (H, H, None),
        (H, H + 1, None),
    ],
)
def test_advice(a: Dim, b: Dim, text: str | None) -> None:
    assert advice(a, b) == text


def test_advice_speaks_of_the_users_symbols() -> None:
    h = where(is_multiple(H, 4)).dims["H"]
    assert advice(8 * (h // 8), h) == "H % 8 == 0"
    assert advice(h // 4, W) == "H/4 == W"
    assert advice_divides(8, h) == "H % 8 == 0"


@pytest.mark.parametrize(
    ("k", "a", "text"),
    [
        (4, T, "T % 4 == 0"),
        (4, 2 * T, "T % 2 == 0"),
        (4, T + 1, "T % 4 == 3"),
        (4, 3 * T + 2, "T % 4 == 2"),
        (4, H * W, "H*W % 4 == 0"),
        (4, H + W, "(H + W) % 4 == 0"),
        (K, D, "D % K == 0"),
        (2 * K, D, "D % (2*K) == 0"),
        (K, D + 2 * K, "D % K == 0"),
    ],
)
def test_advice_divides(k: Dim, a: Dim, text: str) -> None:
    assert advice_divides(k, a) == text
