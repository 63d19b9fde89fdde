"""The files that `netc predict` writes, its options, and the inputs that it refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import netc
from netc.cli.write_progress import show_sample_progress
from netc.prediction.copied_columns import CopiedColumns
from netc.prediction.prediction_files import write_predictions
from netc.prediction.predictions import Predictions
from tests.prediction.trained_rows import ROWS, SECTION, run_cli, train, write_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def trained(folder: Path) -> str:
    train(folder, "files", "scores = x -> dense 3", "kind = input [] int64", "(scores, kind) -> cross_entropy")
    return str(folder / "files")


def test_output_files_agree(folder: Path, trained: str) -> None:
    """Each format has the columns of the data and the predicted ones, whatever the batches."""
    rows = pd.read_csv(folder / "rows.csv")
    for ending, batch in ((".csv", "5"), (".tsv", "12"), (".json", "1"), (".parquet", "7")):
        path = folder / f"out{ending}"
        result = run_cli(trained, "--data", str(folder / "rows.csv"), "-o", str(path), "--batch", batch)
        assert result.exit_code == 0, result.stderr
        read = {".csv": pd.read_csv, ".tsv": lambda p: pd.read_csv(p, sep="\t"), ".json": pd.read_json, ".parquet": pd.read_parquet}[ending]
        table = read(path)
        pd.testing.assert_frame_equal(table[list(rows)], rows, check_dtype=False)
        expected = netc.load(trained)(rows)
        assert list(table["predicted_kind"]) == list(expected["predicted_kind"])
        np.testing.assert_allclose(table["probability_oak"], expected["probability_oak"], atol=1e-6)


def test_a_failure_keeps_the_previous_file(folder: Path, trained: str) -> None:
    """The third batch has a number that float32 does not have."""
    (folder / "large.csv").write_text("width,height\n" + "1,2\n" * 5 + "1,1e300\n", encoding="utf-8")
    (folder / "kept.csv").write_text("before", encoding="utf-8")
    result = run_cli(trained, "--data", str(folder / "large.csv"), "-o", str(folder / "kept.csv"), "--batch", "2")
    assert result.exit_code == 1
    assert "sample 5 of the column `height` has a number that is too large for float32" in result.stderr
    assert (folder / "kept.csv").read_text(encoding="utf-8") == "before"


def test_arrays_file(folder: Path, trained: str) -> None:
    path = folder / "out.npz"
    assert run_cli(trained, "--data", str(folder / "rows.csv"), "-o", str(path), "--batch", "5").exit_code == 0
    arrays, expected = np.load(path), netc.load(trained)(pd.read_csv(folder / "rows.csv"))
    np.testing.assert_array_equal(arrays["scores"], expected.outputs["scores"])
    assert arrays["predicted_kind"].tolist() == list(expected["predicted_kind"])


def test_parquet_columns_are_copied(folder: Path, trained: str) -> None:
    rows = pd.DataFrame({**ROWS, "day": pd.to_datetime(["2026-01-01", "2026-01-02", None]), "name": ["a", None, "ü, x"]})
    rows.to_parquet(folder / "new.parquet")
    run_cli(trained, "--data", str(folder / "new.parquet"), "-o", str(folder / "copy.parquet"))
    copied = pd.read_parquet(folder / "copy.parquet")
    pd.testing.assert_frame_equal(copied[list(rows)], rows, check_dtype=False)


@pytest.mark.parametrize(("first", "separator"), [("width;height;id", ";"), ("id\theight\twidth", "\t"), ("width,height", ",")])
def test_separator_is_found(folder: Path, trained: str, first: str, separator: str) -> None:
    cells = {"width": "-1.5", "height": "2", "id": "007"}
    text = f"{first}\n{separator.join(cells[name] for name in first.split(separator))}\n"
    result = run_cli(trained, "--data", "-", input=text)
    (row,) = csv.DictReader(io.StringIO(result.stdout), delimiter=separator)
    assert float(row["probability_oak"]) == pytest.approx(netc.load(trained)(ROWS)["probability_oak"][0], abs=1e-6)


@pytest.mark.parametrize("words", [("-1.5,2",), ("width=-1.5", "height=2"), ("--batch", "4", "-1.5, 2"), ("--", "-1.5,2")])
def test_negative_numbers_are_no_options(trained: str, words: tuple[str, ...]) -> None:
    best = netc.load(trained)(ROWS)["predicted_kind"][0]
    assert run_cli(trained, *words).stdout.splitlines()[0] == f"kind: {best}"


def test_fixed_batch(folder: Path, trained: str) -> None:
    netc.compile_file(folder / "files.net", dims={"N": 5}).save(folder / "fixed.onnx", weights=trained)
    rows = pd.read_csv(folder / "rows.csv")
    fixed, free = netc.load(folder / "fixed.onnx")(rows), netc.load(trained)(rows)
    assert len(fixed) == 12
    np.testing.assert_allclose(fixed.outputs["scores"], free.outputs["scores"], atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("1,2,3",), "a row has 2 values, and `1,2,3` has 3"),
        (("width=1",), "the row has no value for `height`"),
        (("width=1", "width=2"), "`width` is given twice"),
        (("widht=1", "height=2"), "the model reads no column `widht`"),
        (("no.csv",), "`no.csv` is neither a file nor a row of values"),
        (("1,2", "3,4"), "`1,2` is neither a file nor `COLUMN=VALUE`"),
        (("a,b",), "of the column `height` is `b`, which is not a number"),
    ],
)
def test_refused_values(trained: str, words: tuple[str, ...], message: str) -> None:
    result = run_cli(trained, *words)
    assert result.exit_code == 1
    assert message in result.stderr


@pytest.mark.parametrize(
    ("words", "row"),
    [
        (("1.5", "2"), "1.5,2"),
        (("-1.5,", "2"), ""),
        (("1.5,", "2,"), "1.5,2"),
        (("$(a) b", "2"), "'$(a) b,2'"),
        (("1", "2", "3"), None),
        (("1,2", "3,4"), None),
        (("1", "height=2"), None),
    ],
)
def test_a_row_with_spaces(trained: str, words: tuple[str, ...], row: str | None) -> None:
    result = run_cli(trained, *words)
    assert result.exit_code == 1
    expected = "several rows are a table: `--data FILE.csv`" if row is None else "by commas, without spaces" + f": `{row}`" * bool(row)
    assert f"  help: {expected}\n" in result.stderr.replace("separate the values of a row ", "")
    if row and "$" not in row:
        assert run_cli(trained, row).exit_code == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda signature: signature["outputs"][0].update(task="guessing"),
        lambda signature: signature["outputs"][0].update(classes=[1, 2, 3]),
        lambda signature: signature["outputs"][0].update(steps=[["system", 1.0]]),
        lambda signature: signature["encodings"].append({"column": "width", "kind": "pickle"}),
        lambda signature: signature["inputs"][0].update(columns=[]),
        lambda signature: signature.pop("options"),
    ],
)
def test_damaged_signature(folder: Path, trained: str, damage: object) -> None:
    config = Path(trained, "config.json")
    text = config.read_text(encoding="utf-8")
    content = json.loads(text)
    damage(content["signature"])  # type: ignore[operator]
    config.write_text(json.dumps(content), encoding="utf-8")
    try:
        result = run_cli(trained, "1,2")
    finally:
        config.write_text(text, encoding="utf-8")
    assert result.exit_code == 1
    assert "has no signature of the data" in result.stderr


def test_segmentation(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", image=generator.normal(size=(4, 2, 5, 5)).astype("f4"), mask=generator.integers(0, 3, (4, 5, 5)))
    (tmp_path / "s.net").write_text(
        "image = input 2x5x5\nscores = image -> conv 3 kernel=1\ntrain {\n  mask = input [5, 5] int64\n"
        '  loss = (scores, mask) -> cross_entropy\n  data npz "d.npz"\n  steps 1\n  batch 2\n}\n'
    )
    netc.train(tmp_path / "s.net", output=tmp_path / "run")
    words = (str(tmp_path / "run"), "--data", str(tmp_path / "d.npz"))
    refused = run_cli(*words)
    assert "`predicted_mask` has [5, 5] numbers for a sample" in refused.stderr
    assert "-o OUT.npz" in refused.stderr
    assert run_cli(*words, "-o", str(tmp_path / "o.npz"), "--batch", "3").exit_code == 0
    arrays = np.load(tmp_path / "o.npz")
    np.testing.assert_array_equal(arrays["predicted_mask"], arrays["scores"].argmax(1))


def test_images(tmp_path: Path) -> None:
    from PIL import Image

    generator = np.random.default_rng(0)
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/-2.png", "new/deep/a, b.png", "new/z.png"):
        path = tmp_path / ("im" if name[:3] != "new" else "") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)
    (tmp_path / "i.net").write_text(
        "image = input 3x8x8\nscores = image -> flatten -> dense 2\ntrain {\n  label = input [] int64\n"
        '  loss = (scores, label) -> cross_entropy\n  data images "im" size=8\n  steps 1\n  batch 2\n}\n'
    )
    netc.train(tmp_path / "i.net", output=tmp_path / "run")
    module = netc.compile_file(tmp_path / "i.net").module(weights=tmp_path / "run").eval()
    paths = [str(tmp_path / name) for name in ("new/z.png", "new/deep/a, b.png")]
    pixels = np.stack([np.asarray(Image.open(path), np.float32).transpose(2, 0, 1) / 255 for path in paths])
    with torch.no_grad():
        expected = torch.softmax(module(torch.tensor(pixels)), 1)[:, 1].numpy()
    for words in (("--data", str(tmp_path / "new")), (str(tmp_path / "new"),), tuple(paths)):
        rows = list(csv.DictReader(io.StringIO(run_cli(str(tmp_path / "run"), *words).stdout)))
        assert [row["file"] for row in rows] == paths
        np.testing.assert_allclose([float(row["probability_dog"]) for row in rows], expected, atol=1e-5)
    missing = run_cli(str(tmp_path / "run"), "no.png")
    assert "there is no file `no.png`" in missing.stderr


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar ends with all samples, and the batches pass unchanged."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with show_sample_progress(1500) as progress:
        assert list(progress(["a" * 1000, "b" * 500])) == ["a" * 1000, "b" * 500]
    assert "1500/1500" in stream.getvalue()


def test_a_changed_file_is_refused(folder: Path) -> None:
    (folder / "parts.net").write_text("block part(n) {\n  in -> dense n relu\n}\n")
    spec = 'use "parts.net": part\nx = input 2\nscores = x -> part 4 -> dense 3\n'
    section = SECTION.format(target="kind = input [] int64", loss="(scores, kind) -> cross_entropy", columns="")
    (folder / "a.net").write_text(spec + section)
    netc.train(folder / "a.net", output=folder / "changed")
    assert run_cli(str(folder / "changed"), "1,2").exit_code == 0
    (folder / "parts.net").write_text("block part(n) {\n  in -> dense n tanh\n}\n")
    refused = run_cli(str(folder / "changed"), "1,2")
    assert refused.exit_code == 1
    assert "a file that its spec uses is not what it was" in refused.stderr
    assert "restore the file" in refused.stderr


def test_json_has_no_nan(tmp_path: Path) -> None:
    results = Predictions(
        {"s": np.zeros(2)}, {"v": np.array([[1.5, np.nan], [np.inf, -2.0]]), "n": np.array([1, 2]), "t": np.array(["a", None], object)}
    )
    write_predictions(str(tmp_path / "o.json"), [results], CopiedColumns(), ".json")
    assert json.loads((tmp_path / "o.json").read_text()) == [{"v": [1.5, None], "n": 1, "t": "a"}, {"v": [None, -2.0], "n": 2, "t": None}]
