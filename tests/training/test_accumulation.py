"""The gradient of a batch in parts equals the gradient of the whole batch, as plain PyTorch computes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from netc.analysis import Choice, analyze_training
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.training.data.data_source import ArraySource
from netc.training.locate_data import DataRequest
from netc.training.loop import Trainer
from netc.training.objective import Objective
from netc.training.run_folder import RunFolder
from netc.training.training_failures import RefusedBatch
from netc.training.training_session import RunRequest, prepare_training

IGNORED = "(scores, target) -> cross_entropy ignore_index=2"
LOSSES = {
    "mean": "(((scores, target) -> cross_entropy reduction=none) * mask) -> mean",
    "ignored labels": IGNORED,
    "terms": f"({IGNORED}) + 0.5 * (scores * scores -> mean) - 0.25",
    "detached": f"({IGNORED}) + (scores * (scores * scores -> detach) -> mean) - ((scores -> mean) -> detach)",
}


def trainer(loss: str, samples: int, accumulate: int, folder: Path) -> Trainer:
    """A trainer whose first steps are in one epoch of these samples."""
    text = f"""
features = input 6
scores = features -> dense 8 tanh -> dense 5
train {{
  target = input [] int64
  mask = input []
  loss = {loss}
  optimizer sgd lr=0.1
  batch 24 accumulate={accumulate}
  epochs 1
}}
"""
    analysis = analyze_training(SourceFile("spec.net", text), Choice())
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    generator = np.random.default_rng(0)
    data = {
        "features": generator.normal(size=(samples, 6)).astype(np.float32),
        "target": generator.integers(0, 5, samples),
        "mask": (generator.random(samples) < 0.4).astype(np.float32),
    }
    prepared = prepare_training(analysis.training, RunRequest(DataRequest(ArraySource(data))))
    objective = Objective(prepared.training, prepared.means, seed=1)
    return Trainer(objective, prepared.recipe, prepared.data, None, RunFolder(folder), lambda report: None)


def reference(name: str, model: torch.nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The loss of the whole batch, in plain PyTorch."""
    scores = model(batch["features"])
    if name == "mean":
        return (cross_entropy(scores, batch["target"], reduction="none") * batch["mask"]).mean()
    ignored = cross_entropy(scores, batch["target"], ignore_index=2)
    if name == "detached":
        return ignored + (scores * scores.detach().square()).mean() - scores.detach().mean()
    return ignored if name == "ignored labels" else ignored + 0.5 * (scores * scores).mean() - 0.25


@pytest.mark.share(4)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("samples", [24, 21])
@pytest.mark.parametrize("accumulate", [1, 4, 24])
def test_gradient_of_the_large_batch(name: str, samples: int, accumulate: int, tmp_path: Path) -> None:
    """21 samples are a ragged batch, in parts of 6, 5, 5 and 5."""
    made = trainer(LOSSES[name], samples, accumulate, tmp_path)
    part = made.batches.columns.read_batch(made.batches.indices)
    part = {key: torch.from_numpy(value) for key, value in part.items()}
    loss = reference(name, made.model, part)
    wanted = torch.autograd.grad(loss, list(made.model.parameters()))
    results = made.run_training()
    for parameter, gradient in zip(made.model.parameters(), wanted, strict=True):
        assert parameter.grad is not None
        assert torch.linalg.vector_norm(parameter.grad - gradient) <= 1e-6 * torch.linalg.vector_norm(gradient)
    assert results["loss"] == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.parametrize(("strategy", "tp"), [("ddp", 1), ("fsdp", 1), ("ddp", 2)])
def test_sharded_parameters_are_not_gathered_after_an_error(strategy: str, tp: int, tmp_path: Path) -> None:
    """The other processes may have had no error, and would not take part: then the error names no stage. Otherwise the stages are tried."""
    made = trainer(LOSSES["mean"], 24, 1, tmp_path)
    failures = made.failures
    failures.ranks = replace(made.ranks, world=2)
    failures.engine = replace(made.engine, strategy=strategy, tp=tp)
    failures.raise_if_located(RuntimeError("read: Connection closed by peer [10.0.0.1]"), [], "the batch")  # that process says why it ended
    if (strategy, tp) == ("ddp", 1):
        failures.raise_if_located(ValueError("wrong"), [], "the batch")  # of no micro-batch, no stage fails
        return
    with pytest.raises(RefusedBatch) as caught:
        failures.raise_if_located(ValueError("wrong"), [], "the batch")
    assert [(d.code, d.message) for d in caught.value.diagnostics] == [("batch-refused", "the loss cannot be computed for the batch")]


def test_parts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    """The square root of a mean over a batch is not a sum over its parts."""
    from netc.errors import CompileError
    from tests.training.runs import SPEC, train

    spec = SPEC.replace("-> sum axis=1 -> mean", "-> sum axis=1 -> mean -> sqrt", 1).replace("loss = -", "loss = 1 - ")
    with pytest.raises(CompileError) as caught:
        train(tmp_path / "run", spec)
    assert [d.code for d in caught.value.diagnostics] == ["loss-not-mean"]
