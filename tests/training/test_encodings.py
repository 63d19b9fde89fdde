"""The same table as csv, Parquet, DataFrame and rows: pandas' own encodings are the judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.opened import arrays, said, spec

pd = pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

SPEC = """measures = input 4
town = input [] int64
y = (measures, town -> one_hot 4 -> cast float32) -> concat axis=1 -> dense 3
train {
  kind = input [] int64
  loss = (y, kind) -> cross_entropy
}
"""
COLUMNS = {"measures": ("height", "member", "born", "seen")}
ROWS = 40


def make_table() -> Any:
    generator = np.random.default_rng(3)
    towns, kinds = np.array(["Ulm", "Bonn", "Köln", "NA"]), np.array(["oak", "ash", "beech"])
    days = generator.integers(-9000, 15000, ROWS)
    return pd.DataFrame(
        {
            "town": towns[generator.integers(0, 4, ROWS)],
            "height": generator.normal(size=ROWS).round(3),
            "member": generator.integers(0, 2, ROWS).astype(bool),
            "born": pd.to_datetime(days, unit="D", origin="unix"),
            "seen": pd.to_datetime(days * 86_400 + 3_723, unit="s", origin="unix"),
            "kind": kinds[generator.integers(0, 3, ROWS)],
        }
    )


def write_csv(table: Any, folder: Path) -> str:
    table.to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def write_parquet(table: Any, folder: Path) -> str:
    table.to_parquet(folder / "t.parquet", row_group_size=7)
    return str(folder / "t.parquet")


def write_typed_parquet(table: Any, folder: Path) -> str:
    """Dictionaries, date32, time zones, decimals and large strings."""
    import pyarrow as pa
    from pyarrow import parquet

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    typed = {
        "town": arrow["town"].cast(pa.string()).dictionary_encode(),
        "height": arrow["height"].cast(pa.decimal128(10, 3)),
        "born": arrow["born"].cast(pa.date32()),
        "seen": arrow["seen"].cast(pa.timestamp("ms")).cast(pa.timestamp("ms", "UTC")),
        "kind": arrow["kind"].cast(pa.large_string()),
        "member": arrow["member"],
    }
    parquet.write_table(pa.table(typed), folder / "typed.parquet")
    return str(folder / "typed.parquet")


def write_arrow(table: Any, folder: Path) -> str:
    import pyarrow as pa

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    with pa.OSFile(str(folder / "t.arrow"), "wb") as sink, pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow, max_chunksize=9)
    return str(folder / "t.arrow")


def write_npz(table: Any, folder: Path) -> str:
    columns = {name: np.array(table[name].to_list(), table[name].dtype if table[name].dtype.kind != "O" else str) for name in table}
    np.savez(folder / "t.npz", **{name: c.astype(str) if c.dtype.kind not in "fbM" else c for name, c in columns.items()})
    return str(folder / "t.npz")


def make_polars(table: Any, folder: Path) -> Any:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    return polars.read_csv(write_csv(table, folder), try_parse_dates=True, null_values=[""])


def make_arrow_table(table: Any, folder: Path) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(table, preserve_index=False)


def make_dataset(table: Any, folder: Path) -> Any:
    datasets = pytest.importorskip("datasets", reason="`datasets` is not installed")
    return datasets.Dataset.from_pandas(table)


FORMS: dict[str, Callable[[Any, Path], Any]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "typed-parquet": write_typed_parquet,
    "arrow": write_arrow,
    "npz": write_npz,
    "pandas": lambda table, folder: table,
    "pandas-categories": lambda table, folder: table.astype({"town": "category", "kind": "string"}),
    "pandas-time-zone": lambda table, folder: table.assign(seen=table["seen"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
    "polars": make_polars,
    "pyarrow": make_arrow_table,
    "datasets": make_dataset,
    "rows": lambda table, folder: table.to_dict("records"),
    "lists": lambda table, folder: table.to_dict("list"),
}


def to_days(dates: Any) -> Any:
    return (dates - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_numbers_of_pandas(tmp_path: Path, form: str) -> None:
    table = make_table()
    encoded = arrays(SPEC, FORMS[form](table, tmp_path), columns=COLUMNS)
    np.testing.assert_array_equal(encoded["town"], pd.factorize(table["town"], sort=True)[0])
    np.testing.assert_array_equal(encoded["kind"], pd.factorize(table["kind"], sort=True)[0])
    expected = np.stack([table["height"], table["member"], to_days(table["born"]), to_days(table["seen"])], 1).astype(np.float32)
    np.testing.assert_array_equal(encoded["measures"], expected)


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("npz", "pandas-categories", "lists")])
def test_empty_cells_are_found_in_every_form(tmp_path: Path, form: str) -> None:
    table = make_table()
    table["member"] = table["member"].astype(object)
    for column, row in (("town", 5), ("member", 7), ("born", 8), ("seen", 2), ("kind", 39)):
        table.loc[row, column] = None
    table["member"] = table["member"].astype("boolean")
    found = dict.fromkeys(message for _, message in said(SPEC, FORMS[form](table, tmp_path), columns=COLUMNS))
    row = "line {}".format if form == "csv" else "sample {}".format
    shift = 2 if form == "csv" else 0
    assert list(found) == [
        f"{row(2 + shift)} of the column `seen` is empty",
        f"{row(5 + shift)} of the column `town` is empty",
        f"{row(39 + shift)} of the column `kind` is empty",
    ]


@pytest.mark.parametrize("dtype", ["Int64", "object", "float64"])
def test_missing_integers_of_pandas(dtype: str) -> None:
    table = pd.DataFrame({"x": pd.array([1, None, 3], "Int64").astype(dtype), "target": [0, 1, 2]})
    assert said(spec(x="[]"), table)[0][1] == "sample 1 of the column `x`, for the input `x`, has NaN"


LARGEST = 2**53 - 1
"""The largest integer below which float64 skips none."""


def hold_masked(cells: list[int | None], folder: Path) -> Any:
    return {"id": np.ma.array([cell or 0 for cell in cells], mask=[cell is None for cell in cells]), "y": np.ones(len(cells))}


INTEGERS: dict[str, Callable[[list[int | None], Path], Any]] = {
    "csv": lambda cells, folder: write_csv(pd.DataFrame({"id": pd.array(cells, "Int64"), "y": 1.0}), folder),
    "parquet": lambda cells, folder: write_parquet(pd.DataFrame({"id": pd.array(cells, "Int64"), "y": 1.0}), folder),
    "pandas": lambda cells, folder: pd.DataFrame({"id": pd.array(cells, "Int64"), "y": 1.0}),
    "objects": lambda cells, folder: pd.DataFrame({"id": pd.array(cells, object), "y": 1.0}),
    "rows": lambda cells, folder: [{"id": cell, "y": 1.0} for cell in cells],
    "masked": hold_masked,
}


@pytest.mark.parametrize("form", INTEGERS)
@pytest.mark.parametrize("number", [LARGEST, LARGEST + 1, LARGEST + 2, -LARGEST - 2, 2**62 + 1])
def test_integers_in_a_column_with_empty_cells_keep_their_digits_or_are_refused(tmp_path: Path, form: str, number: int) -> None:
    """An empty cell makes a column floats, which skip integers from 2**53 on."""
    text = "id = input [] int64\ny = id -> cast float32\ntrain { t = input []; loss = (y, t) -> mse_loss; fill 7 }"
    gaps: list[int | None] = [*range(20), number, None]
    columns = {"t": "y"}
    assert arrays(text, INTEGERS[form]([*range(20), number], tmp_path), columns=columns)["id"].tolist() == [*range(20), number]
    data = INTEGERS[form](gaps, tmp_path)
    if abs(number) <= LARGEST:
        assert arrays(text, data, columns=columns)["id"].tolist() == [*range(20), number, 7]
    else:
        ((code, message),) = said(text, data, columns=columns)
        assert code == "column-type"
        assert "which is too large: in a column with empty cells or fractions, only integers below 2**53 keep their digits" in message


@pytest.mark.parametrize("form", ["parquet", "pandas"])
@pytest.mark.parametrize("fill", ["", "; fill 7"])
def test_unsigned_integers_beyond_int64_are_refused(tmp_path: Path, form: str, fill: str) -> None:
    """As int64 they would be negative. uint64 is its own judge of the numbers that fit."""
    text = f"id = input [] int64\ny = id -> cast float32\ntrain {{ t = input []; loss = (y, t) -> mse_loss{fill} }}"
    for number, fits in ((2**63 - 1, True), (2**63, False), (2**64 - 1, False)):
        table = pd.DataFrame({"id": np.array([1, number], np.uint64), "t": 1.0})
        data = write_parquet(table, tmp_path) if form == "parquet" else table
        if fits:
            assert arrays(text, data)["id"].tolist() == [1, number]
        else:
            assert said(text, data)[0][0] in ("column-type", "cannot-read-data")


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "ms", "ns"])
@pytest.mark.parametrize("is_file", [True, False])
def test_dates_of_numpy_in_every_unit(unit: str, is_file: bool, tmp_path: Path) -> None:
    dates = np.array(["1969-01-01", "2026-01-01", "2026-07-01"], f"datetime64[{unit}]")
    data: Any = {"x": dates, "target": np.arange(3.0)}
    if is_file:
        np.savez(tmp_path / "t.npz", **data)
        data = str(tmp_path / "t.npz")
    assert arrays(spec(x="[]"), data)["x"].tolist() == dates.astype("datetime64[D]").astype(np.float32).tolist()
