"""`standardize` is fitted on the training samples alone: NumPy and scikit-learn are the judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.preprocessing import StandardScaler

import netc
from netc.compiler.errors.weight_errors import WeightsError, WeightsNote
from netc.errors import CompileError
from netc.training.sample_order import split_indices
from netc.training.stop_signals import Interrupted
from tests.training.runs import resume, train
from tests.training.test_resume import assert_same_run, stopping_at

SPEC = """
block scaled { standardize -> dense 3 relu }
features = input 5
area = input []
image = input 2x3x4
sound = input [T, 3]
joined = (features -> slice axis=1 stop=2, log(area) -> unsqueeze 1) -> concat axis=1
hidden = (joined -> scaled as joined) + (image -> standardize as pixels -> flatten -> dense 3)
guess = hidden + (area -> standardize as size -> unsqueeze 1 -> dense 3) + (sound -> standardize axis=-1 as tone -> mean axis=1)
scores = guess -> standardize as last
train {
  target = input 3
  loss = (scores, target) -> mse_loss
  batch 7 accumulate=2
  epochs 2
  validate 0.3
  ema 0.9
}
"""


def samples() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(2)
    features = generator.normal(size=(41, 5)) * [1, 100, 1e-3, 1, 1] + [5, -3, 1e4, 0, 0]
    return {
        "features": features.astype(np.float32),
        "area": generator.lognormal(3, 1, 41).astype(np.float32),
        "image": generator.random((41, 2, 3, 4), np.float32) * 255,
        "sound": generator.normal(1e5, 2, (41, 6, 3)).astype(np.float32),
        "target": generator.normal(size=(41, 3)).astype(np.float32),
    }


def training_rows(spec: str, count: int) -> np.ndarray:
    objective = netc.compile(spec).training()
    return split_indices(objective.recipe, count, objective.recipe.validation)[0]


def test_numbers_are_those_of_the_training_rows(tmp_path: Path) -> None:
    data = samples()
    train(tmp_path / "run", SPEC, data)
    kept = load_file(tmp_path / "run" / "best.safetensors")
    rows = training_rows(SPEC, 41)
    assert len(rows) == 29
    joined = np.column_stack([data["features"][rows, :2], np.log(data["area"][rows])]).astype(np.float64)
    wanted: dict[str, Any] = {
        "joined.standardize1": StandardScaler().fit(joined),
        "size": StandardScaler().fit(data["area"][rows, None].astype(np.float64)),
        "pixels": StandardScaler().fit(np.moveaxis(data["image"][rows], 1, -1).reshape(-1, 2).astype(np.float64)),
        "tone": StandardScaler().fit(data["sound"][rows].reshape(-1, 3).astype(np.float64)),
    }
    for name, scaler in wanted.items():
        np.testing.assert_allclose(kept[f"{name}.mean"].ravel(), scaler.mean_, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(kept[f"{name}.std"].ravel(), scaler.scale_, rtol=1e-6, err_msg=name)


def test_later_stage_sees_the_earlier_ones_fitted(tmp_path: Path) -> None:
    """`last` is after the others: its input is computed with their numbers and the first weights."""
    data = {name: torch.from_numpy(column) for name, column in samples().items()}
    objective = netc.compile(SPEC).training(seed=4)
    objective.fit_standardize([data])
    objective.eval()
    inputs: list[torch.Tensor] = []
    objective.model.get_submodule("last").register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0].detach()))
    objective(data)
    state = objective.model.state_dict()
    np.testing.assert_allclose(state["last.mean"], inputs[0].double().mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(state["last.std"], inputs[0].double().std(0, correction=0), rtol=1e-5)


SIMPLE = """
features = input 4
guess = features -> standardize -> dense 1 -> squeeze 1
train {
  target = input []
  loss = (guess, target) -> mse_loss
  batch 3
  epochs 1
}
"""


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_hard_columns(batch: int) -> None:
    """A constant, a constant that is not exact in binary, a large mean, and NaN and infinities between numbers."""
    generator = np.random.default_rng(0)
    column = np.float32([np.nan, np.inf, 1, 2, 4, -np.inf, np.nan, 7])
    features = np.column_stack([np.full(8, 5), np.full(8, 0.1), 1e6 + generator.random(8), column]).astype(np.float32)
    objective = netc.compile(SIMPLE).training()
    tensor = torch.from_numpy(features)
    objective.fit_standardize([{"features": part, "target": torch.zeros(len(part))} for part in tensor.split(batch)])
    state = objective.model.state_dict()
    finite = np.float64([1, 2, 4, 7])
    third = features[:, 2].astype(np.float64)
    np.testing.assert_array_equal(state["standardize1.mean"].numpy(), np.float32([5, 0.1, third.mean(), finite.mean()]))
    np.testing.assert_allclose(state["standardize1.std"].numpy(), [1, 1, third.std(), finite.std()], rtol=1e-6)
    objective = netc.compile(SIMPLE).training()
    objective.fit_standardize([{"features": torch.full((3, 4), torch.nan), "target": torch.zeros(3)}])
    state = objective.model.state_dict()
    assert (state["standardize1.mean"] == 0).all()
    assert (state["standardize1.std"] == 1).all()


def test_loaded_numbers_are_kept(tmp_path: Path) -> None:
    data = {"features": np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32), "target": np.zeros(9, np.float32)}
    train(tmp_path / "first", SIMPLE, data)
    first = load_file(tmp_path / "first" / "last.safetensors")
    moved = {**data, "features": data["features"] + 100}
    train(tmp_path / "second", SIMPLE, moved, weights=tmp_path / "first")
    second = load_file(tmp_path / "second" / "last.safetensors")
    assert np.array_equal(first["standardize1.mean"], second["standardize1.mean"])
    assert not np.array_equal(first["dense1.bias"], second["dense1.bias"])


def test_weights_that_lack_the_numbers(tmp_path: Path) -> None:
    """Published weights come from a network without `standardize`. netc measures its numbers as in a run from nothing."""
    spec = """
features = input 5
scores = features -> standardize as scale -> dense 3 as body -> dense 2 as head
train {
  target = input 2
  loss = (scores, target) -> mse_loss
  steps 1
  batch 4
}
"""
    data = {"features": samples()["features"], "target": np.zeros((41, 2), np.float32)}
    published = {"body.weight": np.ones((3, 5), np.float32), "body.bias": np.zeros(3, np.float32)}
    weights = netc.Checkpoint(published, allow_missing=["head.*"])
    with pytest.warns(WeightsNote, match=r"initialized.*`scale\.mean`"):
        train(tmp_path / "run", spec, data, weights=weights)
    scaler = StandardScaler().fit(data["features"].astype(np.float64))
    fitted = load_file(tmp_path / "run" / "last.safetensors")
    np.testing.assert_allclose(fitted["scale.mean"], scaler.mean_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted["scale.std"], scaler.scale_, rtol=1e-4)
    with pytest.raises(WeightsError, match=r"`head\.weight`"):  # all other parameters must be there
        train(tmp_path / "other", spec, data, weights=published)


def test_resumed_run_keeps_them(tmp_path: Path) -> None:
    train(tmp_path / "whole", SPEC, samples())
    with pytest.raises(Interrupted):
        train(tmp_path / "run", SPEC, samples(), on_report=stopping_at(3))
    resume(tmp_path / "run", samples())
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_exports_contain_them(tmp_path: Path) -> None:
    """The ONNX file, the emitted source, and both read back compute scikit-learn's numbers."""
    path = tmp_path / "m.net"
    path.write_text("features = input 3\nfeatures -> standardize -> dense 2\n")
    data = np.random.default_rng(1).normal(3, [1, 20, 0.1], (50, 3)).astype(np.float32)
    scaler = StandardScaler().fit(data.astype(np.float64))
    generator = np.random.default_rng(3)
    weight, bias = generator.normal(size=(2, 3)).astype(np.float32), generator.normal(size=2).astype(np.float32)
    weights = {"standardize1.mean": scaler.mean_, "standardize1.std": scaler.scale_, "dense1.weight": weight, "dense1.bias": bias}
    state = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in weights.items()}
    torch.save(state, tmp_path / "w.pt")
    model = netc.compile_file(path)
    wanted = scaler.transform(data.astype(np.float64)) @ weight.T.astype(np.float64) + bias
    onnx_path = tmp_path / "m.onnx"
    model.save(onnx_path, weights=tmp_path / "w.pt")
    (result,) = onnxruntime.InferenceSession(onnx_path).run(None, {"features": data})
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)
    names: dict[str, Any] = {}
    exec(model.source(), names)
    module = names["M"]()
    module.load_state_dict(state)
    np.testing.assert_allclose(module(torch.from_numpy(data)).detach(), wanted, rtol=1e-4, atol=1e-5)
    again = netc.compile(model.spec()).module(weights=tmp_path / "w.pt")
    np.testing.assert_allclose(again(torch.from_numpy(data)).detach(), wanted, rtol=1e-4, atol=1e-5)


def test_a_first_pass_that_is_refused_names_the_stage(tmp_path: Path) -> None:
    """The values of the data are wrong for a stage before `standardize`, which no step has computed yet."""
    text = """
    x = input 4
    order = input [2] int64
    y = (x, order) -> gather axis=1 -> standardize -> dense 1
    train { t = input 1; loss = (y, t) -> mse_loss; epochs 1 }
    """
    data = {"x": np.zeros((4, 4), np.float32), "order": np.full((4, 2), 9), "t": np.zeros((4, 1), np.float32)}
    with pytest.raises(CompileError, match="the first pass over the training samples") as raised:
        train(tmp_path / "run", text, data)
    assert raised.value.diagnostics[0].span.start == text.index("gather")
