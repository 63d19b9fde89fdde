"""`netc evaluate`: metrics of runs and ONNX files, by scikit-learn on the outputs of PyTorch's module for the same rows."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

import netc
from netc.cli import cli
from netc.cli.evaluate import format_metric
from netc.prediction.unfit_data import UnfitData

metrics = pytest.importorskip("sklearn.metrics")

SPEC = """
measures = input 2
hidden = measures -> dense 8 relu
kinds = hidden -> dense 3
ripe = hidden -> dense 1 -> squeeze 1
weight = hidden -> dense 1 -> squeeze 1
out kinds, ripe, weight

train {
  kind = input [] int64
  is_ripe = input []
  grams = input []
  loss = ((kinds, kind) -> cross_entropy) + ((ripe, is_ripe) -> binary_cross_entropy_with_logits) + ((weight, grams) -> mse_loss)
  data csv "rows.csv" measures=[width, height]
  optimizer adamw lr=0.02
  epochs 3
  batch 8
}
"""
KINDS = ("<b>ash</b>", "beech", "oak")


def write_rows(path: Path, count: int, seed: int, kinds: tuple[str, ...] = KINDS) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        kind = int(generator.integers(len(kinds)))
        width, height = generator.normal(kind, 1.5), generator.normal(-kind, 1.5)
        ripe = width + generator.normal() > 0
        rows.append(
            {
                "id": f"<i>{len(rows)}",
                "width": round(width, 3),
                "height": round(height, 3),
                "kind": kinds[kind],
                "grams": round(3 * width, 2),
            }
            | {"is_ripe": "yes" if ripe else "no"}
        )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, an ONNX file of it, and a table to test on."""
    path = tmp_path_factory.mktemp("evaluate")
    write_rows(path / "rows.csv", 60, 0)
    write_rows(path / "test.csv", 41, 1)
    (path / "trees.net").write_text(SPEC, encoding="utf-8")
    netc.train(path / "trees.net", output=path / "run")
    netc.compile_file(path / "trees.net").save(path / "trees.onnx", weights=path / "run")
    return path


def run_cli(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="netc")


def compute_with_pytorch(folder: Path, rows: list[dict[str, Any]]) -> list[np.ndarray]:
    module = netc.compile_file(folder / "trees.net").module(weights=folder / "run").eval()
    with torch.no_grad():
        kinds, ripe, weight = module(torch.tensor([[row["width"], row["height"]] for row in rows]))
    return [torch.softmax(kinds.double(), 1).numpy(), torch.sigmoid(ripe.double()).numpy(), weight.numpy()]


@pytest.mark.parametrize("name", ["run", "trees.onnx"])
def test_metrics_are_those_of_scikit_learn(folder: Path, name: str) -> None:
    rows = write_rows(folder / "again.csv", 41, 1)
    result = run_cli("evaluate", folder / name, "--data", folder / "test.csv", "--json", "--top-k", 2)
    assert result.exit_code == 0, result.stderr
    kinds, ripe, weight = json.loads(result.stdout)["targets"]
    probabilities, ripeness, grams = compute_with_pytorch(folder, rows)
    truth, guess = [KINDS.index(row["kind"]) for row in rows], probabilities.argmax(1)
    assert kinds["metrics"] == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(truth, guess),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, guess),
            "f1_macro": metrics.f1_score(truth, guess, average="macro"),
            "log_loss": metrics.log_loss(truth, probabilities),
            "auroc_macro": metrics.roc_auc_score(truth, probabilities, multi_class="ovr"),
            "average_precision_macro": metrics.average_precision_score(np.eye(3)[truth], probabilities, average="macro"),
            "top_2_accuracy": metrics.top_k_accuracy_score(truth, probabilities, k=2),
        },
        abs=1e-5,
    )
    assert kinds["confusion"] == metrics.confusion_matrix(truth, guess).tolist()
    assert [row["name"] for row in kinds["classes"]] == list(KINDS)
    assert [row["recall"] for row in kinds["classes"]] == pytest.approx(metrics.recall_score(truth, guess, average=None))
    is_ripe = [row["is_ripe"] == "yes" for row in rows]
    assert ripe["metrics"] == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(is_ripe, ripeness >= 0.5),
            "balanced_accuracy": metrics.balanced_accuracy_score(is_ripe, ripeness >= 0.5),
            "f1": metrics.f1_score(is_ripe, ripeness >= 0.5),
            "precision": metrics.precision_score(is_ripe, ripeness >= 0.5),
            "recall": metrics.recall_score(is_ripe, ripeness >= 0.5),
            "log_loss": metrics.log_loss(is_ripe, ripeness),
            "auroc": metrics.roc_auc_score(is_ripe, ripeness),
            "average_precision": metrics.average_precision_score(is_ripe, ripeness),
        },
        abs=1e-5,
    )
    values = [row["grams"] for row in rows]
    expected = {"mae": metrics.mean_absolute_error(values, grams), "r2": metrics.r2_score(values, grams)}
    assert weight["metrics"] == pytest.approx({**expected, "rmse": metrics.root_mean_squared_error(values, grams)}, abs=1e-4)


def test_the_table(folder: Path) -> None:
    result = run_cli("evaluate", folder / "run", "--data", folder / "test.csv")
    assert result.exit_code == 0, result.stderr
    assert "kind: 41 samples, 3 classes" in result.stdout
    assert re.search(r"^  accuracy +0\.\d{4}$", result.stdout, re.MULTILINE)
    assert re.search(r"^  beech +\d\.\d{4} ", result.stdout, re.MULTILINE)
    assert re.search(r"^  oak +(\d+ +){2}\d+$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.5, "0.5000"),
        (-0.25, "-0.2500"),
        (0.0, "0.0000"),
        (0.001, "0.0010"),
        (999.96, "999.9600"),
        (0.000123456, "0.0001235"),
        (1234.56, "1235"),
        (-2e8, "-2e+08"),
        (1234, "1,234"),
        (math.nan, "-"),
    ],
)
def test_a_number_of_the_table_has_four_digits(value: float, shown: str) -> None:
    """Four decimals where they say something, else four digits; a count has all of its digits."""
    assert format_metric(value) == shown


class Page(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_report(folder: Path) -> None:
    path = folder / "report.html"
    result = run_cli("evaluate", folder / "run", "--data", folder / "test.csv", "-o", path)
    assert result.exit_code == 0, result.stderr
    page = Page(path.read_text(encoding="utf-8"))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "i", "b"} - {"i", "b"}
    assert not [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert {*KINDS, "yes"} - {"yes"} <= {*page.texts}  # names of classes are text, not markup
    assert sum(tag == "svg" for tag, _ in page.tags) == 5
    rows = write_rows(folder / "again.csv", 41, 1)
    errors = np.abs(compute_with_pytorch(folder, rows)[2] - [row["grams"] for row in rows])
    assert rows[int(errors.argmax())]["id"] in page.texts
    assert page.texts.count(f"line {int(errors.argmax()) + 2}") >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names that are not UTF-8")
def test_a_name_that_is_not_utf_8(folder: Path) -> None:
    data, path = folder / "te\udcffst.csv", folder / "report \udcff.html"
    data.write_bytes((folder / "test.csv").read_bytes())
    result = run_cli("evaluate", folder / "run", "--data", data, "-o", path)
    assert result.exit_code == 0, result.stderr
    assert "te\\udcffst.csv" in path.read_text(encoding="utf-8")


def test_classes_that_the_data_lack(folder: Path) -> None:
    write_rows(folder / "two.csv", 20, 2, KINDS[:2])
    result = run_cli("evaluate", folder / "run", "--data", folder / "two.csv", "--json")
    kinds = json.loads(result.stdout)["targets"][0]
    assert kinds["classes"][2]["auroc"] is None
    assert kinds["notes"] == ["no sample is of the class `oak`; averages leave it out"]
    known = [row["auroc"] for row in kinds["classes"][:2]]
    assert kinds["metrics"]["auroc_macro"] == pytest.approx(sum(known) / 2)


def test_one_sample(folder: Path) -> None:
    write_rows(folder / "one.csv", 1, 3)
    result = run_cli("evaluate", folder / "run", "--data", folder / "one.csv", "--json", "-o", folder / "one.html")
    assert result.exit_code == 0, result.stderr
    assert [target["metrics"].get("r2", 0) for target in json.loads(result.stdout)["targets"]] == [0, 0, None]


BASE = {"width": np.array([1.0, 2.0]), "height": np.array([0.0, 1.0]), "kind": np.array(["oak", "beech"], object)}
GOOD = {**BASE, "is_ripe": np.array(["yes", "no"], object), "grams": np.array([1.0, 2.0])}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({**GOOD, "kind": np.array(["oak", "baech"], object)}, "is `baech`, and training had no such category"),
        ({**GOOD, "is_ripe": np.array(["yes", "maybe"], object)}, "is `maybe`, which is not true or false"),
        ({**GOOD, "is_ripe": np.array([0.5, 1.0])}, "0.5"),
        ({**GOOD, "grams": np.array([1.0, np.nan])}, "`grams` in sample 1 is missing or infinite"),
        ({**GOOD, "grams": np.array(["a", "b"], object)}, "`grams` has text"),
        (BASE, "it has no column `is_ripe`, with which the predictions are compared"),
        ({name: array[:0] for name, array in GOOD.items()}, "there are no samples in it"),
    ],
)
def test_refused_targets(folder: Path, columns: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(UnfitData, match=re.escape(message)):
        netc.load(folder / "run").evaluate(columns)


def test_in_python(folder: Path) -> None:
    evaluation = netc.load(folder / "run").evaluate(folder / "test.csv")
    assert [target.target for target in evaluation.targets] == ["kind", "is_ripe", "grams"]
    assert evaluation.metrics["accuracy"] == evaluation.targets[0].metrics["accuracy"]


IMAGES = """
image = input 3xHxW
scores = image -> conv 4 3x3 relu -> global_avg_pool -> flatten -> dense 3
train {
  label = input [] int64
  loss = (scores, label) -> cross_entropy
  epochs 1
}
"""


def test_images_by_folder(tmp_path: Path) -> None:
    """The folder of the test lacks a class, so its numbers of classes differ."""
    generator = np.random.default_rng(0)
    for part, classes in (("train", ("ant", "bee", "cat")), ("test", ("ant", "cat"))):
        for name in classes:
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(3):
                pixels = generator.integers(0, 256, (8, 9, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{i}.png")
    (tmp_path / "a.net").write_text(IMAGES)
    netc.train(tmp_path / "a.net", data=f"images:{tmp_path / 'train'}", output=tmp_path / "run")
    result = run_cli("evaluate", tmp_path / "run", "--data", tmp_path / "test", "--json", "-o", tmp_path / "report.html")
    assert result.exit_code == 0, result.stderr
    target = json.loads(result.stdout)["targets"][0]
    assert [sum(row) for row in target["confusion"]] == [3, 0, 3]
    module = netc.compile_file(tmp_path / "a.net").module(weights=tmp_path / "run").eval()
    paths = sorted((tmp_path / "test").rglob("*.png"))
    batch = torch.tensor(np.stack([np.asarray(Image.open(p), np.float32).transpose(2, 0, 1) / 255 for p in paths]))
    with torch.no_grad():
        losses = torch.nn.functional.cross_entropy(module(batch), torch.tensor([0, 0, 0, 2, 2, 2]), reduction="none")
    assert target["metrics"]["log_loss"] == pytest.approx(losses.mean().item(), abs=1e-5)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert sum(tag == "img" for tag, _ in page.tags) == 6
    first = str(paths[int(losses.argmax())].relative_to(tmp_path / "test"))
    assert next(text for text in page.texts if text.endswith(".png")) == first
    (tmp_path / "test" / "cat").rename(tmp_path / "test" / "cow")
    result = run_cli("evaluate", tmp_path / "run", "--data", tmp_path / "test")
    assert "is `cow`, and training had no such class" in result.stderr


PIXELS = """
x = input 1x4x4
scores = x -> conv 3 1x1
train {
  label = input [4, 4] int64
  loss = (scores, label) -> cross_entropy IGNORED
  measure accuracy
  validate 0.5
  epochs 1
}
"""


@pytest.mark.parametrize("ignored", [-100, 255, 2])
def test_labels_of_pixels_and_ignored_ones(ignored: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x, label = generator.normal(size=(6, 1, 4, 4)).astype(np.float32), generator.integers(0, 3, (6, 4, 4))
    label[:, 0] = ignored
    text = PIXELS.replace("IGNORED", "" if ignored == -100 else f"ignore_index={ignored}")
    (tmp_path / "a.net").write_text(text)
    data = {"x": x, "label": label}
    trained = netc.train(tmp_path / "a.net", data=data, validation=data, output=tmp_path / "run")
    evaluation = netc.load(tmp_path / "run").evaluate({"x": x, "label": label})
    module = netc.compile_file(tmp_path / "a.net").module(weights=tmp_path / "run").eval()
    with torch.no_grad():
        scores = module(torch.tensor(x))
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(label), ignore_index=ignored).item()
    assert evaluation.metrics["log_loss"] == pytest.approx(expected, abs=1e-5)
    kept = label != ignored
    accuracy = (scores.argmax(1).numpy() == label)[kept].mean()
    assert [evaluation.metrics["accuracy"], trained.results["accuracy"]] == pytest.approx([accuracy, accuracy])
    with pytest.raises(UnfitData, match="is 3, and the classes are 0 to 2"):
        netc.load(tmp_path / "run").evaluate({"x": x, "label": np.full_like(label, 3)})


def test_wrong_usage(folder: Path) -> None:
    result = run_cli("evaluate", folder / "run", "--data", folder / "test.csv", "-o", folder / "report.pdf")
    assert result.exit_code == 2
    result = run_cli("eval", folder / "run")
    assert "`netc evaluate RUN --data TEST.csv`" in result.stderr
    result = run_cli("evaluate", folder, "--data", folder / "test.csv")
    assert (result.exit_code, "there is no `config.json` in it" in result.stderr) == (1, True)
