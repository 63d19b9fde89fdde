"""`netc compile --target flax --train`: from the same parameters, the file of Flax and optax trains as the file of PyTorch does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file
from safetensors.torch import save_file

import netc
from netc.analysis import Choice, analyze_training
from netc.cli import cli
from netc.dsl.source import SourceFile
from netc.errors import CompileError
from netc.training.objective import Objective
from netc.training.source import emit_training_file
from netc.training.source.flax_file import emit_flax_file
from tests.training.section_texts import DIGITS, VARIATIONAL
from tests.training.test_derivatives import FORCES, HEAT, PENALTY

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


def execute(text: str, name: str) -> Any:
    module = ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
    return module


def write_table() -> None:
    generator = np.random.default_rng(0)
    rows = [
        f"{u:.4f},{v:.4f},{['Ulm', 'Bonn', 'Rom'][i % 3]},{'abc'[int(u > 0) + int(v > 1)]}"
        for i, (u, v) in enumerate(generator.normal(size=(40, 2)))
    ]
    rows[3] = "," + rows[3].split(",", 1)[1]
    Path("t.csv").write_text("u,v,town,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")


def train_both(text: str, data: str | tuple[str, ...]) -> tuple[Any, Any, list[list[float]]]:
    """Train the files of PyTorch and of Flax from the same parameters. Return both modules, and the losses of all steps of both."""
    training = analyze_training(SourceFile("<text>", text), Choice()).training
    assert training is not None
    objective = netc.compile(text).training(seed=5)
    state = objective.model.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, "start.safetensors")
    torch_file, flax_file = execute(emit_training_file(training), "torch_file"), execute(emit_flax_file(training), "flax_file")
    torch_file.DEVICE = "cpu"
    losses: list[list[float]] = [[], []]
    for file, found in zip((torch_file, flax_file), losses, strict=True):
        record(file, found)
    torch_model = type(objective.model).__name__
    model = vars(torch_file)[torch_model]()
    model.load_state_dict(state)
    torch_file.trained = torch_file.train(model, *load_data(torch_file, data)) or model
    other = vars(flax_file)[torch_model](rngs=nnx.Rngs(0))
    flax_file.load(other, "start.safetensors")
    flax_file.trained = flax_file.train(other, *load_data(flax_file, data))
    return torch_file, flax_file, losses


def load_data(file: Any, data: str | tuple[str, ...]) -> tuple[Any, ...]:
    """What the file's `train` takes: the data, and the sizes of the files if they have weights."""
    if isinstance(data, str):
        return (file.load_data(data),)
    arrays, sizes = file.load_files(data)
    return (arrays, sizes) if hasattr(file, "WEIGHTS") else (arrays,)


def record(file: Any, losses: list[float]) -> None:
    train_step = file.train_step

    def step(*arguments: Any) -> Any:
        sums = train_step(*arguments)
        turns = [name for name, count in getattr(file, "LOSSES", {"loss": 1}).items() for _ in range(count)]
        losses.append(float(file.compute_metrics(*sums)[turns[len(losses) % len(turns)]]))
        return sums

    file.train_step = step


def assert_same(files: tuple[Any, Any, list[list[float]]], weights: float) -> None:
    torch_file, flax_file, (expected, losses) = files
    assert len(losses) == len(expected) >= 10
    np.testing.assert_allclose(losses[:10], expected[:10], rtol=1e-5, atol=1e-6)
    flax_file.save(flax_file.trained, "trained.safetensors")
    arrays = load_file("trained.safetensors")
    for name, tensor in torch_file.trained.state_dict().items():
        if name != "num_batches_tracked":
            np.testing.assert_allclose(arrays[name], tensor.detach().numpy(), rtol=weights, atol=weights, err_msg=name)


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_and_clauses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with categories and a gap, sampled inputs, averages, early stopping, and each optimizer with its arguments."""
    monkeypatch.chdir(tmp_path)
    write_table()
    assert_same(train_both(TABLE.replace("OPTIMIZER", OPTIMIZERS[name]), "t.csv"), 1e-4)


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


def write_arrays(path: str, count: int, seed: int, **shapes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(seed)
    np.savez(path, **{name: generator.normal(size=(count, *shape)).astype(np.float32) for name, shape in shapes.items()})


@pytest.mark.sample(1)
@pytest.mark.parametrize("settings", ["", "batch 7 accumulate=3", 'freeze "online.bias"', "ema 0.9"])
def test_followers_and_inputs_that_vary(settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters that follow others, inputs that depend on the step, and micro-batches of unequal sizes, of which they are no part."""
    monkeypatch.chdir(tmp_path)
    write_arrays("train.npz", 40, 0, x=(12,), t=(3,))
    text = FOLLOWED.replace("batch 7\n", "") if settings.startswith("batch") else FOLLOWED
    assert_same(train_both(text.replace("SETTINGS", settings), "train.npz"), 1e-5)


@pytest.mark.long
def test_micro_batches_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms of the loss that do not depend on samples count once, and frozen parameters stay."""
    monkeypatch.chdir(tmp_path)
    write_arrays("train.npz", 30, 0, image=(12,))
    assert_same(train_both(VARIATIONAL, "train.npz"), 1e-5)


@pytest.mark.sample(1)
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


@pytest.mark.long
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


GAN = """
real = input 2
noise = input 4
shared judge = (dense 16 relu -> dense 1)
fake = noise -> (dense 16 relu -> dense 2) as forger
real_score = real -> judge
fake_score = fake -> judge
out fake, real_score, fake_score
train {
  judging = softplus(-real_score) + softplus(fake_score) -> mean
  forging = softplus(-fake_score) -> mean
  draw noise normal
  minimize judging "judge.*" steps=2 OPTIONS
  minimize forging PATTERNS
  SETTINGS
}
"""


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("options", "patterns", "settings"),
    [
        ("lr=3e-3", '"forger.*"', "optimizer adam lr=1e-3 betas=[0.5, 0.999]; batch 7; steps 24"),
        ("", '"forger.*" "judge.0.*"', "optimizer adamw lr=0.02; schedule cosine; clip 0.05; batch 7 accumulate=2; steps 24"),
        ("", '"forger.*"', 'optimizer sgd lr=0.05 momentum=0.9; group "*.bias" lr=0.01; batch 7; steps 24; ema 0.9'),
    ],
)
def test_losses_in_turns(options: str, patterns: str, settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step trains the parameters of one loss, and leaves the optimizer's state of the others."""
    monkeypatch.chdir(tmp_path)
    write_arrays("train.npz", 40, 0, real=(2,))
    text = GAN.replace("OPTIONS", options).replace("PATTERNS", patterns).replace("SETTINGS", settings)
    assert_same(train_both(text, "train.npz"), 1e-4)


PREPARED = """
noisy = input 3
t = input []
score = (noisy, t -> unsqueeze 1) -> concat axis=1 -> dense 8 tanh -> dense 3
train {
  clean = input 3
  noise = input 3
  level = input []
  noisy = clean + (level -> unsqueeze 1) * noise
  t = level
  energy = (score * noisy -> sum axis=1) + (score -> square -> sum axis=1)
  push = gradient(energy, noisy)
  bend = gradient(push -> square -> sum axis=1, level)
  loss = (push + noise -> square -> mean) + 0.1 * (bend -> square -> mean) + (energy -> mean)
  draw noise normal
  draw level uniform
  optimizer sgd lr=0.01
  batch 7
  epochs 3
}
"""


BLOCKS = """
block steepness(u: [N, 1], v: [N, 3]) { gradient(u, v) -> square -> sum axis=1 }
block bend(u: [N, 1], v: [N, 3]) { slope = (u, v) -> steepness; gradient(slope, v) -> square -> mean }
x = input 3
h = x -> dense 3 tanh
y = h * x -> dense 4 tanh -> dense 1
train {
  t = input 1
  error = (y, t) -> mse_loss
  loss = error + 0.1 * ((y, x) -> bend) + ((y, h) -> steepness -> mean) + (gradient(error, x) -> square -> sum axis=1 -> mean)
  optimizer sgd lr=0.05
  batch 8
  epochs 3
}
"""


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("text", "settings", "shapes"),
    [
        (HEAT, {"VALIDATE": "validate 0.2"}, {"place": (1,), "time": (1,), "known": (1,)}),
        (HEAT, {"ACCUMULATE": "accumulate=3"}, {"place": (1,), "time": (1,), "known": (1,)}),
        (PENALTY, {}, {"real": (2,)}),
        (FORCES, {}, {"positions": (6,), "known_energy": (1,), "known_forces": (6,)}),
        (PREPARED, {}, {"clean": (3,)}),
        (BLOCKS, {}, {"x": (3,), "t": (1,)}),
    ],
    ids=["inputs", "micro-batches", "tensor-of-the-model", "within-the-model", "prepared-inputs", "blocks"],
)
def test_gradients_in_the_loss(
    text: str, settings: dict[str, str], shapes: dict[str, tuple[int, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients by inputs, by each other, by a tensor of the model and by one that the section computes."""
    monkeypatch.chdir(tmp_path)
    write_arrays("train.npz", 40, 0, **shapes)
    for word in ("ACCUMULATE", "VALIDATE"):
        text = text.replace(word, settings.get(word, ""))
    assert_same(train_both(text.replace("steps 50", "steps 20"), "train.npz"), 1e-4)


SCORED = """
image = input 3
h = image -> dense 4 tanh
scores = h -> dense 4 tanh
out scores, h
train { LINES; loss = (g -> square -> mean) + (scores -> mean); optimizer sgd }
"""
TWO = "block two(u: [N, 4]) { a = u * 2; b = a -> square; out a, b }"
IN_MODEL = """
block two(u: [N, 3]) { a = u -> dense 4 tanh; b = a -> dense 4; out a, b }
image = input 3
(scores, h) = image -> two
out scores, h
train { LINES; loss = g -> square -> mean; optimizer sgd }
"""
TWO_INPUTS = """
jax = input 3
image = input 3
scores = (jax, image) -> concat axis=1 -> dense 4 tanh
train { clean = input 3; jax = clean * 0.3; image = jax -> square; LINES; loss = g -> square -> mean; optimizer sgd }
"""


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (SCORED, "x2 = image * 2; g = gradient((scores -> sum axis=1 keepdim=true) * x2, x2)"),
        (SCORED, "probs = scores -> softmax; g = gradient(probs * log(probs) -> sum axis=1, probs)"),
        (SCORED, "w = h -> square; g = gradient(scores * w, w) + gradient(scores * w * h, h)"),
        (TWO + SCORED, "(a, b) = scores -> two; g = gradient(a * b, a)"),
        (SCORED, "jax = gradient(scores, image); g = gradient(jax -> square, image)"),
        (TWO_INPUTS, "g = gradient(scores, jax)"),
    ],
    ids=["input", "softmax", "tensor-of-the-model", "block", "module-name", "prepared-inputs"],
)
def test_gradients_by_what_the_section_computes(text: str, lines: str) -> None:
    """What computes the second tensor computes nothing from it, and no variable hides `jax`. PyTorch differentiates the tensors."""
    training = analyze_training(SourceFile("<text>", text.replace("LINES", lines)), Choice()).training
    assert training is not None
    objective, file = Objective(training, seed=3), execute(emit_flax_file(training), "flax_file")
    batch = {"image": torch.randn(6, 3, generator=torch.Generator().manual_seed(1))}
    batch["clean"] = batch["image"]
    model = vars(file)[type(objective.model).__name__](rngs=nnx.Rngs(0))
    for name, tensor in objective.model.state_dict().items():
        stage, _, parameter = name.rpartition(".")
        getattr(getattr(model, stage), parameter)[...] = tensor.numpy()
    arrays = {name: tensor.numpy() for name, tensor in batch.items()}
    found = file.compute_metrics(file.compute_totals(model, arrays), file.compute_counts(arrays))["loss"]
    np.testing.assert_allclose(found, objective(batch)[0].item(), 1e-5)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (SCORED, "s = gradient(scores, image); g = gradient(s -> square, scores)"),
        (SCORED, "s = gradient(scores, image) -> sum axis=1 keepdim=true; g = gradient(s * h, h)"),
        (SCORED, "w = scores -> square; s = gradient(w, h); g = gradient(s * w, w)"),
        (IN_MODEL, "g = gradient(h * scores, scores)"),
        (
            SCORED.replace("h = image", "(h, i) = image -> max axis=1 keepdim=true")
            .replace("scores = h ->", "scores = h * (i + 0.5) ->")
            .replace(" -> dense 4 tanh\nscores", "\nscores"),
            "g = gradient(scores, h)",
        ),
    ],
)
def test_gradients_that_a_function_hides(text: str, lines: str) -> None:
    """A function that computes the second tensor again would hide a part of the gradient: an error instead of 0."""
    with pytest.raises(CompileError) as caught:
        emit_flax_file(analyze_training(SourceFile("<text>", text.replace("LINES", lines)), Choice()).training)
    assert "one function computes the second tensor and what depends on it" in str(caught.value)
    assert "train with PyTorch" in str(caught.value)


def test_gradients_before_a_shared_stage() -> None:
    """The model contains such a gradient, where only stages with a closed form can be differentiated."""
    text = "image = input 4; shared f = dense 4 tanh; y = image -> f; train { LOSS; optimizer sgd }"
    loss = "s = gradient(y, image); loss = (image + s -> f) -> square -> mean"
    with pytest.raises(CompileError) as caught:
        emit_flax_file(analyze_training(SourceFile("<text>", text.replace("LOSS", loss)), Choice()).training)
    assert "netc knows no derivative of `dense`" in str(caught.value)
    assert "help: train with PyTorch" in str(caught.value)


@pytest.mark.parametrize("stage", ["dropout 0.1", "batch_norm"])
def test_gradients_of_a_model_that_changes(stage: str) -> None:
    """A second call of the model would draw other numbers, or update its statistics again."""
    text = HEAT.replace("tanh", f"-> {stage} -> tanh").replace("ACCUMULATE", "").replace("VALIDATE", "")
    with pytest.raises(CompileError) as caught:
        emit_flax_file(analyze_training(SourceFile("<text>", text), Choice()).training)
    assert "cannot be written in the training file of Flax" in str(caught.value)
    assert f"`{stage.partition(' ')[0]}` of the model draws random numbers or updates statistics" in str(caught.value)


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


FLIPPED = """
image = input 3x4x6
mask = input 4x6 int64
y = image -> flatten -> dense 3
train {
  t = input [] int64
  loss = ((y, t) -> cross_entropy) + 0.01 * ((image * (mask -> cast float32 -> unsqueeze 1)) * (image -> exp) -> sum axis=[1, 2, 3] -> mean)
  augment horizontal_flip image mask p=1
  augment vertical_flip image 1.0
  augment random_crop mask [4, 6]
  optimizer sgd lr=0.01
  batch 7
  epochs 2
  validate 0.2
}
"""
CROPPED = """
x = input 1x3x4
m = input 3x4 int64
y = x -> flatten -> dense 1
train {
  t = input 1
  loss = ((y, t) -> mse_loss) + 0 * (m -> cast float32 -> sum)
  LINES
  optimizer sgd lr=0.01
  seed 3
}
"""


def write_images(count: int) -> None:
    generator = np.random.default_rng(7)
    images = generator.normal(size=(count, 3, 4, 6)).astype(np.float32)
    np.savez("train.npz", image=images, mask=generator.integers(0, 3, (count, 4, 6)), t=generator.integers(0, 3, count))


@pytest.mark.sample(1)
@pytest.mark.parametrize("batch", ["batch 7", "batch 7 accumulate=2"])
def test_certain_augmentations(batch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transforms that draw nothing change images and masks as torchvision does."""
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    monkeypatch.chdir(tmp_path)
    write_images(40)
    assert_same(train_both(FLIPPED.replace("batch 7", batch), "train.npz"), 1e-5)


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "line",
    [
        "augment horizontal_flip x m p=0.3",
        "augment vertical_flip x m",
        "augment random_crop x m [3, 4] padding=1",
        "augment random_crop x m [3, 4] padding=[2, 1] fill=3",
        "augment random_crop x m [3, 4] padding=[0, 2, 1, 0] padding_mode=reflect",
    ],
)
def test_random_augmentations(line: str) -> None:
    """The same results as torchvision's are as frequent, and an image and its mask change together."""
    v2 = pytest.importorskip("torchvision.transforms.v2", reason="torchvision is not installed")
    training = analyze_training(SourceFile("<text>", CROPPED.replace("LINES", line)), Choice()).training
    torch_file, flax_file = execute(emit_training_file(training), "torch_file"), execute(emit_flax_file(training), "flax_file")
    assert v2
    count, image = 600, np.arange(1, 13).reshape(3, 4)
    batch = {"x": np.tile(image.astype(np.float32), (count, 1, 1, 1)), "m": np.tile(image, (count, 1, 1))}
    expected = torch_file.augment_batch({name: torch.from_numpy(array) for name, array in batch.items()}, torch.arange(count), 5)
    found = flax_file.augment_batch(batch, np.arange(count), 5)
    np.testing.assert_array_equal(found["x"][:, 0], found["m"])
    frequencies = [Counter(bytes(row.astype(np.int64).tobytes()) for row in np.asarray(masks)) for masks in (expected["m"], found["m"])]
    assert frequencies[0].keys() == frequencies[1].keys()
    for result, times in frequencies[0].items():
        share = (times + frequencies[1][result]) / (2 * count)
        assert abs(times - frequencies[1][result]) <= 5 * (2 * count * share * (1 - share)) ** 0.5
    # A sample's numbers depend on the seed, the step and the sample alone.
    rows = np.array([17, 4, 250])
    again = flax_file.augment_batch({name: array[rows] for name, array in batch.items()}, rows, 5)
    np.testing.assert_array_equal(again["m"], found["m"][rows])
    assert (flax_file.augment_batch(batch, np.arange(count), 6)["m"] != found["m"]).any()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("augment gaussian_blur x 3", "`gaussian_blur` is not part of the training file of Flax, which has `horizontal_flip`"),
        ("augment random_crop x [3, 4] pad_if_needed=true", "`random_crop` has `pad_if_needed`"),
        ("measure mae", "`measure` is not part of the training file"),
    ],
)
def test_clauses_that_the_file_lacks(settings: str, said: str) -> None:
    text = CROPPED.replace("LINES", f"{settings}; validate 0.1")
    with pytest.raises(CompileError) as caught:
        emit_flax_file(analyze_training(SourceFile("<text>", text), Choice()).training)
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
