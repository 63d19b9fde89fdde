"""The text of `--search`, the goals of `--by`, and the values of ranges."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pytest
from click.testing import CliRunner

from netc.cli import cli
from netc.sweeping.goals import Goal, parse_goals
from netc.sweeping.search_space import Alternatives, FloatRange, IntRange
from netc.sweeping.search_text import SearchTextError, parse_search


def test_every_form() -> None:
    text = """width=64..512 step 64, rate=1e-4..1e-2 log, size=1..2_000 log, p=0..0.5 step 0.1,
        step in [1], act in [relu, (leaky_relu 0.1), "a,b"]"""
    assert parse_search(text) == {
        "width": IntRange(64, 512, 64),
        "rate": FloatRange(1e-4, 1e-2, None, True),
        "size": IntRange(1, 2000, 1, True),
        "p": FloatRange(0.0, 0.5, 0.1),
        "step": Alternatives((("1", 1),)),
        "act": Alternatives((("relu", "relu"), ("(leaky_relu 0.1)", "(leaky_relu 0.1)"), ('"a,b"', "a,b"))),
    }


def test_lists_and_words_that_are_also_keywords() -> None:
    space = parse_search("widths in [[64, 64], [8]], log in [true, -1.5], in in [in, step]")
    assert space["widths"].list_values() == [("[64, 64]", (64, 64)), ("[8]", (8,))]
    assert space["log"].list_values() == [("true", True), ("-1.5", -1.5)]
    assert space["in"].list_values() == [("in", "in"), ("step", "step")]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("width=8-64", "-"),
        ("width", ""),
        ("width in [2, 4", ""),
        ("width in []", "]"),
        ("width=64..8", "64..8"),
        ("width=8..8", "8..8"),
        ("width=1..9 step 0", "0"),
        ("width=1..9 step 9", "9"),
        ("width=8..64 step 1.5", "1.5"),
        ("width=1..9 step 2 step 3", "step"),
        ("rate=0..1 log", "0"),
        ("rate=0.1..1 step 0.1 log", "step 0.1 log"),
        ("rate=1e999..1", "1e999"),
        ("rate=1e30..1e38", "1e30"),
        ("width in [8, 8.0, 8]", "8"),
        ("width in [8, __import__('os')]", "__import__('os')"),
        ("a=1..2, a=1..3", "a"),
    ],
)
def test_a_mistake_has_its_place(text: str, place: str) -> None:
    with pytest.raises(SearchTextError) as caught:
        parse_search(text)
    start, end = caught.value.start, caught.value.end
    assert text[start:end] == place
    shown = CliRunner().invoke(cli, ["sweep", "-e", "input 3 -> relu", "--search", text])
    assert shown.exit_code == 2
    assert shown.stderr.splitlines()[-1].index("^") == start + 2


def test_values_are_those_of_numpy() -> None:
    assert [value for _, value in FloatRange(0.1, 0.75, 0.1).list_values() or ()] == np.arange(1, 8).__truediv__(10).tolist()
    assert FloatRange(0.1, 0.3, 0.1).last == 0.3
    assert [value for _, value in IntRange(64, 500, 64).list_values() or ()] == np.arange(64, 501, 64).tolist()
    assert IntRange(64, 500, 64).last == 448


@pytest.mark.parametrize("text", ["1e-14..5e-14 step 1e-14", "0.1..1.0 step 0.1", "0.05..0.95 step 0.15", "-1e-300..1e-300 step 5e-301"])
def test_values_with_a_step_are_decimal_numbers(text: str) -> None:
    """They are the same whether netc lists them or Optuna, which adds in floats, proposes them."""
    first, last, step = (Decimal(number) for number in re.split(r"\.\.| step ", text))
    values = [float(first + index * step) for index in range(int((last - first) / step) + 1)]
    searched = parse_search(f"rate={text}")["rate"]
    assert isinstance(searched, FloatRange)
    assert searched.last == values[-1]
    assert [value for _, value in searched.list_values() or ()] == values
    assert [searched.read_value(searched.low + index * (searched.step or 0.0)) for index in range(len(values))] == values


def test_a_step_may_be_the_whole_range() -> None:
    assert parse_search("rate=0.1..0.3 step 0.2")["rate"].list_values() == [("0.1", 0.1), ("0.3", 0.3)]


def test_goals() -> None:
    assert parse_goals("pareto params, max:accuracy") == (Goal("parameters", None), Goal("accuracy", True))
    assert parse_goals("min:loss") == (Goal("loss", False),)


@pytest.mark.parametrize("text", ["", "pareto", "pareto loss", "loss,accuracy", "up:loss", "pareto loss,min:loss", "a b"])
def test_wrong_goals(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_goals(text)
