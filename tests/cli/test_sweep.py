"""`netc sweep`: every combination is one row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

Netc = Callable[..., Any]
TEXT = "model net(width=8, act=relu, layers=[1]) { input 4 -> dense width -> act -> repeat n in layers { repeat n { dense width } } }"


def test_every_combination(netc: Netc) -> None:
    """dense: 4 * w + w, and w * w + w parameters."""
    done = netc("sweep", "-e", TEXT, "--set", "width=8,16", "--set", "act=relu,(leaky_relu 0.1)", "--json")
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert [(row["width"], row["act"]) for row in rows] == [(w, a) for w in ("8", "16") for a in ("relu", "(leaky_relu 0.1)")]
    assert [row["parameters"] for row in rows] == [112, 112, 352, 352]


def test_lists_are_values(netc: Netc) -> None:
    done = netc("sweep", "-e", TEXT, "--set", "layers=[1],[1, 2],[]", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["layers"], row["parameters"]) for row in rows] == [("[1]", "112"), ("[1, 2]", "256"), ("[]", "40")]


def test_a_table(netc: Netc) -> None:
    lines = netc("sweep", "-e", TEXT, "--set", "width=8,1000").stdout.splitlines()
    assert lines[0].split() == ["width", "parameters", "FLOPs", "activation", "bytes"]
    assert lines[2].split()[:2] == ["1000", "1,006,000"]


def test_what_is_wrong_is_in_the_table(netc: Netc) -> None:
    done = netc("sweep", "-e", TEXT, "--set", "width=8,0")
    assert done.exit_code == 1
    assert "wrong-argument" in done.stdout.splitlines()[2] or "bad" in done.stdout.splitlines()[2]
    assert "112" in done.stdout.splitlines()[1]
    assert "1 of 2 combinations" in done.stderr


def test_all_wrong(netc: Netc) -> None:
    done = netc("sweep", "-e", TEXT, "--set", "wdth=8,16")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "unknown-parameter" in done.stderr


@pytest.mark.parametrize(
    "words",
    [(), ("--set", "width"), ("--set", "width=8,,9"), ("--set", "width=" + ",".join(map(str, range(1, 1002)))), ("--set", "width=[")],
)
def test_wrong_usage(netc: Netc, words: tuple[str, ...]) -> None:
    assert netc("sweep", "-e", TEXT, *words).exit_code == 2


@pytest.mark.parametrize("values", ["8,8", "8,16,8", "[1, 2],[1,2]", "relu,relu", "8,08e0,8.0"])
def test_each_value_once(netc: Netc, values: str) -> None:
    done = netc("sweep", "-e", TEXT, "--set", f"width={values}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "twice" in done.stderr
