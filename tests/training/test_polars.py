"""Tables of polars give the same numbers as the same values in pandas, and types that NumPy lacks are read or refused."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from .opened import arrays, said, spec

pl = pytest.importorskip("polars", reason="polars is not installed")
TARGET = [0.0, 1.0]


def test_a_lazy_frame_is_computed_without_warnings() -> None:
    frame = pl.LazyFrame({"x": [1.5, 2.5, 9.0], "target": [0.0, 1.0, 0.0]}).filter(pl.col("x") < 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert arrays(spec(x="[]"), frame)["x"].tolist() == [1.5, 2.5]
    ((code, message),) = said(spec(x="[]"), frame.select("width"))
    assert code == "cannot-read-data"
    assert "width" in message
    assert "\n" not in message


def test_a_lazy_frame_that_fails_when_it_is_computed() -> None:
    frame = pl.LazyFrame({"x": ["1", "a"], "target": TARGET}).with_columns(pl.col("x").cast(pl.Float64))
    assert [code for code, _ in said(spec(x="[]"), frame)] == ["cannot-read-data"]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([3, 4], dtype=pl.Int128),
        pl.Series(["3", "4"], dtype=pl.Categorical),
        pl.Series([3, 4], dtype=pl.Decimal(10, 2)),
        pd.Series(["3", "4"], dtype=pd.ArrowDtype(pa.string_view())),
    ],
)
def test_types_without_a_type_of_numpy(column: Any) -> None:
    frame = (pl if isinstance(column, pl.Series) else pd).DataFrame({"x": column, "target": TARGET})
    assert arrays(spec(x="[]"), frame)["x"].tolist() == [3.0, 4.0]


def test_records_are_refused_as_those_of_pyarrow() -> None:
    for shape in ("[]", "1"):
        frame = pl.DataFrame({"x": [{"a": 1.0}, {"a": 2.0}], "target": TARGET})
        assert said(spec(x=shape), frame) == [("column-type", "the column `x` has records, and the input `x` is float32")]
        assert [code for code, _ in said(spec(x=shape), frame.to_arrow())] == ["column-type"]
