"""Predictions of runs and of ONNX files, compared with PyTorch's module on the same rows."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import netc
from netc.cli import cli
from netc.compiler.errors.run_errors import RunError
from netc.compiler.errors.weight_errors import WeightsNote
from netc.prediction.prediction_files import list_json
from netc.prediction.unfit_data import UnfitData

SPEC = """measures = input 2
town = input [] int64
hidden = (measures -> batch_norm, town -> embedding 3 4) -> concat axis=1 -> dense 8 relu
scores = hidden -> dense 3

train {
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "rows.csv" separator=";" measures=[width, height] town=place
  epochs 1
  batch 8
}
"""
KINDS, TOWNS = ("ash", "beech", "oak"), ("Bonn", "Köln", "Ulm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, and an ONNX file of it."""
    path = tmp_path_factory.mktemp("predict")
    generator = np.random.default_rng(0)
    rows = [[f"{generator.normal():.3f}", f"{1e6 + generator.normal():.1f}", TOWNS[generator.integers(3)], KINDS[i % 3]] for i in range(24)]
    _write_rows(path / "rows.csv", ["width", "height", "place", "kind"], rows)
    (path / "trees.net").write_text(SPEC, encoding="utf-8")
    netc.train(path / "trees.net", output=path / "run")
    netc.compile_file(path / "trees.net").save(path / "trees.onnx", weights=path / "run")
    _write_rows(path / "new.csv", ["id", "place", "height", "width"], [["007", "Ulm", "1.50", "-2"], ["008", " Bonn", "1e6", "0.25"]])
    return path


def run_cli(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="netc")


def _write_rows(path: Path, names: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([names, *rows])


def _compute_with_pytorch(folder: Path) -> np.ndarray:
    module = netc.compile_file(folder / "trees.net").module(weights=folder / "run").eval()
    measures, town = torch.tensor([[-2, 1.5], [0.25, 1e6]]), torch.tensor([TOWNS.index("Ulm"), TOWNS.index("Bonn")])
    with torch.no_grad():
        return torch.softmax(module(measures, town), 1).numpy()


@pytest.mark.parametrize("name", ["run", "trees.onnx"])
def test_predict_a_table(folder: Path, name: str) -> None:
    result = run_cli("predict", str(folder / name), "--data", str(folder / "new.csv"))
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout), delimiter=";"))
    expected = _compute_with_pytorch(folder)
    assert [(row["id"], row["height"], row["place"]) for row in rows] == [("007", "1.50", "Ulm"), ("008", "1e6", " Bonn")]
    assert [row["predicted_kind"] for row in rows] == [KINDS[i] for i in expected.argmax(1)]
    np.testing.assert_allclose([[float(row[f"probability_{kind}"]) for kind in KINDS] for row in rows], expected, atol=1e-5)


def test_predict_rows_in_python(folder: Path) -> None:
    predictor = netc.load(folder / "run")
    expected = _compute_with_pytorch(folder)
    columns = {"width": [-2, 0.25], "height": [1.5, 1e6], "place": np.array(["Ulm", "Bonn"])}
    result = predictor(columns)
    np.testing.assert_allclose(result["probability_oak"], expected[:, 2], atol=1e-5)
    assert list(result["predicted_kind"]) == [KINDS[i] for i in expected.argmax(1)]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"`batch` must be at least 1, not {wrong}"):
            predictor(columns, batch=wrong)
    one_by_one = predictor(columns, batch=1)
    np.testing.assert_allclose(one_by_one["probability_oak"], expected[:, 2], atol=1e-5)


@pytest.mark.parametrize("name", ["my-net.net", "1st.net", "größe 2.net", "2024", None])
def test_predict_with_any_name_of_the_spec(tmp_path: Path, name: str | None) -> None:
    """The model of a file without `model` has a name that is made from the file's, and `net` without a file."""
    section = "target = input 1; loss = (y, target) -> mse_loss; optimizer sgd lr=0.1; epochs 1; batch 2"
    text = f"x = input 1\ny = x -> dense 1\ntrain {{ {section} }}"
    table = {"x": np.ones((4, 1), np.float32), "target": np.ones((4, 1), np.float32)}
    if name is None:
        spec: Path | netc.Model = netc.compile(text)
    else:
        spec = tmp_path / name
        spec.write_text(text, encoding="utf-8")
    netc.train(spec, data=table, output=tmp_path / "run")
    module = netc.compile(text).module(weights=tmp_path / "run").eval()
    predicted = netc.load(tmp_path / "run")({"x": [[3.0]]})["predicted_target"]
    assert float(predicted[0]) == pytest.approx(module(torch.tensor([[3.0]])).item(), abs=1e-6)


def test_a_category_on_the_command_line_is_as_it_is_written(tmp_path: Path) -> None:
    """`007` and 7 are different postal codes, although both look like numbers."""
    text = SPEC.replace("train {", "train {\n  category place\n").replace("embedding 3", "embedding 4").replace("dense 3", "dense 2")
    (tmp_path / "trees.net").write_text(text, encoding="utf-8")
    rows = [["1", "2", place, kind] for place, kind in (("007", "oak"), ("7", "ash"), ("9", "oak"), ("010", "ash"))]
    _write_rows(tmp_path / "rows.csv", ["width", "height", "place", "kind"], rows)
    netc.train(tmp_path / "trees.net", output=tmp_path / "run")
    results = [run_cli("predict", str(tmp_path / "run"), f"1,2,{place}") for place in ("007", "7", "07")]
    assert [result.exit_code for result in results] == [0, 0, 1]
    assert results[0].stdout != results[1].stdout
    assert "is `07`, and training had no such category" in results[2].stderr


def test_one_row_on_the_command_line(folder: Path) -> None:
    result = run_cli("predict", str(folder / "run"), "place=Ulm", "width=-2", "height=1.5")
    probabilities = _compute_with_pytorch(folder)[0]
    first, *classes = result.stdout.splitlines()
    assert first == f"kind: {KINDS[int(probabilities.argmax())]}"
    words = [line.split() for line in classes]
    assert [name for name, _ in words] == [KINDS[i] for i in np.argsort(-probabilities)]
    np.testing.assert_allclose([float(number) for _, number in words], np.sort(probabilities)[::-1], atol=1e-4)
    # the numbers are below each other: two spaces, a name as wide as `beech`, two spaces, and a number like 0.1234
    assert [len(line) for line in classes] == [2 + 5 + 2 + 6] * 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"width": [1.0], "height": [1.0], "place": ["Rom"]}, "is `Rom`, and training had no such category"),
        ({"width": [1.0], "height": [1.0], "place": [""]}, "is empty"),
        ({"width": [1.0], "place": ["Ulm"]}, "it has no column `height`"),
        ({"width": ["wide"], "height": [1.0], "place": ["Ulm"]}, "`width` is `wide`, which is not a number"),
        ({"width": [], "height": [], "place": []}, "there are no samples in it"),
    ],
)
def test_refused_rows(folder: Path, columns: dict[str, list[object]], message: str) -> None:
    with pytest.raises(UnfitData, match=message):
        netc.load(folder / "run")({name: np.array(cells) for name, cells in columns.items()})


def test_weights_for_another_head_have_no_signature(folder: Path) -> None:
    """The run's class names would name the scores of another network."""
    network, _, _ = SPEC.partition("train {")
    text = network.replace("scores = hidden -> dense 3", "every = hidden -> dense 3\nscores = every -> slice axis=1 stop=2")
    with pytest.warns(WeightsNote, match="another model"):
        netc.compile(text).save(folder / "half.onnx", weights=folder / "run")
    result = run_cli("predict", str(folder / "half.onnx"), "--data", str(folder / "new.csv"))
    assert (result.exit_code, "it has no signature of its data" in result.stderr) == (1, True)


NETWORK, _, SECTION = SPEC.partition("train {")
SOFT = NETWORK.replace("dense 3", "dense 3 -> softmax axis=1")
EDITS = {
    "a comment": SPEC.replace("hidden =", "# text that changes nothing\nhidden ="),
    "no section": NETWORK,
    "probabilities": f"{SOFT}train {{{SECTION}".replace("(scores, kind) -> cross_entropy", "(log(scores), kind) -> nll_loss"),
    "another output": f"{NETWORK}soft = scores -> softmax axis=1\nout soft, scores\ntrain {{{SECTION}",
}
"""Edited specs that take the weights of the run, and whose text says what the outputs are."""


@pytest.mark.parametrize("edit", EDITS)
def test_edited_spec_with_the_weights_of_a_run(folder: Path, edit: str) -> None:
    netc.compile(EDITS[edit]).save(folder / "edited.onnx", weights=folder / "run")
    result = netc.load(folder / "edited.onnx")(folder / "new.csv")
    expected = _compute_with_pytorch(folder)
    np.testing.assert_allclose(np.stack([result[f"probability_{kind}"] for kind in KINDS], 1), expected, atol=1e-5)
    assert list(result["predicted_kind"]) == [KINDS[i] for i in expected.argmax(1)]


@pytest.mark.parametrize("edit", ["a comment", "no section"])
def test_edited_spec_in_another_precision_has_the_signature_of_the_run(folder: Path, edit: str) -> None:
    """The type of the numbers inside of the model changes how they are rounded, and not what they mean."""
    netc.compile(EDITS[edit]).in_type("float64", keep_io=True).save(folder / "wide.onnx", weights=folder / "run")
    result = netc.load(folder / "wide.onnx")(folder / "new.csv")
    expected = _compute_with_pytorch(folder)
    np.testing.assert_allclose(np.stack([result[f"probability_{kind}"] for kind in KINDS], 1), expected, atol=1e-5)


@pytest.mark.parametrize("text", [SOFT, SOFT + "train { loss = scores -> mean }\n", NETWORK + "out scores -> softmax axis=1\n"])
def test_edited_spec_with_unknown_outputs_has_no_signature(folder: Path, text: str) -> None:
    """The run's signature would say that the probabilities are scores, and `netc predict` would apply the softmax twice."""
    with pytest.warns(WeightsNote, match="another model than the one of the run"):
        netc.compile(text).save(folder / "edited.onnx", weights=folder / "run")
    with pytest.raises(RunError, match="no signature of its data"):
        netc.load(folder / "edited.onnx")


@pytest.mark.parametrize("name", ["my-trees", "2024", "Bäume", None])
def test_run_of_a_file_whose_name_is_no_identifier(folder: Path, tmp_path: Path, name: str | None) -> None:
    """The model of a file is called as the file, and the name of a file need not be one in Python."""
    shutil.copy(folder / "rows.csv", tmp_path)
    (tmp_path / f"{name}.net").write_text(SPEC, encoding="utf-8")
    model = netc.compile(SPEC) if name is None else netc.compile_file(tmp_path / f"{name}.net")
    data = f"csv:{folder / 'rows.csv'}"
    netc.train(model, data=data, data_options={"separator": ";"}, output=tmp_path / "run")
    expected = netc.load(folder / "run")(folder / "new.csv")
    result = netc.load(tmp_path / "run")(folder / "new.csv")
    np.testing.assert_allclose(result["probability_oak"], expected["probability_oak"], atol=1e-5)


def test_arrays_of_names_and_of_bfloat16_are_json_lists() -> None:
    """A class name for each pixel is a list of names, and bfloat16, which NumPy does not have, is numbers."""
    assert list_json(np.array([["ash", None], ["oak", "oak"]], object)) == [["ash", None], ["oak", "oak"]]
    assert list_json(np.array([1.5, np.nan]).astype(ml_dtypes.bfloat16)) == [1.5, None]
