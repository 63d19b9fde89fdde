"""Class names of scikit-learn's sets. scikit-learn's own `target_names` are the judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netc
from netc.training.data.class_names import get_label_names
from netc.training.data.sklearn import SETS, open_sklearn

datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")

IRIS = """
features = input 4
scores = features -> batch_norm -> dense 3
train {
  target = input [] int64
  loss = (scores, target) -> cross_entropy
  data sklearn "iris"
  optimizer adamw lr=0.05
  epochs 5
}
"""


@pytest.mark.parametrize("name", SETS)
def test_only_sets_of_classes_have_names(name: str) -> None:
    named = {"iris", "wine", "breast_cancer"}  # the classes of digits are numbers; diabetes and linnerud have measurements as targets
    expected = {"target": tuple(getattr(datasets, f"load_{name}")().target_names)} if name in named else {}
    assert get_label_names(open_sklearn(name)) == expected


def test_predictions_have_the_names(tmp_path: Path) -> None:
    (tmp_path / "iris.net").write_text(IRIS)
    netc.train(tmp_path / "iris.net", output=tmp_path / "run")
    predictor, iris = netc.load(tmp_path / "run"), datasets.load_iris()
    result = predictor({"features": iris.data.astype(np.float32)})
    scores = np.stack([result[f"probability_{name}"] for name in iris.target_names], 1)
    assert list(result["predicted_target"]) == list(iris.target_names[scores.argmax(1)])
    # Labels may be the numbers or the names.
    hits = (scores.argmax(1) == iris.target).mean()
    assert hits > 0.5
    for labels in (iris.target, iris.target_names[iris.target]):
        table = {"features": iris.data.astype(np.float32), "target": labels}
        assert predictor.evaluate(table).metrics["accuracy"] == pytest.approx(hits)


def test_two_classes_as_yes_and_no(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text("""
features = input 30
score = features -> standardize -> dense 1 -> squeeze 1
train {
  target = input []
  loss = (score, target) -> binary_cross_entropy_with_logits
  data sklearn "breast_cancer"
  optimizer adamw lr=0.05
  epochs 3
}
""")
    netc.train(tmp_path / "a.net", output=tmp_path / "run")
    data = datasets.load_breast_cancer()
    result = netc.load(tmp_path / "run")({"features": data.data.astype(np.float32)})
    names = list(data.target_names[(result["probability_benign"] >= 0.5).astype(int)])
    assert list(result["predicted_target"]) == names
    assert set(names) == {"malignant", "benign"}


def test_a_number_has_no_name(tmp_path: Path) -> None:
    text = IRIS.replace("dense 3", "dense 1 -> squeeze 1").replace("[] int64", "[]").replace("cross_entropy", "mse_loss")
    (tmp_path / "iris.net").write_text(text)
    netc.train(tmp_path / "iris.net", output=tmp_path / "run")
    result = netc.load(tmp_path / "run")({"features": np.ones((2, 4), np.float32)})
    assert result["predicted_target"].dtype.kind == "f"
