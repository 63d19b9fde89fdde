"""Tables with columns that are neither numbers, dates nor texts: they matter only if an input reads them. Cells may be arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import netc

SPEC = """
x = input {shape}
y = x -> dense 1 -> squeeze 1
train {{
  t = input []
  loss = (y, t) -> mse_loss
  optimizer sgd lr=0.1
  steps 3
}}
"""
ODD: dict[str, Any] = {
    "mappings": [{"a": 1}, {}, {"b": [2]}],
    "durations": pd.to_timedelta(["1h", "2h", None]),
    "periods": pd.period_range("2024-01", periods=3, freq="M"),
    "intervals": pd.interval_range(0, 3),
    "lists": [[1], [2, 3], []],
    "arrays": [np.ones(2), np.ones(3), np.ones(2)],
    "bytes": [b"a", b"bc", b""],
    "sets": [{1}, {2}, set()],
    "complex": [1j, 2, 3],
    "objects": [object(), 3, None],
}
FORMS = {
    "frame": lambda table: table,
    "rows": lambda table: table.to_dict("records"),
    "columns": lambda table: {name: table[name].to_numpy() for name in table},
    "lists": lambda table: {name: table[name].tolist() for name in table},
}


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"x": [1.0, 2.0, 4.0], "t": [1.0, 0.0, 2.0]})


def read_weights(model: netc.Model, data: Any, folder: Path) -> list[float]:
    """Train, and return the outputs of the trained network for the same data."""
    netc.train(model, data=data, output=folder, columns={"x": "x"})
    return np.asarray(netc.load(folder)(data)["predicted_t"]).tolist()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_odd_columns_that_no_input_reads(table: pd.DataFrame, tmp_path: Path, form: Any) -> None:
    model = netc.compile(SPEC.format(shape="[]").replace("x -> dense", "x -> unsqueeze 1 -> dense"))
    wanted = read_weights(model, form(table), tmp_path / "plain")
    for name, values in ODD.items():
        assert read_weights(model, form(table.assign(odd=values)), tmp_path / name) == wanted


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("name", ODD)
def test_odd_columns_that_an_input_reads(table: pd.DataFrame, tmp_path: Path, form: Any, name: str) -> None:
    """The error is at the input."""
    model = netc.compile(SPEC.format(shape="[]").replace("x -> dense", "x -> unsqueeze 1 -> dense"))
    with pytest.raises(netc.CompileError) as caught:
        netc.train(model, data=form(table.assign(odd=ODD[name])), output=tmp_path / "run", columns={"x": "odd"})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code in ("column-type", "column-shape", "cannot-read-data")
    assert "`odd`" in diagnostic.message


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("cell", [list, tuple, np.float32, torch.tensor], ids=["list", "tuple", "array", "tensor"])
def test_cells_of_arrays(table: pd.DataFrame, tmp_path: Path, form: Any, cell: Any) -> None:
    """A column of embeddings is the array of them."""
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4) / 10
    model = netc.compile(SPEC.format(shape="4"))
    wanted = read_weights(model, {"x": vectors, "t": table["t"].to_numpy()}, tmp_path / "array")
    embedded = table.assign(x=pd.Series([cell(row.tolist()) for row in vectors], dtype=object))
    assert read_weights(model, form(embedded), tmp_path / "cells") == wanted
