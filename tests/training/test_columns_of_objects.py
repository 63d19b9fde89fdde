"""Tables with columns that are neither numbers, dates nor texts: they matter only if an input reads them. Cells may be arrays."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import dataset, parquet

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


@pytest.mark.share(8)
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


@pytest.mark.share(8)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("cell", [list, tuple, np.float32, torch.tensor], ids=["list", "tuple", "array", "tensor"])
def test_cells_of_arrays(table: pd.DataFrame, tmp_path: Path, form: Any, cell: Any) -> None:
    """A column of embeddings is the array of them."""
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4) / 10
    model = netc.compile(SPEC.format(shape="4"))
    wanted = read_weights(model, {"x": vectors, "t": table["t"].to_numpy()}, tmp_path / "array")
    embedded = table.assign(x=pd.Series([cell(row.tolist()) for row in vectors], dtype=object))
    assert read_weights(model, form(embedded), tmp_path / "cells") == wanted


NA_FIRST = pd.array([pd.NA, "u", "v", "u"], dtype="string")
UNREADABLE = {"periods": ODD["periods"], "bytes": ODD["bytes"], "intervals": ODD["intervals"], "mixed": ["u", object(), "v"]}
TOWNS = """
town = input [] int64
y = (town -> embedding 3 2) -> dense 1 -> squeeze 1
train {
  t = input []
  loss = (y, t) -> mse_loss
  category town unknown=other
  steps 3
}
"""


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run on towns, of which the first one is missing and has pandas' own mark."""
    folder = tmp_path_factory.mktemp("towns")
    netc.train(netc.compile(TOWNS), data=pd.DataFrame({"town": NA_FIRST, "t": [1.0, 2.0, 3.0, 4.0]}), output=folder)
    return netc.load(folder)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_missing_text_may_be_the_first(predictor: Any, form: Any) -> None:
    """It is the category of unknown names, in each form as in the table without pandas' mark."""
    plain = {"town": [None, "u", "v", "u"]}
    results = predictor(form(pd.DataFrame({"town": NA_FIRST})))
    assert results["predicted_t"].tolist() == predictor(plain)["predicted_t"].tolist()
    assert predictor({"town": ["x"]})["predicted_t"][0] == results["predicted_t"][0]


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_encoded_column_that_cannot_be_read(predictor: Any, name: str) -> None:
    with pytest.raises(ValueError, match=r"the column `town` has \w+, and the input `town` is int64"):
        predictor(pd.DataFrame({"town": UNREADABLE[name], "id": [1, 2, 3]}))


def test_objects_of_pyarrow(predictor: Any, tmp_path: Path) -> None:
    table = pa.table({"town": ["u", "v", None]})
    parquet.write_table(table, tmp_path / "t.parquet")
    objects = (
        table.to_batches()[0],
        table.to_reader(),
        parquet.ParquetFile(tmp_path / "t.parquet"),
        dataset.dataset(tmp_path / "t.parquet"),
    )
    for data in objects:
        assert predictor(data)["predicted_t"].tolist() == predictor(table)["predicted_t"].tolist()


@pytest.mark.parametrize("type_", [np.int64, np.float32, bool])
def test_masked_cells_are_missing(type_: type, tmp_path: Path) -> None:
    """The numbers below the mask are no data: `fill` gives the mean of the others, as for None."""
    model = netc.compile(
        SPEC.format(shape="[]").replace("x -> dense", "x -> unsqueeze 1 -> dense").replace("  steps 3", "  steps 3\n  fill mean")
    )
    cells = np.ma.array(np.array([0, 1, 1, 1]).astype(type_), mask=[0, 0, 0, 1])
    data = {"x": cells, "t": [1.0, 0.0, 2.0, 3.0]}
    plain = {**data, "x": [float(cell) for cell in (0, 1, 1)] + [None]}
    assert read_weights(model, data, tmp_path / "masked") == read_weights(model, plain, tmp_path / "plain")


def test_a_masked_matrix_has_nan(tmp_path: Path) -> None:
    matrix = np.ma.array(np.ones((3, 2), np.float32), mask=[[0, 0], [0, 1], [0, 0]])
    with pytest.raises(ValueError, match="sample 1 of the column `x`, for the input `x`, has NaN"):
        netc.train(netc.compile(SPEC.format(shape="2")), data={"x": matrix, "t": [1.0, 2.0, 3.0]}, output=tmp_path / "run")
    whole = {"x": np.ma.array(np.eye(3, 2)), "t": [1.0, 2.0, 3.0]}
    netc.train(netc.compile(SPEC.format(shape="2")), data=whole, output=tmp_path / "whole")
    assert np.isnan(netc.load(tmp_path / "whole")(matrix)["predicted_t"]).tolist() == [False, True, False]


@pytest.mark.parametrize("number", [10**400, -(10**400)])
@pytest.mark.parametrize("other", [1, 2.5, None])
def test_an_integer_that_is_larger_than_every_float(number: int, other: float | None, tmp_path: Path) -> None:
    """NumPy and pandas read such a number in a csv file as infinite."""
    assert np.isinf(pd.read_csv(io.StringIO(f"x\n{number}\n2.5\n"), dtype=float).x[0])
    model = netc.compile(SPEC.format(shape="[]").replace("x -> dense", "x -> unsqueeze 1 -> dense"))
    with pytest.raises(ValueError, match="sample 0 of the column `x`, for the input `x`, has an infinite number"):
        netc.train(model, data=[{"x": number, "t": 1.0}, {"x": other, "t": 2.0}], output=tmp_path)
