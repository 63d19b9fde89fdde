"""`netc summary`: in which form, how deep, how wide."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netc as package

Netc = Callable[..., Any]
TEXT = "input [T, 8] -> repeat 100 as layers { dense 8 as d -> relu } -> dense 2"


def test_json(netc: Netc) -> None:
    """100 layers of 8 * 8 + 8 parameters; 2 * 64 + 8 operations of `d` for each position, and 8 of `relu`."""
    data = json.loads(netc("summary", "-e", TEXT, "--json").stdout)
    assert data["inputs"] == [{"name": "input", "type": "[N, T, 8]"}]
    assert [stage["label"] for stage in data["stages"]] == ["layers", "dense1"]
    layers = data["stages"][0]
    assert (layers["parameters"], layers["times"], layers["flops"]) == (7200, 1, "14400*T")
    (iteration,) = layers["stages"]
    assert iteration["times"] == 100
    assert [stage["operator"] for stage in iteration["stages"]] == ["dense", "relu"]
    assert data["totals"]["parameters"] == 7218


def test_csv(netc: Netc) -> None:
    rows = list(csv.DictReader(io.StringIO(netc("summary", "-e", TEXT, "--csv").stdout)))
    assert [row["path"] for row in rows] == ["layers", "layers.0", "layers.0.d", "layers.0.0", "dense1"]
    assert [row["parameters"] for row in rows] == ["7200", "72", "72", "0", "18"]
    assert rows[0]["results"] == "[N, T, 8]"


@pytest.mark.parametrize(("depth", "labels"), [(1, ["layers", "dense1"]), (2, ["layers", "layers.0", "dense1"])])
def test_depth(netc: Netc, depth: int, labels: list[str]) -> None:
    rows = csv.DictReader(io.StringIO(netc("summary", "-e", TEXT, "--csv", "--depth", depth).stdout))
    assert [row["path"] for row in rows] == labels
    table = netc("summary", "-e", TEXT, "--depth", depth).stdout
    assert ("relu" in table) == (depth > 2)
    assert "7,218" in table, "the totals count everything"


@pytest.mark.parametrize("name", ["resnet50", "ddpm_cifar10", "bert_base"])
def test_a_table_is_as_wide_as_the_terminal(name: str) -> None:
    summary = package.zoo(name).summary()
    for width in (30, 47, 60, 80, 132):
        table = summary.render(width).splitlines()
        assert max(map(len, table)) <= width
        assert table[0].endswith(("result", "parameters", "FLOPs", "activation bytes")), "columns are left out, not cut"
        assert max(map(len, summary.shapes(width).splitlines())) <= width


def test_a_model_is_called_as_its_file(netc: Netc, tmp_path: Path) -> None:
    for file, name in {"größe.net": "grosse", "modèle-2.net": "modele_2", "模型.net": "net", "3d.net": "net_3d"}.items():
        (tmp_path / file).write_text("input 3 -> relu", encoding="utf-8")
        assert json.loads(netc("summary", tmp_path / file, "--json").stdout)["model"] == name


def test_forms_exclude_each_other(netc: Netc) -> None:
    assert netc("summary", "-e", TEXT, "--wide", "--json").exit_code == 2


@pytest.mark.parametrize("words", [("summary",), ("sweep", "--set", "width=8"), ("bench",)])
def test_one_form_at_a_time(netc: Netc, words: tuple[str, ...]) -> None:
    for forms in (("--json", "--csv"), ("--csv", "--json")):
        done = netc(*words, "-e", TEXT, *forms)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "give `--json` or `--csv`, not both" in done.stderr


@pytest.mark.parametrize("width", [1, 5, 20])
def test_a_terminal_of_a_few_columns(width: int) -> None:
    """The front of the totals takes more than that: words then have ten columns."""
    summary = package.compile("input 3x8x8 -> conv 4 3x3 -> flatten -> dense 2").summary()
    assert max(map(len, summary.shapes(width).splitlines())) <= max(width, 3)
    assert "sample" in summary.render(width)
