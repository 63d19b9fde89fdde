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
from netc.errors import CompileError
from netc.training.source import emit_training_file
from netc.training.source.flax_file import emit_flax_file
from tests.training.section_texts import DIGITS, SPECS, make_arrays


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.sample(3)
def test_the_file_trains_to_the_bits_of_netc_train(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same parameters. The results of steps and validations are the same up to rounding: `netc train` adds them up in doubles."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"{name}.net"
    path.write_text(SPECS[name], encoding="utf-8")
    np.savez(tmp_path / "data.npz", **make_arrays(name))  # type: ignore[arg-type]
    objective = netc.compile_file(path).training(seed=11)
    torch.save(objective.model.state_dict(), tmp_path / "initial.pt")
    netc.train(path, data=str(tmp_path / "data.npz"), output=tmp_path / "run", weights=tmp_path / "initial.pt")

    made = module_of(SPECS[name], tmp_path)
    made.DEVICE, made.REPORT_EVERY = "cpu", 1
    optimizers, make_optimizer = [], made.make_optimizer
    made.make_optimizer = lambda model: optimizers.append(make_optimizer(model)) or optimizers[0]
    rates = lambda: {"lr": optimizers[0].param_groups[0]["lr"]}  # noqa: E731
    made.format_metrics = lambda found: json.dumps({name: float(value) for name, value in found.items()} | rates())
    (class_name,) = re.findall(r"model = (\w+)\(", Path(made.__file__).read_text(encoding="utf-8"))
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
    # of losses that take turns, the file prints the mean of the last turn's steps that compute them
    turn = sum(made.LOSSES.values()) if hasattr(made, "COMPUTED") else 1
    for index, entry in enumerate(steps):
        for result, value in printed[f"step {entry['step']}"].items():
            averaged = [entry] if result == "lr" else steps[max(index + 1 - turn, 0) : index + 1]
            wanted = np.mean([one[result] for one in averaged if result in one])
            assert wanted == pytest.approx(value, rel=1e-6, abs=1e-6), (entry["step"], result)
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
    np.savez(tmp_path / "train.npz", **make_arrays("digits"))  # type: ignore[arg-type]
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
    assert "--section is for --train and --target train" in usage("a.net", "--target", "torch", "--section", "x")
    assert "there is no train section" in usage("-e", "input 3 -> dense 1", "--target", "train")
    assert "there is no train section `b`" in usage("a.net", "--target", "train", "--section", "b")


def test_an_input_without_samples_is_refused(tmp_path: Path) -> None:
    """No column can give it, so a file that reads it from data would fail in its first step."""
    text = """
y = input 2 -> dense 1
train {
  goal = input 1
  level = input [] batch=false
  loss = level * ((y, goal) -> mse_loss)
}
"""
    objective = netc.compile(text).training()
    for emit_file in (emit_training_file, emit_flax_file):
        with pytest.raises(CompileError, match="the input `level` is \\[\\], without a batch axis") as raised:
            emit_file(objective.training_section)
        assert "vary level linear" in str(raised.value)
    made = netc.compile(text.replace("\n}", "\n  vary level linear\n}")).training()
    assert "vary_inputs" in made.source()
