"""The train files of PyTorch and of Flax from the same parameters, both trained, for the tests to compare."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.torch import save_file

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.source import emit_training_file
from netc.training.source.flax_file import emit_flax_file

jax = pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("optax", reason="optax is not installed")
nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")


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


def write_arrays(path: str, count: int, seed: int, **shapes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(seed)
    np.savez(path, **{name: generator.normal(size=(count, *shape)).astype(np.float32) for name, shape in shapes.items()})
