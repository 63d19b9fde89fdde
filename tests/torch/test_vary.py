"""Members in a row as a comprehension: it makes the same members, whatever they are."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netc.compiler.backends.python.code.class_tree import ListCode, NameCode
from netc.compiler.backends.python.code.python_expressions import Lit, TupleCode
from netc.compiler.backends.python.printing.python_printer import print_code

Row = tuple[object, ...]


def written(rows: list[Row]) -> str:
    return print_code(ListCode(tuple(TupleCode(tuple(Lit(v) for v in row)) for row in rows)))  # type: ignore[arg-type]


def steps(number: st.SearchStrategy[int]) -> st.SearchStrategy[list[int]]:
    """Numbers of which many follow from the one before by the same step."""
    runs = st.lists(st.tuples(st.integers(-2, 3), st.integers(1, 7)), min_size=1, max_size=3)
    return st.builds(lambda start, found: list(accumulate((s for s, n in found for _ in range(n)), initial=start)), number, runs)


@given(
    steps(st.integers(0, 9)),
    steps(st.integers(0, 9)),
    steps(st.integers(8, 12)),
    st.sampled_from(["layer{}", "{}", "a1.b{}-c", "l{}x2", "n0{}", "l{:02}"]),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_makes_the_same(first: list[int], second: list[int], numbers: list[int], label: str, turns: tuple[int, int]) -> None:
    found = zip(numbers, first, second, strict=False)
    rows: list[Row] = [(label.format(n), a, b, True, turns[i % 2]) for i, (n, a, b) in enumerate(found)]
    assert eval(written(rows)) == rows


def nested(rows: list[list[Row]]) -> str:
    return print_code(ListCode(tuple(ListCode(tuple(TupleCode(tuple(Lit(v) for v in row)) for row in part)) for part in rows)))  # type: ignore[arg-type]


@given(st.integers(-2, 3), st.integers(-2, 3), st.integers(0, 9), st.lists(st.integers(0, 9), min_size=3, max_size=5))
def test_rows_in_rows(outer: int, inner: int, start: int, listed: list[int]) -> None:
    """What the comprehension around one counts by keeps its meaning in it."""
    steps: list[list[Row]] = [[(start + outer * i + inner * j,) for j in range(5)] for i in range(5)]
    pairs: list[list[Row]] = [[(v, w) for w in listed] for v in (2, 5, 9)]
    assert eval(nested(steps)) == steps
    assert eval(nested(pairs)) == pairs


@pytest.mark.parametrize(("names", "index"), [("", "i"), ("x", "i"), ("i", "j"), ("j", "i"), ("ij", "k"), ("ijk", "i2")])
def test_names_of_the_members_keep_their_meaning(names: str, index: str) -> None:
    rows = [TupleCode((Lit(f"l{n}"), *map(NameCode, names))) for n in range(3)]
    found = print_code(ListCode(tuple(rows)))
    assert f" for {index} in range(3)" in found
    values = {name: f"value of {name}" for name in names}
    assert eval(found, dict(values)) == [(f"l{n}", *values.values()) for n in range(3)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(f"l{i}", 8) for i in range(3)], '[*((f"l{i}", 8) for i in range(3))]'),
        ([(f"l{i + 1}", 8 * (i + 1)) for i in range(3)], '[*((f"l{i}", 8 * i) for i in range(1, 4))]'),
        ([(f"l{i + 1}", 64 + 32 * i) for i in range(3)], '[*((f"l{i + 1}", 64 + 32 * i) for i in range(3))]'),
        ([(9 - i, True) for i in range(5)], "[*((9 - i, True) for i in range(5))]"),
        ([(2,), (4,), (6,)], "[*((value,) for value in (2, 4, 6))]"),
        ([("a", 1), ("b", 1), ("c", 1)], '[*((value, 1) for value in ("a", "b", "c"))]'),
        ([("a", 1), ("b", 2), ("c", 3)], '[("a", 1), ("b", 2), ("c", 3)]'),
        ([("l0", 1), ("l1", 5), ("l2", 5), ("l3", 5)], '[("l0", 1), *((f"l{i}", 5) for i in range(1, 4))]'),
        ([("l08", 1), ("l09", 1)], '[("l08", 1), ("l09", 1)]'),
        ([(True,), (2,), (3,)], "[*((value,) for value in (True, 2, 3))]"),
    ],
)
def test_text(rows: list[Row], expected: str) -> None:
    assert written(rows) == expected
    assert eval(expected) == rows


def test_two_values_in_turn() -> None:
    rows: list[Row] = [(n, 3 * (n % 2)) for n in range(4, 10)]
    assert written(rows) == "[*((i, 0 if i % 2 == 0 else 3) for i in range(4, 10))]"
    assert eval(written(rows)) == rows
    few: list[Row] = [(n, 3 * (n % 2)) for n in range(3)]
    assert " if " not in written(few)
