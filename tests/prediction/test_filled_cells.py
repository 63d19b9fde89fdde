"""Predictions of new tables whose empty cells a rule of the training fills: pandas is the judge of the filled tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netc
from netc.prediction.unfit_data import UnfitData

pd = pytest.importorskip("pandas", reason="pandas is not installed")

# The network returns its input, so a prediction shows how a cell was read.
SPEC = """known = input [] {dtype}
guess = known -> cast float32 -> unsqueeze 1 -> dense 1 init=ones bias_init=zeros -> squeeze 1
out guess
train {{
  target = input []
  loss = (guess, target) -> mse_loss
  data csv "train.csv"
  fill {fill}
  optimizer sgd lr=0
  steps 1
}}
"""
WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def train(folder: Path, dtype: str, cells: list[str], fill: str) -> Any:
    """Train on a table with these cells, and return the predictor."""
    lines = ["known,target", *(f"{cell},0" for cell in cells)]
    (folder / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "filled.net").write_text(SPEC.format(dtype=dtype, fill=fill), encoding="utf-8")
    netc.train(folder / "filled.net", output=folder / "run")
    return netc.load(folder / "run")


def fill_cells(cells: list[str], number: float) -> list[float]:
    """Return the numbers of the cells as pandas fills them."""
    table = pd.read_csv(io.StringIO("\n".join(["known", *(cell or '""' for cell in cells)])), dtype=str)
    return [float(number) for number in table["known"].replace(WORDS).astype(float).fillna(number)]


@pytest.mark.parametrize("dtype", ["bool", "float32"])
@pytest.mark.parametrize("fill", [0, 1])
def test_booleans_that_training_has_in_each_row(dtype: str, fill: int, tmp_path: Path) -> None:
    """The training has no empty cell, and the rule is for new data alone."""
    predictor = train(tmp_path, dtype, ["true", "false", "false", "true"], str(fill))
    for cells in (["true", "false"], ["true", "", "false"], ["yes", "", "no"], ["NA", "true"], [""]):
        (tmp_path / "new.csv").write_text("\n".join(["known", *(cell or '""' for cell in cells)]) + "\n", encoding="utf-8")
        np.testing.assert_array_equal(predictor(tmp_path / "new.csv")["predicted_target"], fill_cells(cells, fill))
    np.testing.assert_array_equal(predictor([{"known": True}, {"known": None}])["predicted_target"], [1, fill])


def test_booleans_in_place_of_numbers(tmp_path: Path) -> None:
    """Without a rule, an input of floats reads booleans in new data as 1 and 0; with one, it does so too."""
    predictor = train(tmp_path, "float32", ["3", "0", "", "6"], "median")
    for cells in (["2", "", "0.5"], ["true", "", "false"], ["yes", "NA"]):
        (tmp_path / "new.csv").write_text("\n".join(["known", *(cell or '""' for cell in cells)]) + "\n", encoding="utf-8")
        np.testing.assert_array_equal(predictor(tmp_path / "new.csv")["predicted_target"], fill_cells(cells, 3))


@pytest.mark.parametrize("value", [[], [1, 2], [[1.0]]])
def test_arrays_in_place_of_cells(value: list[Any], tmp_path: Path) -> None:
    predictor = train(tmp_path, "float32", ["2026-01-31", "", "2026-02-01"], "median")
    with pytest.raises(UnfitData, match=r"the column `known` is \[N, "):
        predictor([{"known": value}])
