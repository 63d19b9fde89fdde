"""What a train section takes and follows, in the files of Flax: several files, weights of classes, followers, `standardize`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.source import emit_training_file
from netc.training.source.flax_file import emit_flax_file
from tests.flax.trained_files import assert_same, execute, train_both, write_arrays
from tests.training.section_texts import VARIATIONAL

jax = pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("optax", reason="optax is not installed")
nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")


FOLLOWED = """
x = input 12
y = x -> dense 8 tanh -> dense 3 as online
z = x -> dense 8 tanh as hidden -> dense 3 as target
train {
  w = input [] batch=false
  v = input [] batch=false
  t = input 3
  loss = w * ((y, z -> detach) -> mse_loss) + ((y, t) -> mse_loss) + 1e-2 * v
  follow "target.*" "online.*" 0.9
  follow "hidden.weight" "dense1.weight" every=3
  vary w warmup 4 -> cosine 5 to=0.5 -> linear to=0.25
  vary v epoch
  optimizer sgd lr=0.1 momentum=0.9
  schedule cosine
  batch 7
  epochs 4
  validate 0.2
  SETTINGS
}
"""
FILES = """
x = input 3
y = x -> dense 4 tanh -> dense 1
train {
  t = input 1
  loss = (y, t) -> mse_loss
  data npz "a.npz" WEIGHT
  data npz "b.npz"
  optimizer adamw lr=0.01
  batch 8
  epochs 3
}
"""


@pytest.mark.sample(1)
@pytest.mark.thorough(32)
@pytest.mark.parametrize("settings", ["", "batch 7 accumulate=3", 'freeze "online.bias"', "ema 0.9"])
def test_followers_and_inputs_that_vary(settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters that follow others, inputs that depend on the step, and micro-batches of unequal sizes, of which they are no part."""
    monkeypatch.chdir(tmp_path)
    write_arrays("train.npz", 40, 0, x=(12,), t=(3,))
    text = FOLLOWED.replace("batch 7\n", "") if settings.startswith("batch") else FOLLOWED
    assert_same(train_both(text.replace("SETTINGS", settings), "train.npz"), 1e-5)


@pytest.mark.rest
def test_micro_batches_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms of the loss that do not depend on samples count once, and frozen parameters stay."""
    monkeypatch.chdir(tmp_path)
    write_arrays("train.npz", 30, 0, image=(12,))
    assert_same(train_both(VARIATIONAL, "train.npz"), 1e-5)


@pytest.mark.sample(1)
@pytest.mark.thorough(32)
@pytest.mark.parametrize("weight", ["", "weight=3"])
def test_several_files(weight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_arrays("a.npz", 17, 0, x=(3,), t=(1,))
    write_arrays("b.npz", 32, 1, x=(3,), t=(1,))
    assert_same(train_both(FILES.replace("WEIGHT", weight), ("a.npz", "b.npz")), 1e-5)


BALANCED = """
x = input 4
scores = x -> dense 3 as kinds
logits = x -> dense 2 as tags
train {
  kind = input [] int64
  tag = input 2
  w = input [3] batch=false
  rare = input [2] batch=false
  loss = ((scores, kind, w) -> cross_entropy ignore_index=1) + ((logits, tag, rare) -> binary_cross_entropy_with_logits)
  balance kind weight=w
  balance tag pos_weight=rare
  optimizer sgd lr=0.1
  BATCH
  epochs 3
  validate 0.2
}
"""


@pytest.mark.sample(1)
@pytest.mark.thorough(32)
@pytest.mark.parametrize("batch", ["batch 7", "batch 7 accumulate=2"])
def test_weights_of_classes(batch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(3)
    kind, tag = generator.choice(3, 40, p=[0.7, 0.1, 0.2]), (generator.random((40, 2)) < [0.2, 0.6]).astype(np.float32)
    np.savez("train.npz", x=generator.normal(size=(40, 4)).astype(np.float32), kind=kind, tag=tag)
    assert_same(train_both(BALANCED.replace("BATCH", batch), "train.npz"), 1e-5)


STANDARDIZED = """
x = input 3
picture = input 2x4x4
age = input []
noise = input 2
hidden = (x -> standardize, age -> standardize -> unsqueeze 1, noise) -> concat axis=1 -> dense 4 tanh
seen = picture -> standardize -> conv 2 3 -> flatten
y = (hidden -> standardize, seen) -> concat axis=1 -> dense 1
train {
  t = input 1
  loss = (y, t) -> mse_loss
  draw noise normal
  optimizer sgd lr=0.05
  batch 7
  epochs 3
  validate 0.2
}
"""


@pytest.mark.rest
@pytest.mark.parametrize("batch", ["batch 7", "batch 7 accumulate=2"])
def test_standardize(batch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features with a large mean, a constant and a gap, channels of images, a number, and a stage whose inputs another one changes."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(2)
    x = np.stack([1e4 + generator.normal(size=40), np.full(40, 0.1), 1e-3 * generator.normal(size=40)], 1)
    pictures = 3 + 2 * generator.normal(size=(40, 2, 4, 4))
    arrays = {"x": x, "picture": pictures, "age": generator.normal(size=40), "t": generator.normal(size=(40, 1))}
    np.savez("train.npz", **{name: array.astype(np.float32) for name, array in arrays.items()})
    assert_same(train_both(STANDARDIZED.replace("batch 7", batch), "train.npz"), 1e-5)
    assert {"standardize1.std", "standardize2.mean"} <= load_file("trained.safetensors").keys()


@pytest.mark.parametrize(
    ("stages", "loss"),
    [
        ("standardize -> dense 4 tanh -> dense 1", "gradient(y, x) -> square -> mean"),
        ("unsqueeze 2 -> scan axis=1 { standardize -> dense 4 tanh } -> flatten", "y -> mean"),
    ],
    ids=["gradient", "loop"],
)
def test_standardize_in_traced_functions(stages: str, loss: str) -> None:
    """`jax.grad` calls the model with tracers, and a loop its step. The features are measured from numbers, each once."""
    text = f"x = input 3\ny = x -> {stages}\nout y\ntrain {{ loss = {loss}; optimizer sgd }}"
    training = analyze_training(SourceFile("<text>", text), Choice()).training
    torch_file, flax_file = execute(emit_training_file(training), "torch_file"), execute(emit_flax_file(training), "flax_file")
    x = np.random.default_rng(4).normal(3, 2, (12, 3)).astype(np.float32)
    name = type(netc.compile(text).module()).__name__
    model, other = vars(torch_file)[name](), vars(flax_file)[name](rngs=nnx.Rngs(0))
    torch_file.fit_standardize(model, lambda: [{"x": torch.from_numpy(part)} for part in (x[:6], x[6:])])
    flax_file.fit_standardize(other, lambda: [{"x": x[:6]}, {"x": x[6:]}])
    (stage,) = (stage for _, stage in nnx.iter_modules(other) if type(stage).__name__ == "Standardize")
    for key, value in model.state_dict().items():
        if key.endswith((".mean", ".std")):
            np.testing.assert_allclose(getattr(stage, key.rpartition(".")[2])[...], value.numpy(), 1e-6)
            assert not np.isin(value, [0, 1]).any()


def test_features_with_infinities() -> None:
    """A feature's mean and deviation leave out NaN and infinities, as in the file of PyTorch."""
    training = analyze_training(SourceFile("<text>", STANDARDIZED), Choice()).training
    torch_file, flax_file = execute(emit_training_file(training), "torch_file"), execute(emit_flax_file(training), "flax_file")
    values = np.array([[np.nan, 1e6 + 1, np.inf, 1e6 + 2, -np.inf], [np.nan] * 5, [2.5] * 5, [np.inf, 3, 3, 4, 5]])
    batches = [values, values[:, ::-1] * 2]
    expected = torch_file.measure_features(map(torch.from_numpy, map(np.ascontiguousarray, batches)))
    for array, tensor in zip(flax_file.measure_features(batches), expected, strict=True):
        np.testing.assert_array_equal(array, tensor.numpy())
