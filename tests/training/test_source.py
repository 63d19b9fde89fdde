"""`netc compile --target train`: the file trains as `netc train` does, to the same bits from the same parameters, and is valid text."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import netc

DIGITS = """
image = input 1x8x8
scores = image / 16 -> conv 4 3x3 padding=1 bias=false -> batch_norm relu -> max_pool 2 -> flatten -> dense 10

train {
  target = input [] int64
  loss = (scores, target) -> cross_entropy ignore_index=3
  metric accuracy = (scores -> argmax axis=1) == target -> cast float32 -> mean
  optimizer adamw lr=2e-3 weight_decay=0.01 no_decay=["*.bias"]
  group "dense1.*" lr=1e-2
  schedule warmup 5 -> cosine to=0.05
  epochs 3
  batch 16 accumulate=3
  clip 0.05
  validate 0.2
  keep best accuracy
  seed 4
}
"""
VARIATIONAL = """
image = input 12
hidden = image -> dense 8 relu
mean = hidden -> dense 2
spread = hidden -> dense 2
decoded = mean -> dense 12

train {
  difference = decoded - image
  error = difference * difference -> mean
  divergence = mean * mean + exp(spread) - spread - 1 -> sum axis=1 -> mean
  loss = error + 0.1 * divergence + 2
  metric error2 = error
  optimizer sgd lr=0.1 momentum=0.9
  freeze "dense3.*"
  ema 0.9
  steps 17
  batch 8 accumulate=2
}
"""
SEQUENCE = """
tokens = input [T] int64
logits = tokens -> embedding 7 6 -> dense 7

train {
  weight = input [T]
  losses = (logits -> dropout 0.0 -> transpose 1 2, tokens) -> cross_entropy reduction=none
  loss = losses * weight -> mean
  optimizer adam
  schedule step step_size=3 gamma=0.5
  epochs 2
  batch 5
}
"""
PLATEAU = """
features = input 3
guess = features -> dense 6 tanh -> dense 1 -> squeeze 1

train {
  price = input []
  loss = (guess, price) -> mse_loss
  metric error2 = (guess, price) -> l1_loss
  optimizer sgd lr=0.05
  schedule reduce_lr_on_plateau factor=0.5 patience=0 threshold=0.3
  epochs 12
  batch 8 DIVIDED
  VALIDATED
}
"""
"""The metric of an epoch is measured in validation, or on the training samples. For a batch in parts, it is measured on all parts."""
RANDOM = """
features = input 6
noise = input 6
level = input [] int64
hidden = features + noise * (level -> unsqueeze 1 -> cast float32) -> dense 16 relu -> dropout 0.3
scores = hidden -> dense 3

train {
  target = input [] int64
  share = input []
  loss = (scores -> dropout 0.1, target) -> cross_entropy label_smoothing=0.1
  metric penalty = share -> mean
  draw noise normal
  draw level integers 1 4
  draw share uniform 0.5 2
  optimizer adamw lr=1e-2
  schedule warmup 3 -> cosine
  epochs 4
  batch 7 DIVIDED
  clip 0.5 value=0.1
  ema 0.8
  validate 0.2
}
"""
"""What a step draws depends on the seed and the step alone: dropout of the model and the section, and inputs."""
PREPARED = """
noisy = input 5
step = input [] int64
guess = (noisy, step -> embedding 4 5) -> add -> dense 8 relu -> dense 5

train {
  clean = input 5
  noise = input 5
  draw noise normal
  draw step integers 0 4
  kept = table (t) [4] float32 = 1 - t / 8
  level = (kept, step) -> index_select axis=0 -> unsqueeze 1
  noisy = sqrt(level) * clean + sqrt(1 - level) * noise
  loss = (guess, noise) -> mse_loss
  steps 20
  batch 6
}
"""
"""The section computes an input of the model."""
STANDARDIZED = """
block layer { dense 4 tanh -> standardize }
features = input 3
noise = input 3
guess = (features + noise) -> standardize -> repeat 2 as layers { layer } -> dense 1 -> squeeze 1

train {
  target = input []
  loss = (guess, target) -> mse_loss
  draw noise normal
  steps 12
  batch 8 DIVIDED
  validate 0.2
}
"""
"""The numbers of the first stage depend on the draws of the first pass, and all other numbers on the first stage's."""
AUGMENTED = """
image = input 3x6x7
scores = image -> conv 4 3x3 padding=1 -> batch_norm relu -> dropout 0.2 -> conv 2 1x1

train {
  mask = input 6x7 int64
  noise = input 3
  loss = ((scores, mask) -> cross_entropy) + 0.01 * (noise -> mean)
  augment horizontal_flip image mask
  augment color_jitter brightness=0.3 contrast=[0.5, 1.5]
  draw noise normal
  epochs 3
  batch 6 DIVIDED
  validate 0.2
  seed 2
}
"""
"""An image and a mask that change together."""
BALANCED = """
image = input 3x6x7
noise = input 3
hidden = (image -> standardize -> conv 4 3x3 padding=1) + (noise -> dense 4 -> unsqueeze 2 -> unsqueeze 3)
scores = hidden -> conv 3 1x1
present = hidden -> global_avg_pool -> dense 2

train {
  mask = input 6x7 int64
  tags = input 2
  weights = input [3] batch=false
  rare = input [2] batch=false
  pixels = (scores, mask, weights) -> cross_entropy ignore_index=255
  loss = pixels + ((present, tags) -> binary_cross_entropy_with_logits pos_weight=rare) + 0.01 * (rare -> sum)
  balance mask weight=weights
  balance tags pos_weight=rare
  draw noise normal
  epochs 3
  batch 6 DIVIDED
  validate 0.2
}
"""
"""Weights of classes, of pixels and of two labels of a sample."""


def arrays(name: str) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    match name:
        case "digits":
            return {"image": generator.random((71, 1, 8, 8)) * 16, "target": generator.integers(0, 10, 71)}
        case "variational":
            return {"image": generator.normal(size=(40, 12)).astype(np.float32)}
        case _ if name.startswith("plateau"):
            features = generator.normal(size=(50, 3)).astype(np.float32)
            return {"features": features, "price": features @ np.float32([1, -2, 3]) + 0.3 * generator.normal(size=50).astype(np.float32)}
        case _ if name.startswith("random"):
            return {"features": generator.normal(size=(40, 6)).astype(np.float32), "target": generator.integers(0, 3, 40)}
        case _ if name.startswith("standardized"):
            features = generator.normal(5, 20, (31, 3)).astype(np.float32)
            features[4:7, 1] = 3
            return {"features": features, "target": generator.normal(size=31).astype(np.float32)}
        case _ if name.startswith("augmented"):
            return {"image": generator.random((31, 3, 6, 7), np.float32), "mask": generator.integers(0, 2, (31, 6, 7))}
        case _ if name.startswith("balanced"):
            mask = generator.choice([0, 1, 2, 255], (31, 6, 7), p=[0.6, 0.2, 0.1, 0.1])
            tags = generator.random((31, 2)) < [0.7, 0.2]
            return {"image": generator.random((31, 3, 6, 7), np.float32), "mask": mask, "tags": tags.astype(np.float32)}
        case "prepared":
            return {"clean": generator.normal(size=(30, 5)).astype(np.float32)}
        case _:
            return {"tokens": generator.integers(0, 7, (23, 9)), "weight": generator.random((23, 9), np.float32)}


SPECS = {
    "digits": DIGITS,
    "variational": VARIATIONAL,
    "sequence": SEQUENCE,
    "plateau": PLATEAU.replace("DIVIDED", "").replace("VALIDATED", "validate 0.2\n  keep best error2"),
    "plateau_of_epochs": PLATEAU.replace("DIVIDED", "").replace("VALIDATED", ""),
    "plateau_of_parts": PLATEAU.replace("DIVIDED", "accumulate=3").replace("VALIDATED", "keep best error2 min"),
    "plateau_stopped": PLATEAU.replace("DIVIDED", "; stop patience=3 min_delta=0.1").replace("VALIDATED", "validate 0.2; keep best error2"),
    "random": RANDOM.replace("DIVIDED", ""),
    "random_in_parts": RANDOM.replace("DIVIDED", "accumulate=2"),
    "prepared": PREPARED,
    "standardized": STANDARDIZED.replace("DIVIDED", ""),
    "standardized_in_parts": STANDARDIZED.replace("DIVIDED", "accumulate=2"),
    "augmented": AUGMENTED.replace("DIVIDED", ""),
    "augmented_in_parts": AUGMENTED.replace("DIVIDED", "accumulate=2"),
    "balanced": BALANCED.replace("DIVIDED", ""),
    "balanced_in_parts": BALANCED.replace("DIVIDED", "accumulate=2"),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.sample(3)
def test_the_file_trains_to_the_bits_of_netc_train(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same parameters. The results of steps and validations are the same up to rounding: `netc train` adds them up in doubles."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"{name}.net"
    path.write_text(SPECS[name], encoding="utf-8")
    np.savez(tmp_path / "data.npz", **arrays(name))  # type: ignore[arg-type]
    objective = netc.compile_file(path).training(seed=11)
    torch.save(objective.model.state_dict(), tmp_path / "initial.pt")
    netc.train(path, data=str(tmp_path / "data.npz"), output=tmp_path / "run", weights=tmp_path / "initial.pt")

    made = module_of(SPECS[name], tmp_path)
    made.DEVICE, made.REPORT_EVERY = "cpu", 1
    optimizers, make_optimizer = [], made.make_optimizer
    made.make_optimizer = lambda model: optimizers.append(make_optimizer(model)) or optimizers[0]
    rates = lambda: {"lr": optimizers[0].param_groups[0]["lr"]}  # noqa: E731
    made.format_metrics = lambda found: json.dumps({name: float(value) for name, value in found.items()} | rates())
    (class_name,) = re.findall(r"model = (\w+)\(\)", Path(made.__file__).read_text(encoding="utf-8"))
    model = getattr(made, class_name)()
    model.load_state_dict(torch.load(tmp_path / "initial.pt"))
    capsys.readouterr()
    trained = made.train(model, made.load_data(str(tmp_path / "data.npz"))) or model
    lines = [line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if "{" in line]
    printed = {head: json.loads(rest) for head, rest in lines}

    kept = load_file(tmp_path / "run" / "last.safetensors")
    assert {name: value.numpy().tobytes() for name, value in trained.state_dict().items()} == {
        name: array.tobytes() for name, array in kept.items()
    }
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [entry for entry in logged if "validation" not in entry]
    assert len(steps) >= 10
    for entry in steps:
        for result, value in printed[f"step {entry['step']}"].items():
            assert entry[result] == pytest.approx(value, rel=1e-6, abs=1e-6), (entry["step"], result)
    for entry in (entry for entry in logged if "validation" in entry):
        found = printed[f"epoch {round(entry['epoch'])}"]
        assert {key: found[key] for key in entry["validation"]} == pytest.approx(entry["validation"], rel=1e-5, abs=1e-5)
    assert printed.keys() >= {f"step {steps[-1]['step']}"}
    assert f"step {steps[-1]['step'] + 1}" not in printed  # both stopped at the same step
    if "plateau" in name:
        assert len({entry["lr"] for entry in steps}) > 2


def test_clipping_and_averaging_are_those_of_pytorch(tmp_path: Path) -> None:
    """The file and `netc train` execute the same lines, so their equality says nothing of what a clause means: this loop does."""
    text = """
    x = input 4
    scores = x -> dense 3
    train {
      target = input [] int64
      loss = (scores, target) -> cross_entropy
      optimizer sgd lr=0.5
      clip 0.08 value=0.04
      ema 0.8
      batch 20
      epochs 5
    }
    """
    generator = torch.Generator().manual_seed(0)
    data = {"x": torch.randn(20, 4, generator=generator), "target": torch.arange(20) % 3}
    made = module_of(text, tmp_path)
    made.DEVICE, made.REPORT_EVERY = "cpu", 1
    np.savez(tmp_path / "data.npz", **{name: value.numpy() for name, value in data.items()})
    model = netc.compile(text).module(seed=3)
    weight, bias = (p.detach().clone().requires_grad_() for p in (model.dense1.weight, model.dense1.bias))
    average = [weight.detach().clone(), bias.detach().clone()]
    for _ in range(5):  # each step has all samples, so their order is of no account
        loss = torch.nn.functional.cross_entropy(data["x"] @ weight.T + bias, data["target"])
        gradients = torch.autograd.grad(loss, (weight, bias))
        limited = [g.clamp(-0.04, 0.04) for g in gradients]
        norm = torch.sqrt(sum(g.square().sum() for g in limited))
        assert norm > 0.08
        assert max(g.abs().max() for g in gradients) > 0.04
        with torch.no_grad():
            for parameter, gradient, mean in zip((weight, bias), limited, average, strict=True):
                parameter -= 0.5 * gradient * (0.08 / norm)
                mean.mul_(0.8).add_(0.2 * parameter)

    trained = made.train(model, made.load_data(str(tmp_path / "data.npz")))
    torch.testing.assert_close(list(model.state_dict().values()), [weight.detach(), bias.detach()], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(list(trained.state_dict().values()), average, rtol=1e-4, atol=1e-6)


@pytest.mark.long
def test_the_file_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "digits.net").write_text(DIGITS, encoding="utf-8")
    np.savez(tmp_path / "train.npz", **arrays("digits"))  # type: ignore[arg-type]
    command = [sys.executable, "-m", "netc", "compile", "digits.net", "--target", "train", "-o", "train.py"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    text = (tmp_path / "train.py").read_text(encoding="utf-8")
    assert text == netc.compile_file(tmp_path / "digits.net").training().source()
    imported = {n.module or "" for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import) for a in n.names}
    assert {name.split(".")[0] for name in imported} <= {"torch", "numpy", *sys.stdlib_module_names}
    done = subprocess.run([sys.executable, "-W", "error", "train.py"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("epoch 1: loss ")
    model = netc.compile_file(tmp_path / "digits.net")
    assert model.module(weights=tmp_path / "digits.pt")
    assert model.module(weights=tmp_path / "digits_best.pt")


def module_of(text: str, folder: Path) -> ModuleType:
    """The file of a section, imported."""
    path = folder / "made.py"
    path.write_text(netc.compile(text).training().source(), encoding="utf-8")
    found = importlib.util.spec_from_file_location("made", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.long
def test_inputs_that_are_drawn(tmp_path: Path) -> None:
    text = """
    image = input 12
    noise = input 3
    step = input [] int64
    decoded = (image -> dense 3) + noise + (step -> embedding 10 3) -> dense 12
    train {
      difference = decoded - image
      loss = difference * difference -> mean
      draw noise normal
      draw step integers 0 10
      epochs 2
      batch 16
      validate 0.25
    }
    """
    (tmp_path / "made.py").write_text(netc.compile(text).training().source(), encoding="utf-8")
    np.savez(tmp_path / "train.npz", image=np.ones((40, 12), np.float32))
    done = subprocess.run([sys.executable, "made.py"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch") == 2


def test_what_the_section_does_not_say_is_not_written() -> None:
    text = netc.compile("y = input 3 -> dense 1\ntrain { t = input [1]; loss = (y, t) -> mse_loss }").training().source()
    for word in ("ACCUMULATE", "VALIDATION", "GROUPS", "FROZEN", "EMA", "schedule", "clip", "evaluate", "best", "math", "combine_means"):
        assert word not in text
    assert len(text.splitlines()) < 120
    assert max(map(len, text.splitlines())) <= 110


def test_strings_of_a_spec_are_literals() -> None:
    hostile = "x')]; import os  #"
    text = f'y = input 3 -> dense 1\ntrain {{ t = input [1]; loss = (y, t) -> mse_loss; data npz "{hostile}" t="{hostile}" }}'
    tree = ast.parse(netc.compile(text).training().source())
    constants = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and "import os" in str(n.value)]
    assert constants
    assert len(set(constants)) == 1
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names if a.name == "os"]


@pytest.mark.long
def test_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(DIGITS, encoding="utf-8")

    def usage(*words: str) -> str:
        done = subprocess.run([sys.executable, "-m", "netc", "compile", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode in (1, 2), done.stdout
        return done.stderr

    assert "takes neither --weights nor --seed" in usage("a.net", "--target", "train", "--seed", "1")
    assert "give -o NAME.py" in usage("a.net", "--target", "train", "-o", "a.onnx")
    assert "--section is for --target train" in usage("a.net", "--target", "torch", "--section", "x")
    assert "there is no train section" in usage("-e", "input 3 -> dense 1", "--target", "train")
    assert "there is no train section `b`" in usage("a.net", "--target", "train", "--section", "b")
