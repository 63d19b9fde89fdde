"""Whatever is said of a random dimension, with or without conditions, is true of its values."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from netc.compiler.dims import Condition, OneOf, WhereCondition, declare_dims, dim_max, evaluate_dim, make_symbol, substitute_symbols
from tests.unit.dims.programs import (
    CHOICES,
    CONDITIONS,
    NAMES,
    NOTHING,
    PLAIN,
    PROGRAMS,
    PROPERTY,
    SYMBOLIC,
    SYMBOLS,
    VALUES,
    Program,
    Values,
    allowed,
    check_answers,
    check_views,
    run,
)


@PROPERTY
@given(PROGRAMS, VALUES)
def test_a_dimension_is_its_values(program: Program, values: Values) -> None:
    d = run(program, {n: make_symbol(n) for n in NAMES}, SYMBOLIC)
    check_views(d, values, run(program, values, PLAIN))


@PROPERTY
@given(PROGRAMS, PROGRAMS, st.lists(VALUES, min_size=5, max_size=5))
def test_answers_hold(p: Program, q: Program, samples: list[Values]) -> None:
    check_answers(run(p, SYMBOLS, SYMBOLIC), run(q, SYMBOLS, SYMBOLIC), NOTHING, samples)


@PROPERTY
@given(PROGRAMS, PROGRAMS, VALUES)
def test_substitution(p: Program, q: Program, values: Values) -> None:
    inner = run(q, SYMBOLS, SYMBOLIC)
    value = evaluate_dim(inner, values)
    if value < 1:
        inner, value = dim_max(inner, 1), 1
    outer = substitute_symbols(run(p, SYMBOLS, SYMBOLIC), {"T": inner})
    assert evaluate_dim(outer, values) == run(p, {**values, "T": value}, PLAIN)


@settings(max_examples=examples(100))
@given(st.lists(CONDITIONS, max_size=3), CHOICES, st.lists(PROGRAMS, min_size=2, max_size=2), st.data())
def test_facts_hold(
    conditions: list[Program], choices: list[tuple[Program, list[int]]], programs: list[Program], data: st.DataObject
) -> None:
    raw: list[WhereCondition] = [Condition(op, run(a, SYMBOLS, SYMBOLIC), run(b, SYMBOLS, SYMBOLIC)) for op, a, b in conditions]
    raw += [OneOf(run(a, SYMBOLS, SYMBOLIC), tuple(sizes)) for a, sizes in choices]
    declared = declare_dims(NAMES, raw, {})
    values = [v for v in allowed(conditions) if all(run(a, v, PLAIN) in sizes for a, sizes in choices)]
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


@settings(max_examples=examples(100))
@given(st.lists(CONDITIONS, min_size=1, max_size=2))
def test_what_is_declared_can_be_answered(conditions: list[Program]) -> None:
    raw = [Condition(op, run(a, SYMBOLS, SYMBOLIC), run(b, SYMBOLS, SYMBOLIC)) for op, a, b in conditions]
    declared = declare_dims(NAMES, raw, {})
    if declared.contradictions:
        return
    for c in raw:
        left, right = substitute_symbols(c.left, declared.dims), substitute_symbols(c.right, declared.dims)
        match c.op:
            case "==":
                assert declared.facts.are_equal(left, right) is True
            case "!=":
                assert declared.facts.are_equal(left, right) is False
            case ">=" | ">":
                assert declared.facts.is_at_least(left, right) is True
            case _:
                assert declared.facts.is_at_least(right, left) is True
