"""Losses in turns and gradients in the loss, in the files of Flax and of PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.errors import CompileError
from netc.training.objective import Objective
from netc.training.source.flax_file import emit_flax_file
from tests.flax.trained_files import assert_same, execute, train_both, write_arrays
from tests.training.test_derivatives import FORCES, HEAT, PENALTY

jax = pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("optax", reason="optax is not installed")
nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")


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
@pytest.mark.thorough(32)
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


def test_probabilities_that_saturate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch limits the gradient of `binary_cross_entropy` where `sigmoid` is nearly 0 or 1."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    x = generator.choice([-50.0, 50.0], (40, 3)) + generator.normal(size=(40, 3))
    np.savez("train.npz", x=x.astype(np.float32), t=generator.integers(0, 2, (40, 1)).astype(np.float32))
    section = "train { t = input 1; loss = (y, t) -> binary_cross_entropy; optimizer sgd lr=0.1; batch 8; epochs 2 }"
    assert_same(train_both(f"x = input 3; y = x -> dense 1 sigmoid; {section}", "train.npz"), 1e-4)


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


@pytest.mark.share(2)
@pytest.mark.thorough(4)
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
