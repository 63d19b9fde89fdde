"""Predictions as text, as a DataFrame and as a printed table, and arrays as data: the csv module and pandas are the judges."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import netc
from netc.prediction.predictions import NoTable, Predictions
from tests.prediction.trained_rows import train, write_rows

KINDS = np.array(['oak, "red"', None, "ash\nwhite"], object)


def make_predictions(rows: int = 3, **more: Any) -> Predictions:
    columns = {
        "predicted_kind": np.resize(KINDS, rows),
        "probability_oak": np.linspace(1 / 3, 1e-9, rows),
        "predicted_price": np.linspace(-1e30, 0.1, rows, dtype=np.float32),
        "label": np.arange(rows),
        **more,
    }
    return Predictions({"scores": np.zeros((rows, 2), np.float32)}, columns)


def test_text() -> None:
    made = make_predictions()
    header, *rows = csv.reader(io.StringIO(made.to_csv()))
    assert header == list(made.columns)
    assert [row[0] for row in rows] == ['oak, "red"', "", "ash\nwhite"]
    assert [row[1] for row in rows] == ["0.333333", "0.166667", "1e-09"]
    # The digits give the same float32 again.
    assert [np.float32(row[2]) for row in rows] == made["predicted_price"].tolist()
    assert [row[3] for row in rows] == ["0", "1", "2"]
    assert list(made.iterate_rows()) == rows


def test_a_table_has_one_number_in_a_cell() -> None:
    made = make_predictions(pixels=np.zeros((3, 4, 5)))
    for function in (made.to_csv, made.check_table, lambda: list(made.iterate_rows())):
        with pytest.raises(NoTable, match=r"`pixels` has \[4, 5\] numbers for a sample"):
            function()


def test_data_frame() -> None:
    made = make_predictions(pixels=np.arange(12).reshape(3, 4))
    table = made.to_pandas()
    assert list(table) == list(made.columns)
    pd.testing.assert_series_equal(table["predicted_price"], pd.Series(made["predicted_price"], name="predicted_price"))
    assert [list(row) for row in table["pixels"]] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert table["predicted_kind"].isna().tolist() == [False, True, False]
    assert table["predicted_kind"].dropna().tolist() == [KINDS[0], KINDS[2]]


@pytest.mark.parametrize("rows", [1, 10, 11, 2500])
def test_printed_table(rows: int) -> None:
    """The first ten samples, right-aligned, and the number of all."""
    made = make_predictions(rows, pixels=np.zeros((rows, 4, 5), np.float32))
    lines = repr(Predictions(made.outputs, {name: made[name] for name in ("label", "probability_oak", "pixels")})).splitlines()
    assert len(lines) == 1 + min(rows, 10) + (rows > 10)
    assert lines[0].split() == ["label", "probability_oak", "pixels"]
    assert len({len(line) for line in lines[: 1 + min(rows, 10)]}) == 1
    for index, line in enumerate(lines[1:11]):
        assert line.split()[:2] == [str(index), f"{made['probability_oak'][index]:.6g}"]
        assert line.endswith("float32 [4, 5]")
    assert lines[11:] == ([f"... {rows:,} samples"] if rows > 10 else [])


def test_arrays_and_tensors_of_the_only_input(tmp_path: Path) -> None:
    """An array has the columns of the input side by side."""
    write_rows(tmp_path)
    train(tmp_path, "run", "scores = x -> dense 3", "kind = input [] int64", "(scores, kind) -> cross_entropy")
    predictor = netc.load(tmp_path / "run")
    x = np.random.default_rng(0).standard_normal((7, 2)).astype(np.float32)
    wanted = predictor({"width": x[:, 0], "height": x[:, 1]})
    for data in (x, torch.from_numpy(x), torch.from_numpy(x).requires_grad_()):
        made = predictor(data, batch=3)
        assert len(made) == 7
        assert made["predicted_kind"].tolist() == wanted["predicted_kind"].tolist()
        np.testing.assert_allclose(made.outputs["scores"], wanted.outputs["scores"], atol=1e-6)
    for wrong in (np.zeros((3, 4), np.float32), np.zeros(2, np.float32)):
        with pytest.raises(ValueError, match="and a row has 2 columns: width, height"):
            predictor(wrong)
    assert repr(predictor).endswith(": width, height -> kind>")
    assert predictor.find_generator() is None
