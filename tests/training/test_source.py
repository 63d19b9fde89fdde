"""`netc compile --target train`: the file trains as `netc train` does, with the same losses from the same parameters, and is valid text."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

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
  schedule warmup 5 -> cosine to=1e-5
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
RUN = """
import json, sys, torch
import made
model = getattr(made, sys.argv[1])().to(made.DEVICE)
model.load_state_dict(torch.load("initial.pt"))
made.REPORT_EVERY = 1
made.shown = lambda found: json.dumps({name: float(value) for name, value in found.items()})
made.train(model, made.load("data.npz"))
"""


def arrays(name: str) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    match name:
        case "digits":
            return {"image": generator.random((71, 1, 8, 8)) * 16, "target": generator.integers(0, 10, 71)}
        case "variational":
            return {"image": generator.normal(size=(40, 12)).astype(np.float32)}
        case _:
            return {"tokens": generator.integers(0, 7, (23, 9)), "weight": generator.random((23, 9), np.float32)}


SPECS = {"digits": DIGITS, "variational": VARIATIONAL, "sequence": SEQUENCE}


@pytest.mark.parametrize("name", SPECS)
def test_the_file_has_the_losses_of_netc_train(name: str, tmp_path: Path) -> None:
    spec = tmp_path / f"{name}.net"
    spec.write_text(SPECS[name], encoding="utf-8")
    np.savez(tmp_path / "data.npz", **arrays(name))  # type: ignore[arg-type]
    objective = netc.compile_file(spec).training(seed=11)
    torch.save(objective.model.state_dict(), tmp_path / "initial.pt")
    (tmp_path / "made.py").write_text(objective.source(), encoding="utf-8")
    netc.train(spec, data=str(tmp_path / "data.npz"), output=tmp_path / "run", weights=tmp_path / "initial.pt")
    done = subprocess.run(
        [sys.executable, "-c", RUN, name.capitalize()], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = {head: json.loads(rest) for head, rest in (line.split(": ", 1) for line in done.stdout.splitlines())}
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [entry for entry in logged if "validation" not in entry]
    assert len(steps) >= 10
    for entry in steps:
        for result, value in printed[f"step {entry['step']}"].items():
            assert entry[result] == pytest.approx(value, rel=1e-6, abs=1e-6), (entry["step"], result)
    for entry in (entry for entry in logged if "validation" in entry):
        assert printed[f"epoch {round(entry['epoch'])}"] == pytest.approx(entry["validation"], rel=1e-5, abs=1e-5)


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
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("epoch 1: loss ")
    model = netc.compile_file(tmp_path / "digits.net")
    assert model.module(weights=tmp_path / "digits.pt")
    assert model.module(weights=tmp_path / "digits_best.pt")


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
    for word in ("ACCUMULATE", "VALIDATION", "GROUPS", "FROZEN", "EMA", "schedule", "clip", "evaluate", "best", "math", "finish"):
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
