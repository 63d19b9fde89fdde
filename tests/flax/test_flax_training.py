"""`netc compile --target flax --train`: from the same parameters, the file of Flax and optax trains as the file of PyTorch does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

import netc
from netc.analysis import Choice, analyze_training
from netc.cli import cli
from netc.dsl.source import SourceFile
from netc.errors import CompileError
from netc.training.source.flax_file import emit_flax_file
from tests.flax.trained_files import assert_same, execute, train_both, write_arrays, write_table
from tests.training.section_texts import DIGITS

jax = pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("optax", reason="optax is not installed")
nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")


PLAIN = DIGITS.replace(" accumulate=3", "")
TABLE = """
p = input 2
town = input [] int64
s = (p, town -> embedding 3 4) -> concat axis=1 -> dense 5 tanh -> dense 3
train {
  kind = input [] int64
  noise = input [2]
  loss = (s, kind) -> cross_entropy label_smoothing=0.1
  metric size = p * noise -> square -> mean
  data csv "t.csv" p=[u, v]
  fill median
  draw noise normal
  validate 0.25 stratify=kind
  OPTIMIZER
  batch 8
  steps 22
  ema 0.8
  stop patience=2 min_delta=0.001
  keep last
}
"""
OPTIMIZERS = {
    "adam": 'optimizer adam lr=0.01 weight_decay=0.1 betas=[0.8, 0.99]; clip 0.2 value=0.1; freeze "embedding1.*"',
    "sgd": 'optimizer sgd lr=0.1 momentum=0.9 nesterov=true weight_decay=0.01; group "dense1.*" momentum=0.5; schedule linear to=0.1',
    "rmsprop": 'optimizer rmsprop lr=0.01 alpha=0.9 weight_decay=0.02 no_decay=["*.bias"]; schedule warmup 4 -> constant 3 -> cosine',
    "centered": "optimizer rmsprop centered=true",
    "adamw": 'optimizer adamw eps=1e-6; group "dense2.*" lr=0.01 betas=[0.5, 0.9]; group "*.bias" lr=0.001',
}


@pytest.mark.long
@pytest.mark.thorough(2)
@pytest.mark.parametrize("text", [PLAIN, DIGITS], ids=["batches", "micro-batches"])
def test_digits(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Batch statistics, a schedule, groups, clipping, a validation and the best weights, to the accuracy of PyTorch's file."""
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    monkeypatch.chdir(tmp_path)
    images, labels = datasets.load_digits(return_X_y=True)
    np.savez("train.npz", image=images.reshape(-1, 1, 8, 8)[:800].astype(np.float32), target=labels[:800])
    files = train_both(text.replace("epochs 3", "epochs 6").replace("clip 0.05", "clip 1.0"), "train.npz")
    assert_same(files, 0.02)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 6:")]
    accuracies = [float(line.rpartition("accuracy ")[2]) for line in lines]
    assert len(accuracies) == 2
    assert min(accuracies) > 0.8
    assert abs(accuracies[0] - accuracies[1]) < 0.02


@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm track_running_stats=true"])
def test_averages_of_parameters_and_statistics(norm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are running averages."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    np.savez("images.npz", image=generator.normal(size=(24, 2, 6, 6)).astype(np.float32), label=generator.integers(0, 3, 24))
    text = f"""
    image = input 2x6x6
    scores = image -> conv 4 3x3 bias=false -> {norm} -> relu -> flatten -> dense 3
    train {{ label = input [] int64; loss = (scores, label) -> cross_entropy; ema 0.9; batch 8; steps 12; data npz "images.npz" }}
    """
    assert_same(train_both(text, "images.npz"), 1e-4)


@pytest.mark.long
@pytest.mark.thorough(6)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_and_clauses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with categories and a gap, sampled inputs, averages, early stopping, and each optimizer with its arguments."""
    monkeypatch.chdir(tmp_path)
    write_table()
    assert_same(train_both(TABLE.replace("OPTIMIZER", OPTIMIZERS[name]), "t.csv"), 1e-4)


PLATEAU = """
x = input 3
y = x -> dense 4 tanh -> dense 1
train {
  t = input 1
  loss = (y, t) -> mse_loss
  schedule reduce_lr_on_plateau factor=0.3 patience=0 OPTIONS
  epochs 8
  SETTINGS
}
"""


@pytest.mark.sample(1)
@pytest.mark.thorough(32)
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ("threshold=0.3 cooldown=1", "optimizer adamw lr=0.02; validate 0.2; batch 6"),
        ("threshold=0.05 threshold_mode=abs min_lr=0.004", "optimizer sgd lr=0.05 momentum=0.9; batch 6 accumulate=2"),
        (
            "threshold=0.2",
            'optimizer adam lr=0.05; group "*.bias" lr=0.01; validate 0.2; metric s = -((y - t) -> abs -> mean); keep best s max; batch 6',
        ),
    ],
)
def test_plateau(options: str, settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learning rate is reduced after the same epochs."""
    monkeypatch.chdir(tmp_path)
    write_arrays("train.npz", 30, 0, x=(3,), t=(1,))
    assert_same(train_both(PLATEAU.replace("OPTIONS", options).replace("SETTINGS", settings), "train.npz"), 1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("optimizer adagrad", "`adagrad` is an optimizer that the training file of Flax does not have"),
        ("optimizer adam amsgrad=true", "`amsgrad` of `adam` is an argument that optax's counterpart does not have"),
        ("optimizer sgd dampening=0.5 momentum=0.9", "`dampening` of `sgd`"),
        ("optimizer adam; schedule step step_size=3", "`step` is a schedule that the training file of Flax does not have"),
        ('optimizer adam; group "*.bias" optimizer=sgd', "`optimizer` of a group is another one than the section's"),
    ],
)
def test_settings_that_optax_lacks(settings: str, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        emit_flax_file(analyze_training(SourceFile("<text>", TABLE.replace("OPTIMIZER", settings)), Choice()).training)
    assert said in str(caught.value)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits.net").write_text(PLAIN, encoding="utf-8")
    done = CliRunner().invoke(cli, ["compile", "digits.net", "--target", "flax", "--train", "-o", "train.py"])
    assert done.exit_code == 0, done.output
    training = analyze_training(SourceFile("digits.net", PLAIN), Choice()).training
    assert Path("train.py").read_text(encoding="utf-8") == emit_flax_file(training)
    both = [CliRunner().invoke(cli, ["compile", "digits.net", "--target", *words]).output for words in (["train"], ["torch", "--train"])]
    assert both[0] == both[1]
    assert "import torch" in both[0]
    wrong = CliRunner().invoke(cli, ["compile", "digits.net", "--target", "onnx", "--train", "-o", "train.py"])
    assert wrong.exit_code == 2
    assert "--train goes with --target torch or --target flax" in wrong.output


@pytest.mark.parametrize(
    "network",
    ["x -> dense 3 relu -> dropout 0.5 -> dense 2", "x * (param [2])", "x * (param [2] init=ones) + 1", "x -> batch_norm -> dense 2"],
)
def test_main_trains_and_saves(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With parameters drawn from a key, and with constants, which need none. netc loads what is saved."""
    monkeypatch.chdir(tmp_path)
    write_arrays("data.npz", 12, 0, x=(2,), label=(2,))
    text = f"""
    x = input 2
    y = {network}
    train {{ label = input 2; loss = (y, label) -> mse_loss; data npz "data.npz"; optimizer sgd lr=0.1; batch 4; epochs 2 }}
    """
    training = analyze_training(SourceFile("small.net", text), Choice()).training
    assert training is not None
    execute(emit_flax_file(training), "flax_file").main()
    (saved,) = tmp_path.glob("*.safetensors")
    assert all(np.isfinite(array).all() for array in load_file(saved).values())
    netc.compile(text).module(str(saved))
