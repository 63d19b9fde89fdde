"""The helps about columns of a table, applied: no help leads to another error, whatever a column is called."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

import netc
from netc.compiler.errors.column_names import format_column

SPEC = """
x = input [] {dtype}
y = (x -> cast float32) * param [] init=zeros as w
train {{
  t = input []
  loss = (y, t) -> l1_loss
  data csv "d.csv" x={column} t=target{rule}
  steps 1
}}
"""
NAMES = ["town", "home town", "in", "train", "Köln", "2nd", "a.b", "a-b", "it's", "x", "-1", "a,b", "$(x)"]


def train(folder: Path, name: str, cells: list[str], **parts: str) -> str:
    """Train on a column, and return the help of the error, or nothing."""
    with open(folder / "d.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[name, "target"], *([cell, i] for i, cell in enumerate(cells))])
    text = SPEC.format(**{"dtype": "int64", "column": format_column(name), "rule": ""} | parts)
    (folder / "d.net").write_text(text, encoding="utf-8")
    try:
        netc.train(folder / "d.net", output=folder / f"run{len([*folder.iterdir()])}")
    except netc.CompileError as error:
        return " ".join(line for diagnostic in error.diagnostics for line in diagnostic.help)
    return ""


@pytest.mark.share(3)
@pytest.mark.parametrize("name", NAMES)
def test_the_rule_for_empty_categories(tmp_path: Path, name: str) -> None:
    cells = ["Ulm", "Bonn", ""]
    (rule,) = re.findall(r"`(category .*)`", train(tmp_path, name, cells))
    assert train(tmp_path, name, cells, rule=f"\n  {rule}") == ""
    also = train(tmp_path, name, cells, rule=f"\n  fill 0 columns={format_column(name)}")
    assert set(re.findall(r"`(category .*?)`", also)) == {rule}


@pytest.mark.share(3)
@pytest.mark.parametrize("name", NAMES)
def test_the_number_for_empty_cells(tmp_path: Path, name: str) -> None:
    cells = ["1", "2", ""]
    (rule,) = re.findall(r"`(fill 0 .*)`", train(tmp_path, name, cells, rule="\n  fill 1.5"))
    assert train(tmp_path, name, cells, rule=f"\n  {rule}") == ""


@pytest.mark.share(3)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("a,b", "x")])  # `a,b_` is two columns, and `x_` is not near to `x`
def test_a_name_that_is_almost_right(tmp_path: Path, name: str) -> None:
    (column,) = re.findall(r"or `x=(.*)` after the path", train(tmp_path, name, ["1", "2"], column=f'"{name}_"'))
    assert train(tmp_path, name, ["1", "2"], column=column) == ""


def test_names_that_no_string_can_have() -> None:
    """A string has no escapes, and braces in it are expressions."""
    assert {format_column(name) for name in ('5" pipes', "{x}", "a\nb", "\x1b[31m", "\udcff")} == {"COLUMN"}


@pytest.mark.parametrize(
    ("given", "declared"), [("uint64", "int64"), ("uint32", "int32"), ("uint16", "int8"), ("int64", "uint8"), ("int16", "uint8")]
)
def test_the_type_for_integers_that_do_not_fit(tmp_path: Path, given: str, declared: str) -> None:
    """netc has no `uint64`, `uint32` and `uint16`."""
    data = {"x": np.array([1, np.iinfo(given).max], given), "t": np.zeros(2, np.float32)}

    def train_as(dtype: str) -> str:
        text = SPEC.format(dtype=dtype, column="x", rule="").replace('  data csv "d.csv" x=x t=target\n', "")
        try:
            netc.train(netc.compile(text), data=data, output=tmp_path / dtype)
        except netc.CompileError as error:
            return error.diagnostics[0].help[0]
        return ""

    (better,) = re.findall(r"declare the input `x` as (\w+)", train_as(declared))
    assert better != declared
    assert train_as(better) == ""


LOSSES = {
    "cross_entropy": "(s, x) -> cross_entropy",
    "one_hot": "(s, x -> one_hot COUNT -> cast float32) -> mse_loss",
    "balance": "(s, x, weights) -> cross_entropy\n  balance x weight=weights",
}
CLASSES = """
y = input []
s = y -> unsqueeze 1 -> dense COUNT
train {
  x = input [] int64
  INPUT
  loss = LOSS
  data csv "d.csv"
  steps 1
}
"""


@pytest.mark.share(3)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cells", ["abcde", "12345", "01721", "01210"])
def test_the_number_of_classes(tmp_path: Path, cells: str, loss: str) -> None:
    """The number that the help gives fits all rows, and not only the first row that does not fit."""
    (tmp_path / "d.csv").write_text("\n".join(["x,y", *(f"{cell},{i}" for i, cell in enumerate(cells))]), encoding="utf-8")

    weights = "weights = input [COUNT] batch=false" if loss == "balance" else ""

    def train_classes(count: int) -> list[str]:
        text = CLASSES.replace("LOSS", LOSSES[loss]).replace("INPUT", weights).replace("COUNT", str(count))
        (tmp_path / "d.net").write_text(text, encoding="utf-8")
        try:
            netc.train(tmp_path / "d.net", output=tmp_path / f"run{count}")
        except netc.CompileError as error:
            return [line for diagnostic in error.diagnostics for line in diagnostic.help]
        return []

    first = train_classes(2)[0]
    needed = 3 if "one class more" in first else int(re.findall(r"\d+", first)[0])
    assert needed == (5 if cells == "abcde" else int(max(cells)) + 1)
    if loss != "balance" or cells in ("abcde", "01210"):  # the others lack classes, which no weight can balance
        assert train_classes(needed) == []
