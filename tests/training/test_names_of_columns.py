"""Each column of a table has a name of its own, or an input could read either of two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

import netc
from netc.cli import cli

from .opened import said, spec

TWICE = pa.table([pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array([0.0, 1.0])], names=["x", "x", "target"])
NUMBERED = pa.table([pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array([0.0, 1.0])], names=["x", "y", "target"])


class Samples:
    """A dataset whose samples have a number and a text of the same digits as names."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[Any, float]:
        return {"x": 1.0, "target": 0.0, 1: 2.0, "1": 3.0}


def write_parquet(table: Any, folder: Path) -> str:
    parquet.write_table(table, folder / "a.parquet")
    return str(folder / "a.parquet")


def write_arrow(table: Any, folder: Path) -> str:
    with pa.OSFile(str(folder / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return str(folder / "a.arrow")


@pytest.mark.parametrize("form", [lambda table, _: table, write_parquet, write_arrow])
def test_arrow(form: Any, tmp_path: Path) -> None:
    ((code, message),) = said(spec(x="[]"), form(TWICE, tmp_path))
    assert (code, message.partition(": ")[2]) == ("cannot-read-data", "two of its columns are called `x`")
    assert said(spec(x="[]"), form(NUMBERED, tmp_path)) == []


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (pd.DataFrame([[1.0, 2.0, 0.0]], columns=["x", "x", "target"]), "x"),
        (pd.DataFrame([[1.0, 2.0, 3.0, 0.0]], columns=["x", 1, "1", "target"]), "1"),
        ({"x": [1.0], 1: [2.0], "1": [3.0], "target": [0.0]}, "1"),
        ([{"x": 1.0, 1: 2.0, "target": 0.0}, {"x": 1.0, "1": 3.0, "target": 0.0}], "1"),
        (Samples(), "1"),
    ],
)
def test_objects(data: Any, name: str) -> None:
    ((code, message),) = said(spec(x="[]"), data)
    assert (code, message.partition(": ")[2]) == ("cannot-read-data", f"two of its columns are called `{name}`")


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "m.net").write_text(spec(x="1"))
    netc.train(tmp_path / "m.net", data=NUMBERED, columns={"x": ["x"]}, output=tmp_path / "run", steps=1)
    done = CliRunner().invoke(cli, ["predict", str(tmp_path / "run"), "--data", write_parquet(TWICE, tmp_path)], prog_name="netc")
    assert done.exit_code == 1
    assert "two of its columns are called `x`" in done.stderr
