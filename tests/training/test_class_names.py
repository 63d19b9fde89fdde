"""Class names that `datasets` keeps: `ClassLabel` in memory, in saved folders and in Parquet files. `datasets` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netc
from netc.training.data.label_features import find_label_names, read_label_names
from tests.training.opened import said

datasets = pytest.importorskip("datasets", reason="`datasets` is not installed")

SPEC = """
x = input 2
scores = x -> dense 3
train {
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  optimizer adamw lr=0.1
  epochs 30
}
"""
NAMES = ["oak", "ash", "elm"]
"""Not sorted: only the features say which number is which."""


def make(names: list[str] = NAMES, count: int = 30) -> Any:
    kind = np.random.default_rng(0).integers(0, 3, count)
    x = np.eye(3)[kind][:, :2] * 4
    numbers = [names.index(NAMES[k]) for k in kind]
    made = datasets.Dataset.from_dict({"x": x.astype(np.float32), "kind": numbers})
    return made.cast_column("kind", datasets.ClassLabel(names=names))


def save(made: Any, how: str, folder: Path) -> Any:
    datasets.disable_progress_bars()
    if how == "folder":
        made.save_to_disk(str(folder / "d"))
        return f"hf:{folder / 'd'}"
    if how == "parquet":
        made.to_parquet(str(folder / "d.parquet"))
        return folder / "d.parquet"
    return made.data.table if how == "table" else made.with_format("numpy")


@pytest.mark.sample(2)
@pytest.mark.parametrize("how", ["folder", "parquet", "table", "object"])
def test_predictions_have_the_names(how: str, tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(SPEC)
    netc.train(tmp_path / "a.net", data=save(make(), how, tmp_path), output=tmp_path / "run")
    made = make(count=7)
    result = netc.load(tmp_path / "run")({"x": np.array(made["x"], np.float32)})
    assert list(result["predicted_kind"]) == [NAMES[k] for k in made["kind"]]
    # Other data may number the classes in another way.
    other = save(make(["elm", "oak", "ash"]), how if how != "folder" else "table", tmp_path)
    assert netc.load(tmp_path / "run").evaluate(other).metrics["accuracy"] == 1


def test_validation_data_with_another_order_is_refused() -> None:
    (message,) = [text for _, text in said(SPEC, make(), validation=make(["elm", "oak", "fir", "ash"]))]
    assert "its classes differ from the training data's: `fir` is a class here alone" in message
    ((_, message),) = said(SPEC, make(), validation=make(["elm", "oak", "ash"]))
    assert "another order" in message
    assert not said(SPEC, make(), validation=make())


@pytest.mark.parametrize(
    "metadata", [None, {}, {b"huggingface": b"{"}, {b"huggingface": b"[]"}, {b"huggingface": b'{"info": {"features": [1]}}'}]
)
def test_damaged_metadata_have_no_names(metadata: dict[bytes, bytes] | None) -> None:
    assert read_label_names(metadata) == {}


def test_names_of_lists_and_of_other_features() -> None:
    features = datasets.Features(
        {
            "tags": datasets.Sequence(datasets.ClassLabel(names=["B", "I"])),
            "kind": datasets.ClassLabel(names=["a", "b"]),
            "x": datasets.Value("float32"),
        }
    )
    assert find_label_names(features) == {"tags": ("B", "I"), "kind": ("a", "b")}
    assert find_label_names({"kind": {"names": ["a", 1], "_type": "ClassLabel"}, "more": {"names": "ab", "_type": "ClassLabel"}}) == {}
