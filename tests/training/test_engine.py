"""Precision, compiled models and recomputed activations: the same function, or near it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import netc
from netc.cli import cli
from netc.compiler.errors.run_errors import RunError
from netc.training.parallel import recompute_activations
from netc.training.repeated_blocks import find_repeated_blocks
from tests.training.runs import resume, train

BLOCKS = """
block layer(width) { in + (in -> layer_norm -> dense (2 * width) gelu -> dropout 0.2 -> dense width) }
features = input 6
scores = features -> dense 8 -> repeat 3 as layers { layer 8 } -> dense 3
train {
  target = input [] int64
  loss = (scores, target) -> cross_entropy
  batch 16 accumulate=2
  epochs 2
}
"""


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    folder = tmp_path_factory.mktemp("engine") / "run"
    train(folder, BLOCKS)
    return losses(folder)


def test_recomputed_activations_change_nothing(usual: list[float], tmp_path: Path) -> None:
    train(tmp_path / "run", BLOCKS, checkpoint_activations=True)
    assert losses(tmp_path / "run") == usual


def test_recomputed_activations_are_not_kept() -> None:
    """The tensors that the backward pass keeps, with and without."""
    model = netc.compile("input 16 -> repeat 4 as layers { (dense 64 gelu -> dense 64 gelu -> dense 16) } -> dense 2")

    def kept(module: nn.Module) -> int:
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            module(torch.randn(8, 16)).sum()
        return sum(sizes)

    plain, saving = model.module(seed=0), model.module(seed=0)
    assert recompute_activations(saving) == []
    assert kept(saving) < kept(plain) / 2
    assert plain.state_dict().keys() == saving.state_dict().keys()


def test_activations_of_batch_norm_are_kept() -> None:
    module = netc.compile("input 8 -> repeat 2 { dense 8 -> batch_norm relu } -> dense 2").module()
    assert recompute_activations(module) == ["the activations of 2 blocks with batch_norm are kept"]
    assert recompute_activations(nn.Linear(2, 2)) == ["no block of the model repeats: all activations are kept"]


def test_blocks_that_repeat() -> None:
    module = netc.compile(BLOCKS.partition("train")[0]).module()
    assert find_repeated_blocks(module) == [module.get_submodule(f"layers.{i}") for i in range(3)]
    chain = netc.compile("input 4 -> dense 8 relu -> dense 4").module()
    assert find_repeated_blocks(chain) == []


@pytest.mark.parametrize(("precision", "limit"), [("bf16", 0.05), ("fp16", 0.01)])
def test_precision(precision: str, limit: float, usual: list[float], tmp_path: Path) -> None:
    """Near the losses of float32, and not equal to them; parameters are float32."""
    from safetensors.torch import load_file

    train(tmp_path / "run", BLOCKS, precision=precision)
    found = losses(tmp_path / "run")
    assert found != usual
    assert found == pytest.approx(usual, abs=limit)
    assert {t.dtype for t in load_file(tmp_path / "run" / "last.safetensors").values()} == {torch.float32}


def test_scaled_losses_are_resumed(tmp_path: Path) -> None:
    """The scale of fp16 is in the checkpoint."""
    from netc.training.stop_signals import Interrupted
    from tests.training.test_resume import assert_same_run, stopping_at

    train(tmp_path / "whole", BLOCKS, precision="fp16")
    with pytest.raises(Interrupted):
        train(tmp_path / "run", BLOCKS, precision="fp16", on_report=stopping_at(4))
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.long
def test_compiled(usual: list[float], tmp_path: Path) -> None:
    plain = BLOCKS.replace(" -> dropout 0.2", "")
    train(tmp_path / "plain", plain)
    train(tmp_path / "compiled", plain, compile=True)
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "plain"), rel=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        train(tmp_path / "run", BLOCKS, device="cuda")
    assert caught.value.problem.code == "no-device"
    assert not (tmp_path / "run").exists()


def test_settings_of_the_run_stay(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["train", "--resume", str(tmp_path), "--batch", "3"], prog_name="netc")
    assert done.exit_code == 2
    assert "`--resume` continues a run with its own `--batch`, and cannot change it" in done.stderr
