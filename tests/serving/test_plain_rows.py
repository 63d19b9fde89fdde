"""The quick reader of rows gives the bits of the general one, or leaves the rows to it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")

from netc.serving.plain_rows import PlainRows
from netc.serving.request_refused import RequestRefused
from netc.serving.request_rows import make_rows_source
from netc.training.data.data_source import DataError

CELLS = [
    0, -3, 7, 2**24 + 1, 2**53 - 1, 2**53 + 1, 10**18, 10**30, 0.1, 1e-40, 16777217.0, 65519.9, 65520.0, 1e300, -0.0, float("nan"),
    float("inf"),    True, None, "1", "Ulm", " Ulm", "Rom", "", [1], {},
]  # fmt: skip
SPEC = """measures = input 2 DTYPE
town = input [] int8
scores = (measures -> cast float32, town -> cast int64 -> embedding 3 4) -> concat axis=1 -> dense 2

train {
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "rows.csv" measures=[width, height] town=place
  epochs 1
  batch 8
}
"""


def read_generally(rows: list[dict[str, Any]], predictor: Any) -> dict[str, Any] | None:
    try:
        columns = predictor.open_columns(make_rows_source(rows, predictor))
        arrays: dict[str, Any] = columns.read_batch(np.arange(len(columns)))
    except (RequestRefused, DataError, ValueError):
        return None
    return arrays


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "bfloat16", "int16"])
def test_both_readers_agree(dtype: str, tmp_path: Path) -> None:
    lines = ["width,height,place,kind", *(f"{i},{-i},{('Bonn', 'Rhein', 'Ulm')[i % 3]},{i % 2}" for i in range(12))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "a.net").write_text(SPEC.replace("DTYPE", dtype), encoding="utf-8")
    netc.train(tmp_path / "a.net", output=tmp_path / "run")
    predictor = netc.load(tmp_path / "run")
    plain, draw, count = PlainRows(predictor), random.Random(0), 0
    for _ in range(400):
        usual = [0, -3, 7, "Ulm"] if dtype == "int16" else [0.1, 7, -3.5, 1e4, 2**24 + 1]
        rows = [
            {
                "width": draw.choice(CELLS if draw.random() < 0.15 else usual),
                "height": draw.choice(CELLS if draw.random() < 0.15 else usual),
                "place": draw.choice(CELLS if draw.random() < 0.15 else ["Bonn", "Ulm"]),
            }
            for _ in range(draw.randint(1, 3))
        ]
        quick = plain.read(rows)
        if quick is not None:
            count += 1
            general = read_generally(rows, predictor)
            assert general is not None, rows
            assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in quick.items()} == {
                name: (a.dtype, a.shape, a.tobytes()) for name, a in general.items()
            }, rows
    assert count > 50
