"""The classes of a target of true and false have its words, also where an integer input reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import netc

SPEC = """w = input []
scores = w -> unsqueeze 1 -> dense 2
train {
  k = input [] int64
  loss = (scores, k) -> cross_entropy
  data csv "rows.csv"
  optimizer adamw lr=0.1
  epochs 20
}
"""
WIDTHS = [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]


def train(path: Path, data: Any) -> dict[str, Any]:
    (path / "a.net").write_text(SPEC, encoding="utf-8")
    netc.train(path / "a.net", data=data, output=path / "run")
    predictor = netc.load(path / "run")
    results = predictor({"w": WIDTHS})
    assert predictor.evaluate({"w": WIDTHS, "k": list(results["predicted_k"])}).metrics["accuracy"] == 1
    return dict(results.columns)


@pytest.mark.parametrize("words", [("false", "true"), ("False", "True"), ("no", "yes")])
def test_words_of_a_table(tmp_path: Path, words: tuple[str, str]) -> None:
    lines = [f"{width},{words[width > 0]}" for width in WIDTHS]
    (tmp_path / "rows.csv").write_text("\n".join(["w,k", *lines, ""]), encoding="utf-8")
    results = train(tmp_path, tmp_path / "rows.csv")
    assert list(results["predicted_k"]) == [words[width > 0] for width in WIDTHS]
    assert {f"probability_{word}" for word in words} <= results.keys()


def test_booleans_of_python(tmp_path: Path) -> None:
    results = train(tmp_path, pd.DataFrame({"w": WIDTHS, "k": [width > 0 for width in WIDTHS]}))
    assert list(results["predicted_k"]) == [str(width > 0) for width in WIDTHS]
