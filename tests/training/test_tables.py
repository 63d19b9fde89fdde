"""Tables: csv, Parquet, and what `datasets` saves. pyarrow and `datasets` write them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from csv import field_size_limit
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netc.training.data.csv import CsvFile, _read_table, open_csv
from netc.training.data.data_source import DataError
from tests.training.opened import arrays, numbers, opened, said, spec

X, TARGET = numbers(7, 2), np.arange(7)
HOUSES = "area,rooms,town,price\n50,2,Ulm,1.5\n\n70.5,3,Bonn,2\n 90 ,4,Ulm,3\n"


def csv(folder: Path, text: str, name: str = "a.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_csv(tmp_path: Path) -> None:
    found = arrays(spec('data csv "a.csv" x=[area, rooms] target=price'), path=Path(csv(tmp_path, HOUSES)).with_name("m.net"))
    assert found["x"].tolist() == [[50, 2], [70.5, 3], [90, 4]]
    assert found["target"].tolist() == [1.5, 2, 3]


def test_csv_types_and_forms(tmp_path: Path) -> None:
    source = open_csv(csv(tmp_path, '\ufeffa;b;c\n1;true;"x;y"\n2;FALSE;3\n'), separator=";")
    assert {n: None if c.dtype is None else c.dtype.name for n, c in source.columns.items()} == {"a": "int64", "b": "bool", "c": None}
    assert open_csv(csv(tmp_path, "1\t2\n3\t4\n", "a.tsv"), header=False).read(("1",), np.arange(2))["1"].tolist() == [2, 4]


def test_csv_of_many_rows(tmp_path: Path) -> None:
    """Integers and floats in different parts of the file, and a text at its end."""
    rows = [f"{i},{i if i < 9000 else i + 0.5},{i if i < 19999 else 'x'}" for i in range(20000)]
    source = open_csv(csv(tmp_path, "a,b,c\n" + "\n".join(rows)))
    assert len(source) == 20000
    assert source.columns["a"].dtype == np.int64
    assert source.columns["b"].dtype == np.float64
    assert source.columns["c"].dtype is None
    assert source.read(("b",), np.array([8999, 9000]))["b"].tolist() == [8999, 9000.5]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"a,b\n", "there are no samples in it"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 cell, and the first line has 2"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4 has 3 cells, and the first line has 2"),
        (
            b"a,b\n1\n1,2\n3\n3,4,5\n6\n7\n8\n",
            "line 2 has 1 cell, and the first line has 2; other lines that differ: 4, 5, 6 and 2 more",
        ),
        (b"a,a\n1,2\n", "two of its columns are called `a`"),
        (b"a\n\xff\n", "it is not UTF-8: the byte 0xff"),
        (b'a\n"open\n', "it is no table of text: unexpected end of data"),
    ],
)
def test_csv_that_is_wrong(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert said(spec(), f"{tmp_path}/a.csv") == [("cannot-read-data", f"cannot read `{tmp_path}/a.csv`: {why}")]


@pytest.mark.parametrize("encoding", ["latin1", "utf-16"])
def test_the_encoding_that_is_probably_meant(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("x,target\n1,ü\n".encode(encoding))
    with pytest.raises(DataError) as caught:
        open_csv(str(path))
    assert caught.value.remedy == f"save it as UTF-8, or convert it: `iconv -f {encoding} -t utf-8`"


def test_an_empty_cell_is_a_number_that_is_missing(tmp_path: Path) -> None:
    path = csv(tmp_path, "x,target\n1,1\n,2\n3,inf\n")
    assert said(spec(x="1"), path, columns={"x": ("x",)}) == [
        ("data-not-finite", "line 3 of the column `x`, for the input `x`, has NaN"),
        ("data-not-finite", "line 4 of the column `target`, for the input `target`, has an infinite number"),
    ]


def test_an_integer_that_is_missing(tmp_path: Path) -> None:
    path = csv(tmp_path, "x,target\n1,1\n2,\n3,0\n")
    said_of_csv = said(spec(x="1", target="[] int64"), path, columns={"x": ("x",)})
    assert said_of_csv == [("column-type", "line 3 of the column `target` is empty")]
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    table = pa.table({"x": [[1.0], [2.0], [3.0]], "target": [1, None, 0], "halves": [1.5, None, 0.5]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert said(spec(x="1", target="[] int64"), f"{tmp_path}/a.parquet") == [("column-type", "sample 1 of the column `target` is empty")]
    floats = [("column-type", "the column `halves` has float64, and the input `target` is int64")]
    assert said(spec(x="1", target="[] int64"), f"{tmp_path}/a.parquet", columns={"target": "halves"}) == floats


def test_columns_by_pattern_and_on_the_command_line(tmp_path: Path) -> None:
    path = csv(tmp_path, "p0,p1,p10,target\n1,2,3,4\n")
    for chosen in ("p*", "p0,p1,p10", ("p0", "p1*")):
        assert arrays(spec(x="3"), path, columns={"x": chosen})["x"].tolist() == [[1, 2, 3]]


def test_all_columns_of_an_input_that_do_not_fit_are_named(tmp_path: Path) -> None:
    """Otherwise each run names the next one."""
    path = csv(tmp_path, "city,age,plan,active,target\nRome,3,free,on,1\nOslo,4,paid,off,2\n")
    (problem,) = opened(spec(x="4"), path, columns={"x": "city,age,plan,active"}).diagnostics
    assert problem.message == "the column `city` has text (`Rome` in line 2), and the input `x` is float32"
    assert problem.notes[1:] == ("these columns do not fit either: `plan`, `active`",)


# --- Arrow -----------------------------------------------------------------------------------------------------------------


def table() -> Any:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    columns = {
        "x": pa.array(X.tolist(), pa.list_(pa.float32())),
        "fixed": pa.array(X.tolist(), pa.list_(pa.float32(), 2)),
        "deep": pa.array([[[a, b], [b, a]] for a, b in X.tolist()], pa.list_(pa.list_(pa.float64()))),
        "ragged": pa.array([[0.0] * (i % 2 + 1) for i in range(7)]),
        "target": pa.array(TARGET),
        "flag": pa.array([i % 2 == 0 for i in range(7)]),
        "half": pa.array(X[:, 0].astype(np.float16)),
        "text": pa.array(list("abcdefg")),
        "holes": pa.array([1, None, 3, 4, 5, 6, 7]),
    }
    return pa.table(columns)


def written(folder: Path, format: str) -> str:
    """The table in several pieces."""
    found = table()
    if format == "parquet":
        from pyarrow import parquet

        parquet.write_table(found, folder / "a.parquet", row_group_size=3)
        return f"{folder}/a.parquet"
    if format == "folder":
        from pyarrow import parquet

        for i in range(2):
            parquet.write_table(found.slice(i * 4, 4), folder / f"{i}.parquet")
        return f"parquet:{folder}"
    import pyarrow as pa

    new = pa.ipc.new_stream if format == "stream" else pa.ipc.new_file
    with pa.OSFile(f"{folder}/a.arrow", "wb") as sink, new(sink, found.schema) as writer:
        writer.write_table(found, max_chunksize=3)
    return f"{folder}/a.arrow"


FORMATS = ["parquet", "folder", "stream", "file"]


@pytest.mark.parametrize("format", FORMATS)
def test_arrow(tmp_path: Path, format: str) -> None:
    table()
    path = written(tmp_path, format)
    for column in ("x", "fixed"):
        found = arrays(spec(target="[] int64"), path, columns={"x": column})
        assert np.array_equal(found["x"], X)
        assert np.array_equal(found["target"], TARGET)
    assert np.array_equal(arrays(spec(x="2x2"), path, columns={"x": "deep"})["x"], np.stack([X, X[:, ::-1]], 1))
    assert arrays(spec(x="[] bool"), path, columns={"x": "flag"})["x"].tolist() == [True, False] * 3 + [True]
    assert np.array_equal(arrays(spec(x="[]"), path, columns={"x": "half"})["x"], X[:, 0].astype(np.float16).astype(np.float32))


def test_arrow_in_any_order(tmp_path: Path) -> None:
    table()
    from netc.training.data.arrow import open_hf

    source = open_hf(written(tmp_path, "stream"), {})
    order = np.array([6, 0, 3, 3, 5])
    assert np.array_equal(source.read(("x",), order)["x"], X[order])


@pytest.mark.parametrize("format", FORMATS)
def test_arrow_that_does_not_fit(tmp_path: Path, format: str) -> None:
    table()
    path = written(tmp_path, format)
    assert said(spec(), path, columns={"x": "ragged"}) == [
        ("column-shape", "the samples of the column `ragged` differ in shape, and the input `x` is [N, 2]")
    ]
    assert said(spec(), path, columns={"target": "text"}) == [
        ("column-type", "the column `text` has string, and the input `target` is float32")
    ]
    assert said(spec(), path, columns={"target": "holes"}) == [
        ("data-not-finite", "sample 1 of the column `holes`, for the input `target`, has NaN")
    ]


def test_damaged_tables_are_refused(tmp_path: Path) -> None:
    table()
    for format in ("parquet", "stream", "file"):
        path = Path(written(tmp_path, format))
        content = path.read_bytes()
        for length in (0, 1, 8, len(content) // 3, len(content) // 2):
            path.write_bytes(content[:length])
            assert [code for code, _ in said(spec(), str(path))] in (["cannot-read-data"], ["column-missing"] * 2)


def test_tables_with_changed_bytes_are_read_or_refused(tmp_path: Path) -> None:
    table()
    from netc.training.data.arrow import open_hf, open_parquet

    generator = np.random.default_rng(0)
    for format, open_ in (("parquet", open_parquet), ("stream", open_hf), ("file", open_hf)):
        path = Path(written(tmp_path, format))
        content = path.read_bytes()
        for _ in range(30):
            changed = bytearray(content)
            for at in generator.integers(0, len(content), 3):
                changed[at] = generator.integers(256)
            path.write_bytes(changed)
            with contextlib.suppress(DataError):
                source = open_(str(path), {})
                known = [name for name, column in source.columns.items() if column.shape is not None and column.dtype is not None]
                source.read(tuple(known), np.arange(len(source)))


def test_files_with_different_columns(tmp_path: Path) -> None:
    table()
    from pyarrow import parquet

    parquet.write_table(table().select(["x"]), tmp_path / "a.parquet")
    parquet.write_table(table().select(["target"]), tmp_path / "b.parquet")
    assert "its files differ in their columns" in said(spec(), f"parquet:{tmp_path}")[0][1]


def saved(folder: Path, splits: bool) -> Any:
    datasets = pytest.importorskip("datasets", reason="`datasets` is not installed")
    datasets.disable_progress_bars()
    pictures = [Image.fromarray(np.full((2, 3, 3), i * 30, np.uint8)) for i in range(7)]
    made = datasets.Dataset.from_dict({"x": X, "target": TARGET, "image": pictures}).cast_column("image", datasets.Image())
    made = made.select([6, 5, 4, 3, 2, 1, 0])
    (datasets.DatasetDict({"train": made, "test": made.select([1, 2])}) if splits else made).save_to_disk(str(folder / "d"))
    return made


def test_what_datasets_saves(tmp_path: Path) -> None:
    made = saved(tmp_path, splits=False)
    found = arrays(spec(target="[] int64"), f"{tmp_path}/d")
    assert np.array_equal(found["x"], np.asarray(made["x"][:], np.float32))
    assert np.array_equal(found["target"], made["target"][:])
    images = arrays(spec(x="3x2x3"), f"{tmp_path}/d", columns={"x": "image"})["x"]
    assert np.array_equal(images, np.stack([np.asarray(image) for image in made["image"]]).transpose(0, 3, 1, 2) / np.float32(255))


def test_splits(tmp_path: Path) -> None:
    saved(tmp_path, splits=True)
    text = spec('data hf "d" split="train"\n  validate hf "d" split="test"', target="[] int64")
    found = opened_parts(text, tmp_path / "m.net")
    assert found == (7, 2)
    assert said(spec(), f"{tmp_path}/d") == [("cannot-read-data", f"cannot read `{tmp_path}/d`: it has several splits: `train`, `test`")]
    assert "no split `tset`" in said(spec(), f"{tmp_path}/d", options={"split": "tset"})[0][1]


def opened_parts(text: str, path: Path) -> tuple[int, int]:
    from tests.training.opened import opened

    found = opened(text, path=path)
    assert found.data is not None
    assert found.validation is not None
    return len(found.data[1]), len(found.validation[1])


def test_images_in_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    contents = []
    for i in range(3):
        stream = io.BytesIO()
        Image.fromarray(np.full((2, 2), i, np.uint8)).save(stream, "png")
        contents.append({"bytes": stream.getvalue(), "path": None})
    parquet.write_table(pa.table({"image": contents, "target": [0, 1, 2]}), tmp_path / "a.parquet")
    found = arrays(spec(x="1x2x2 uint8"), f"{tmp_path}/a.parquet", columns={"x": "image"})["x"]
    assert found.dtype == np.uint8
    assert found[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_a_csv_source_has_no_rows_of_text(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        open_csv(str(tmp_path))


def test_where_the_text_is(tmp_path: Path) -> None:
    """The first cell that is no number, also in rows that are converted later; `wide` is a text, and an empty cell is not."""
    rows = "".join(f"{i},1.5,true\n" for i in range(9000))
    text = f"a,b,c\n{rows},wide,2\n7,nan,1\n"
    columns = open_csv(csv(tmp_path, text)).columns
    assert columns["a"].dtype == np.float64
    assert (columns["b"].dtype, columns["b"].kind) == (None, "text (`wide` in line 9002)")
    assert (columns["c"].dtype, columns["c"].kind) == (None, "numbers and booleans")
    found = said(spec('data csv "a.csv" x=[a, b] target=a'), path=tmp_path / "m.net")
    assert found == [
        ("column-type", "line 9002 of the column `b` is `wide`, which is not a number"),
        ("data-not-finite", "line 9002 of the column `a`, for the input `target`, has NaN"),
    ]


def test_a_list_that_is_missing(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    parquet.write_table(pa.table({"x": [[1.0, 2.0], None, [3.0, 4.0]], "target": [1.0, 2.0, 3.0]}), tmp_path / "a.parquet")
    found = said(spec(), f"parquet:{tmp_path}/a.parquet")[0][1]
    assert found.endswith("sample 1 of the column `x` is missing, where others are lists")


def test_what_only_python_reads_as_a_number_is_text(tmp_path: Path) -> None:
    """`int` reads `1_0` as 10 and `١` as 1; in a table neither is a number."""
    columns = open_csv(csv(tmp_path, "a,b,c,d\n1_0,\u0661,1e5,12\n2,3,\u0662.5,-3\n")).columns
    assert [None if c.dtype is None else c.dtype.name for c in columns.values()] == [None, None, None, "int64"]
    assert columns["a"].kind == "text (`1_0` in line 2)"
    assert columns["c"].kind == "text (`\u0662.5` in line 3)"


def test_reading_a_wide_table_is_linear(tmp_path: Path) -> None:
    """Tables of genes have 20,000 columns. Function calls are counted, not seconds; comparisons of strings in a list would not be calls,
    so the names are objects that count how often they are compared."""
    compared = [0]

    class Name(str):
        __slots__ = ()

        def strip(self, _: str | None = None) -> Name:  # type: ignore[override]
            return self

        def __eq__(self, other: object) -> bool:
            compared[0] += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    class Rows(Iterator[list[str]]):
        line_num = 2

        def __init__(self) -> None:
            self.rows: list[list[str]] = [["1"] * 2000, [Name(f"c{i}") for i in range(2000)]]

        def __next__(self) -> list[str]:
            if not self.rows:
                raise StopIteration
            return self.rows.pop()

    _read_table(CsvFile("", ",", True), Rows())
    assert compared[0] < 2000


def test_texts_of_all_columns_are_read_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is read once for the numbers, and once for the texts of all columns that inputs read."""
    names = [f"c{i}" for i in range(7)]
    rows = [[f"t{(i * j) % 5}" for j in range(7)] for i in range(20)]
    text = "\n".join(",".join(row) for row in [[*names, "note", "p"], *([*row, "unused", "1"] for row in rows)])
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    opened_files: list[str] = []
    open_rows = CsvFile.open_rows
    monkeypatch.setattr(CsvFile, "open_rows", lambda self: opened_files.append(self.path) or open_rows(self))  # type: ignore[func-returns-value]
    spec_text = "x = input 7 int64\ny = x -> cast float32 -> dense 1 -> squeeze 1\ntrain { p = input []; loss = (y, p) -> mse_loss\n" + (
        f'  data csv "a.csv" x=[{", ".join(names)}]\n}}\n'
    )
    found = arrays(spec_text, path=tmp_path / "a.net")
    assert len(opened_files) == 2
    np.testing.assert_array_equal(found["x"], [[sorted({r[j] for r in rows}).index(row[j]) for j in range(7)] for row in rows])


def test_a_cell_may_be_a_document(tmp_path: Path) -> None:
    """Python's own limit of 131,072 characters stays for other readers."""
    limit = field_size_limit()
    document = "word " * 100_000
    source = open_csv(csv(tmp_path, f"text,x\n{document},1\nshort,2\n"))
    assert source.read(("text", "x"), np.array([1, 0]))["text"].tolist() == ["short", document]
    assert field_size_limit() == limit
    # a number of two million digits is infinite, as in Python
    assert open_csv(csv(tmp_path, "x\n" + "9" * (1 << 21))).read(("x",), np.arange(1))["x"].tolist() == [float("inf")]
