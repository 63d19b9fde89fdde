"""Weights of classes are counted in the training samples alone. scikit-learn's `compute_class_weight` and PyTorch are the judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F  # noqa: N812

import netc
from netc.training.stop_signals import Interrupted
from tests.training.opened import opened, said
from tests.training.runs import resume, train
from tests.training.test_ranks import assert_close, start
from tests.training.test_resume import assert_same_run, stopping_at

CLASSES = """
features = input 4
scores = features -> dense 8 tanh -> dropout 0.2 -> dense 3
train {
  kind = input [] int64
  weights = input [3] batch=false
  loss = (scores, kind, weights) -> cross_entropy
  balance kind weight=weights
  optimizer adamw lr=1e-2
  batch 12
  epochs 3
  validate 0.3
}
"""


def samples(count: int = 47) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    kind = generator.choice(3, count, p=[0.7, 0.2, 0.1])
    return {"features": (generator.normal(size=(count, 4)) + kind[:, None]).astype(np.float32), "kind": kind}


def weights_of(text: str, data: Any, **asked: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The weights of classes, and the indices of the training samples."""
    found = opened(text, data, **asked)
    assert found.data is not None, [d.message for d in found.diagnostics]
    return found.data[0].constants, found.data[1]


def test_classes_of_text(tmp_path: Path) -> None:
    data = samples()
    table = pd.DataFrame(data["features"], columns=list("abcd"))
    table["species"] = np.array(["oak", "ash", "elm"])[data["kind"]]
    table.to_csv(tmp_path / "trees.csv", index=False)
    text = CLASSES.replace("balance", 'data csv "trees.csv" features=[a, b, c, d] kind=species\n  balance')
    weights, rows = weights_of(text, None, path=tmp_path / "trees.net")
    assert len(rows) == 33
    names = table["species"].to_numpy()
    wanted = compute_class_weight("balanced", classes=np.array(["ash", "elm", "oak"]), y=names[rows])
    assert weights["weights"].dtype == np.float32
    np.testing.assert_array_equal(weights["weights"], wanted.astype(np.float32))
    others = compute_class_weight("balanced", classes=np.array(["ash", "elm", "oak"]), y=names)
    assert not np.allclose(weights["weights"], others)  # the validation samples are not counted


BINARY = """
features = input 4
logit = features -> dense 1 -> squeeze 1
train {
  label = input [] TYPE
  rare = input [] batch=false
  loss = (logit, label -> cast float32) -> binary_cross_entropy_with_logits pos_weight=rare
  balance label pos_weight=rare
}
"""


def test_number_of_classes_may_be_a_name(tmp_path: Path) -> None:
    named = "let classes = 3\nlet skipped = 1\n" + CLASSES.replace("input [3]", "input [classes]").replace("dense 3", "dense classes")
    text = CLASSES.replace("cross_entropy", "cross_entropy ignore_index=1")
    one, _ = weights_of(text, samples())
    other, _ = weights_of(named.replace("cross_entropy", "cross_entropy ignore_index=skipped"), samples())
    np.testing.assert_array_equal(one["weights"], other["weights"])
    assert one["weights"][1] == 0


@pytest.mark.parametrize("dtype", ["float32", "bool", "int64"])
def test_yes_and_no(dtype: str) -> None:
    label = samples()["kind"] == 2
    weights, _ = weights_of(BINARY.replace("TYPE", dtype), {"features": samples()["features"], "label": label.astype(dtype)})
    no, yes = compute_class_weight("balanced", classes=np.array([False, True]), y=label)
    np.testing.assert_allclose(weights["rare"], yes / no, rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 1), (3, 5)])
def test_weights_of_several_labels(shape: tuple[int, ...]) -> None:
    """Labels are counted over the axes that the weights do not have."""
    size = f"[{', '.join(map(str, shape))}]"
    text = f"""
x = input 3x5
y = x -> identity
train {{
  tags = input 3x5
  rare = input {size} batch=false
  loss = (y, tags) -> binary_cross_entropy_with_logits pos_weight=rare
  freeze "*"
  balance tags pos_weight=rare
}}
"""
    tags = (np.random.default_rng(0).random((20, 3, 5)) < [0.2, 0.4, 0.5, 0.6, 0.8]).astype(np.float32)
    weights, _ = weights_of(text, {"x": tags, "tags": tags})
    assert weights["rare"].shape == shape
    view = np.broadcast_to(weights["rare"], (3, 5))
    for i, j in np.ndindex(3, 5):
        rows = slice(None) if shape in ((), (1,), (5,)) else slice(i, i + 1)
        columns = slice(None) if shape in ((), (1,), (3, 1)) else slice(j, j + 1)
        part = tags[:, rows, columns]
        np.testing.assert_allclose(view[i, j], (part == 0).sum() / (part == 1).sum(), rtol=1e-6)


PIXELS = """
image = input 2x4x6
scores = image -> conv 4 1x1
train {
  mask = input 4x6 int64
  weights = input [4] float64 batch=false
  loss = (scores, MASK, weights -> cast float32) -> cross_entropy IGNORED
  balance mask weight=weights
}
"""


@pytest.mark.parametrize("mask", ["mask", "mask -> reshape [N, 4, 6]"])
@pytest.mark.parametrize("ignored", [-100, 255, 3, 0])
def test_pixels_without_ignored_ones(ignored: int, mask: str) -> None:
    """An ignored label has no weight, also if its number is one of a class."""
    label = np.random.default_rng(1).choice([0, 1, 2, 3, ignored], (9, 4, 6), p=[0.5, 0.2, 0.1, 0.1, 0.1])
    text = PIXELS.replace("MASK", mask).replace("IGNORED", f"ignore_index={ignored}")
    weights, _ = weights_of(text, {"image": np.zeros((9, 2, 4, 6), np.float32), "mask": label})
    kept, classes = label[label != ignored], np.array([n for n in range(4) if n != ignored])
    wanted = np.zeros(4)
    wanted[classes] = compute_class_weight("balanced", classes=classes, y=kept)
    np.testing.assert_array_equal(weights["weights"], wanted)


def test_loss_is_that_of_pytorch_with_the_weights_of_scikit_learn() -> None:
    data = {name: torch.from_numpy(column) for name, column in samples().items()}
    objective = netc.compile(CLASSES).training(seed=1).eval()
    weights = objective.balance_classes(data)
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=data["kind"].numpy())
    loss, _ = objective(data | weights)
    reference = F.cross_entropy(objective.model(data["features"]), data["kind"], torch.from_numpy(wanted).float())
    torch.testing.assert_close(loss, reference)


def test_accumulate_equals_the_whole_batch(tmp_path: Path) -> None:
    text = CLASSES.replace(" -> dropout 0.2", "")
    train(tmp_path / "whole", text, samples())
    train(tmp_path / "parts", text.replace("batch 12", "batch 12 accumulate=5"), samples())
    assert_close(tmp_path / "whole", tmp_path / "parts", limit=1e-5)


def test_run_shows_and_keeps_the_weights(tmp_path: Path) -> None:
    train(tmp_path / "whole", CLASSES, samples())
    with pytest.raises(Interrupted):
        train(tmp_path / "run", CLASSES, samples(), on_report=stopping_at(4))
    resume(tmp_path / "run", samples())
    assert_same_run(tmp_path / "whole", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    rows = weights_of(CLASSES, samples())[1]
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=samples()["kind"][rows])
    np.testing.assert_array_equal(np.float32(config["class_weights"]["weights"]), wanted.astype(np.float32))


@pytest.mark.long
def test_two_processes_equal_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **samples())  # type: ignore[arg-type]
    (tmp_path / "spec.net").write_text(CLASSES.replace(" -> dropout 0.2", ""))
    for ranks in (1, 2):
        for process in start(tmp_path, ranks, "spec.net", "--data", "data.npz", "-o", f"run{ranks}"):
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, output.decode()
    assert_close(tmp_path / "run1", tmp_path / "run2", limit=1e-5)


def test_separate_validation_data_uses_the_training_weights(tmp_path: Path) -> None:
    """The validation loss of weights that are not changed by training, by hand."""
    data, held = samples(), {name: column[:20] for name, column in samples(60).items()}
    np.savez(tmp_path / "a.npz", **data)  # type: ignore[arg-type]
    np.savez(tmp_path / "b.npz", **held)  # type: ignore[arg-type]
    path = tmp_path / "spec.net"
    path.write_text(CLASSES.replace("validate 0.3", 'data npz "a.npz"\n  validate npz "b.npz"').replace("lr=1e-2", "lr=1e-30"))
    result = netc.train(path, output=tmp_path / "run", epochs=1)
    state = {name: torch.from_numpy(array) for name, array in load_file(tmp_path / "run" / "last.safetensors").items()}
    hidden = F.linear(torch.from_numpy(held["features"]), state["dense1.weight"], state["dense1.bias"]).tanh()
    scores = F.linear(hidden, state["dense2.weight"], state["dense2.bias"])
    weights = compute_class_weight("balanced", classes=np.arange(3), y=data["kind"])
    wanted = F.cross_entropy(scores, torch.from_numpy(held["kind"]), torch.from_numpy(weights).float())
    assert result.results["loss"] == pytest.approx(wanted.item(), rel=1e-5)


def test_labels_that_cannot_be_counted() -> None:
    features = np.zeros((4, 4), np.float32)
    missing = {"features": features, "kind": np.array([0, 2, 2, 0])}
    text = CLASSES.replace("validate 0.3", "")
    ((code, message),) = said(text, missing)
    assert code == "class-missing"
    assert "`1`" in message
    ((code, message),) = said(text.replace("cross_entropy", "cross_entropy ignore_index=1"), {**missing, "kind": np.array([0, 1, 1, 0])})
    assert "`2`" in message
    labels = {"features": features, "label": np.float32([0, 1, 0.5, 1])}
    ((code, message),) = said(BINARY.replace("TYPE", "float32"), labels)
    assert (code, message) == ("column-type", "sample 2 of the column `label` is 0.5, and `balance` counts labels of 0 and 1")
    for constant in (0, 1):
        ((code, _),) = said(BINARY.replace("TYPE", "float32"), {"features": features, "label": np.full(4, constant, np.float32)})
        assert code == "class-missing"
