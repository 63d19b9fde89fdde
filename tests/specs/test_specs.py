"""Every spec in specs/ and specs/seed (the zoo has tests of its own): it compiles without diagnostics, its targets agree, it trains, and
PyTorch's compilers accept it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import netc
from tests.parity import agree, arguments, flattened, inputs_for, sizes_of, tensor

SPECS = Path(__file__).parents[2] / "specs"
FILES = sorted([*SPECS.glob("*.net"), *SPECS.glob("seed/*.net")])
LIMITS = {"gpt": {"tokens": 256}, "hypernetwork": {"task": 4}}


@pytest.fixture(params=[pytest.param(path, id=path.stem) for path in FILES])
def model(request: pytest.FixtureRequest) -> netc.Model:
    return netc.compile_file(request.param)


def test_no_warnings(model: netc.Model) -> None:
    assert model.diagnostics == ()


@pytest.mark.sample(3)
def test_targets_agree(model: netc.Model) -> None:
    agree(model, limits=LIMITS.get(model.name))


def _sample(model: netc.Model) -> list[Any]:
    env = sizes_of(model)[1]
    arrays = inputs_for(model, env, limits=LIMITS.get(model.name))
    return arguments(model, [tensor(arrays[n], t) for n, t in model.inputs.items()])


def _loss(out: Any, targets: list[torch.Tensor]) -> torch.Tensor:
    losses = [torch.nn.functional.mse_loss(o, t) for o, t in zip(flattened(out), targets, strict=True)]
    return torch.stack(losses).sum()


@pytest.mark.sample(2)
def test_trains(model: netc.Model) -> None:
    module = model.module(seed=3)
    inputs = _sample(model)
    with torch.no_grad():
        out = module(*inputs)
    generator = torch.Generator().manual_seed(0)
    targets = [torch.rand(o.shape, generator=generator) for o in flattened(out)]
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    losses = []
    for step in range(50):
        optimizer.zero_grad()
        loss = _loss(module(*inputs), targets)
        loss.backward()
        if step == 0:
            untouched = [n for n, p in module.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
            assert untouched == []
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.long
def test_torch_compile_takes_it(model: netc.Model) -> None:
    module = model.module(seed=3).eval()
    inputs = _sample(model)
    with torch.no_grad():
        wanted = module(*inputs)
        found = torch.compile(module, backend="eager", fullgraph=True)(*inputs)
    torch.testing.assert_close(found, wanted)


@pytest.mark.long
def test_torch_export_takes_it(model: netc.Model) -> None:
    module = model.module(seed=3).eval()
    inputs = _sample(model)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        exported = torch.export.export(module, tuple(inputs)).module()
        torch.testing.assert_close(exported(*inputs), module(*inputs))
