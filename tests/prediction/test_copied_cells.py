"""Copied cells and missing classes keep their values in each format, whichever batch they are in. pyarrow reads the files again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from netc.prediction.copied_columns import CopiedColumns, open_copied_columns
from netc.prediction.model_signature import BINARY, CLASSES, ModelSignature, OutputSignature
from netc.prediction.prediction_files import write_predictions
from netc.prediction.predictions import Predictions, interpret_outputs
from netc.training.data.arrow import open_parquet, wrap_table
from netc.training.data.csv import open_csv
from netc.training.data.data_source import Source

NONE: list[Any] = [None, None]
COLUMNS = {
    "integers": pa.array([*NONE, 3]),
    "floats": pa.array([*NONE, 2.5]),
    "booleans": pa.array([*NONE, True]),
    "texts": pa.array([*NONE, "x"]),
    "categories": pa.array([*NONE, "x"]).dictionary_encode(),
    "bytes": pa.array([*NONE, b"\xff"]),
    "dates": pa.array([*NONE, date(1900, 1, 1)]),
    "moments": pa.array([*NONE, datetime(1900, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
    "nanoseconds": pa.array([1, None, 2], pa.timestamp("ns")),
    "unsigned": pa.array([*NONE, 2**64 - 1], pa.uint64()),
    "decimals": pa.array([Decimal("1.5"), None, Decimal("123456.25")], pa.decimal128(20, 2)),
    "halves": pa.array([*NONE, np.float16(1.5)], pa.float16()),
    "nothing": pa.nulls(3),
}


def iterate_singly(predictions: Predictions) -> Iterator[Predictions]:
    """Batches of one sample."""
    for i in range(len(predictions)):
        outputs, columns = ({name: array[i : i + 1] for name, array in of.items()} for of in (predictions.outputs, predictions.columns))
        yield Predictions(outputs, columns, predictions.numbered)


def write_copy(source: Source, path: Path) -> None:
    predictions = Predictions({"y": np.zeros(len(source))}, {"y": np.zeros(len(source))})
    write_predictions(str(path), iterate_singly(predictions), open_copied_columns(source, path.suffix), path.suffix)


@pytest.mark.parametrize("name", COLUMNS)
def test_arrow_columns_keep_their_cells(name: str, tmp_path: Path) -> None:
    """The first batches are empty, so the type cannot come from their cells."""
    table = pa.table({name: COLUMNS[name]})
    write_copy(wrap_table(table), tmp_path / "o.parquet")
    copied = parquet.read_table(tmp_path / "o.parquet")[name]
    assert copied.to_pylist() == table[name].to_pylist()
    types = {"categories": pa.string(), "halves": pa.float32(), "nothing": pa.string()}
    assert copied.type == types.get(name, table[name].type)


def test_intervals_become_texts(tmp_path: Path) -> None:
    """Parquet has no type for them."""
    cells = pa.array([None, pa.MonthDayNano([1, 2, 3])])
    write_copy(wrap_table(pa.table({"a": cells})), tmp_path / "o.parquet")
    assert open_parquet(str(tmp_path / "o.parquet"), {}).list_cells("a", 0, 2) == [None, str(cells[1].as_py())]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["7", "-8", "+9"], [7, -8, 9]),
        (["007", "8", "100"], ["007", "8", "100"]),
        (["1", "2", "-01"], ["1", "2", "-01"]),
        (["0", "0.50", "1e3"], [0, 0.5, 1000]),
        (["1", "", "2"], [1, None, 2]),
        (["01", "", "2"], ["01", "", "2"]),
        (["1", "2", "9223372036854775807"], [1, 2, 2**63 - 1]),
        (["1", "2", "123456789012345678901234567890"], ["1", "2", "123456789012345678901234567890"]),
        (["1", "2", "9" * 5000], ["1", "2", "9" * 5000]),
        (["1", "2.5", "18446744073709551616"], [1, 2.5, 2**64]),  # a power of two is exact
        (["true", "False", "TRUE"], [True, False, True]),
    ],
)
def test_numbers_of_csv_keep_their_digits(cells: list[str], expected: list[Any], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\n".join(["id,x", *(f"{cell},1" for cell in cells)]), encoding="utf-8")
    for ending in (".json", ".parquet"):
        write_copy(open_csv(str(tmp_path / "rows.csv")), tmp_path / f"o{ending}")
    assert [row["id"] for row in json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))] == expected
    assert parquet.read_table(tmp_path / "o.parquet")["id"].to_pylist() == expected


@pytest.mark.parametrize(("ending", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_ends_of_lines_in_cells_stay_in_their_cells(ending: str, separator: str, tmp_path: Path) -> None:
    """A bare carriage return ends a row for all readers, unless it is in quotes."""
    cells = ["a\rb", "\r", "\n", "a\r\nb", "\r\n", "a,b\tc", 'a"\r"b', "c"]
    write_copy(wrap_table(pa.table({"x\ry": cells})), tmp_path / f"o{ending}")
    table = pd.read_csv(tmp_path / f"o{ending}", sep=separator)
    assert list(table.columns) == ["x\ry", "y"]
    assert list(table["x\ry"]) == cells
    assert (tmp_path / f"o{ending}").read_bytes().count(f"{separator}0\n".encode()) == len(cells)
    assert len(open_csv(str(tmp_path / f"o{ending}"))) == len(cells)
    predictions = Predictions({}, {"x": np.array(cells, object)})
    assert list(pd.read_csv(io.StringIO(predictions.to_csv(), newline=""))["x"]) == cells


@pytest.mark.parametrize("classes", [(), ("no", "yes")])
@pytest.mark.parametrize("task", [CLASSES, BINARY])
@pytest.mark.parametrize("order", [1, -1])
def test_a_sample_with_nan_has_no_class(task: str, classes: tuple[str, ...], order: int, tmp_path: Path) -> None:
    """Its batch is before or after a batch with a class."""
    scores = np.array([np.nan, 2.0])[::order]
    outputs = {"s": np.stack([-scores, scores], 1) if task == CLASSES else scores}
    predictions = interpret_outputs(outputs, ModelSignature("csv", {}, (), (OutputSignature("s", task, "y", classes),)))
    label = "yes" if classes else 1
    assert list(predictions["predicted_y"]) == [None, label][::order]
    for ending in (".csv", ".json", ".parquet", ".npz"):
        write_predictions(str(tmp_path / f"o{ending}"), iterate_singly(predictions), CopiedColumns(), ending)
    assert [row["predicted_y"] for row in json.loads((tmp_path / "o.json").read_text())] == [None, label][::order]
    assert parquet.read_table(tmp_path / "o.parquet")["predicted_y"].to_pylist() == [None, label][::order]
    assert [line.split(",")[0] for line in (tmp_path / "o.csv").read_text().split()[1:]] == ["", str(label)][::order]
    assert np.load(tmp_path / "o.npz")["predicted_y"].tolist() == ["", str(label)][::order]


@pytest.mark.parametrize(
    ("data", "between", "output", "expected"),
    [("d.tsv", "\t", "o.csv", ","), ("d.TSV", "\t", "o.tsv", "\t"), ("d.csv", ";", "o.csv", ";"), ("d.csv", ";", "o.tsv", "\t")],
)
def test_separator_follows_the_ending(data: str, between: str, output: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / data).write_text(f"id{between}x\n007{between}1\n", encoding="utf-8")
    write_copy(open_csv(str(tmp_path / data), separator=None if between == "\t" else between), tmp_path / output)
    assert (tmp_path / output).read_text(encoding="utf-8").splitlines()[0] == expected.join(["id", "x", "y"])
