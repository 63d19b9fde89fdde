"""Several processes give what one gives: with gloo, on the CPU."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

SPEC = """
block layer(width) {
  in + (in -> layer_norm -> dense (2 * width) gelu -> dense width)
}
tokens = input [T] int64
scores = tokens -> embedding 50 16 -> repeat 3 as layers { layer 16 } -> layer_norm -> dense 50
train {
  target = input [T] int64
  loss = (scores -> transpose 1 2, target) -> cross_entropy ignore_index=-100
  metric accuracy = (scores -> argmax axis=2) == target -> cast float32 -> mean
  optimizer adamw lr=1e-2
  schedule warmup 5 -> cosine
  batch 16 accumulate=2
  epochs 4
  clip 1.0
  ema 0.9
  validate 0.25
}
"""
"""100 samples are 75 for training: 5 steps an epoch, the last of 11 samples: in parts of 6 and 5."""


def write_data(folder: Path, samples: int = 100, ignored: float = 0.4) -> None:
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 50, (samples, 6))
    target = np.where(generator.random((samples, 6)) < ignored, -100, (tokens * 3 + 1) % 50)
    np.savez(folder / "data.npz", tokens=tokens, target=target)
    (folder / "spec.net").write_text(SPEC)


def start(folder: Path, ranks: int, *words: str) -> list[subprocess.Popen[bytes]]:
    """`netc train` in this many processes, started as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    around = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(ranks)}
    command = [sys.executable, "-X", "faulthandler", "-m", "netc", "train", *words]  # a crash below Python says where it was
    return [
        subprocess.Popen(command, cwd=folder, env={**around, "RANK": str(r), "LOCAL_RANK": str(r)}, stdout=-1, stderr=-2)
        for r in range(ranks)
    ]


def train(folder: Path, ranks: int, *words: str, stopped_at: int | None = None) -> None:
    """The same to the end. One of them is asked to stop once there are this many lines of metrics."""
    processes = start(folder, ranks, *words)
    if stopped_at is not None:
        metrics = folder / words[words.index("-o") + 1] / "metrics.jsonl"
        while processes[0].poll() is None and (not metrics.exists() or metrics.read_text().count("\n") < stopped_at):
            time.sleep(0.001)
        processes[-1].send_signal(signal.SIGTERM)
    for process in processes:
        said, _ = process.communicate(timeout=600)
        assert process.returncode == (0 if stopped_at is None else 143), said.decode()


def begin(folder: Path, ranks: int, run: str, *words: str) -> Path:
    train(folder, ranks, "spec.net", "--data", "data.npz", "-o", run, *words)
    return folder / run


def assert_close(one: Path, other: Path, limit: float = 1e-6, weights: float = 1e-4) -> None:
    """Losses and metrics of all reports are equal to the limit, and the weights to rounding."""
    lines = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (one, other)]
    assert [entry["step"] for entry in lines[0]] == [entry["step"] for entry in lines[1]]
    for first, second in zip(*lines, strict=True):
        results = [entry.get("validation", entry) for entry in (first, second)]
        assert results[0].keys() == results[1].keys()
        for name, value in results[0].items():
            assert value == pytest.approx(results[1][name], abs=limit * max(1, abs(value))), (name, first["step"])
    first, second = (load_file(run / "last.safetensors") for run in (one, other))
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_allclose(value, second[key], rtol=0, atol=weights, err_msg=key)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec, data, and `one`: the run of one process."""
    made = tmp_path_factory.mktemp("ranks")
    write_data(made)
    begin(made, 1, "one")
    return made


@pytest.mark.long
def test_two_processes(folder: Path) -> None:
    assert_close(folder / "one", begin(folder, 2, "fsdp", "--strategy", "fsdp"))


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_more_processes(strategy: str, ranks: int, folder: Path) -> None:
    assert_close(folder / "one", begin(folder, ranks, f"{strategy}{ranks}", "--strategy", strategy))


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_parameters_that_the_optimizer_excludes(strategy: str, tmp_path: Path) -> None:
    """DDP waits for the gradients of all parameters that require one when it wraps the model."""
    (tmp_path / "spec.net").write_text(
        "x = input 4\nh = x -> dense 8 relu as stem -> dense 8 as first\ny = h -> dense 8 as online; z = h -> dense 8 as target; out y, z\n"
        "train { goal = input 8; loss = ((y, z) -> mse_loss) + ((y, goal) -> mse_loss); optimizer adam; steps 6; batch 8\n"
        'freeze "stem.*"; follow "target.*" "online.*" 0.5 every=2 }'
    )
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=generator.normal(size=(16, 4)), goal=generator.normal(size=(16, 8)))
    one = begin(tmp_path, 1, "one")
    assert_close(one, begin(tmp_path, 2, "two", "--strategy", strategy), weights=1e-6)


@pytest.mark.long
def test_compiled_and_shared(folder: Path) -> None:
    """`--compile` goes with FSDP: the blocks are gathered between what is compiled."""
    plain = begin(folder, 1, "plain", "--steps", "3")
    assert_close(plain, begin(folder, 2, "compiled", "--steps", "3", "--strategy", "fsdp", "--compile"), weights=1e-3)


@pytest.mark.thorough(3)
@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "ranks", "strategy"),
    [("fsdp", 1, None), ("ddp", 1, None), ("fsdp", 3, "fsdp"), ("fsdp", 2, "ddp"), ("ddp", 2, "fsdp"), (None, 2, "fsdp"), (None, 2, "ddp")],
)
def test_resumed_with_other_processes(first: str | None, ranks: int, strategy: str | None, folder: Path) -> None:
    """Two processes (or one) are stopped in the middle of an epoch, others go on."""
    run = folder / f"{first}-{strategy}{ranks}"
    words = ("--strategy", first) if first else ()
    train(folder, 2 if first else 1, "spec.net", "--data", "data.npz", "-o", run.name, *words, stopped_at=1)
    assert len((run / "metrics.jsonl").read_text().splitlines()) < 24
    train(folder, ranks, "--resume", run.name, *(("--strategy", strategy) if strategy else ()))
    assert_close(folder / "one", run)


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "ranks", "place", "refusals"),
    [
        ("--strategy ddp", 2, "`gather1`", 1),
        ("--strategy fsdp", 2, "the loss", 1),
        ("--tp 2", 2, "the loss", 2),
        ("--tp 2 --strategy fsdp", 4, "the loss", 2),
    ],
)
def test_a_batch_that_one_process_cannot_compute(tmp_path: Path, options: str, ranks: int, place: str, refusals: int) -> None:
    """The process with the wrong label says where it is, whichever it is, and no process reports an internal error. Processes that share
    layers have the same batch, and each says so: any of them may be the only one that fails."""
    section = "train { target = input 1 int64; loss = (scores, target) -> gather axis=1 -> mean; batch 6; epochs 1 }"
    (tmp_path / "pick.net").write_text(f"x = input 3\nscores = x -> dense 4 relu -> dense 3\n{section}")
    np.savez(tmp_path / "pick.npz", x=np.ones((6, 3), np.float32), target=np.array([[0], [1], [2], [0], [1], [7]]))
    processes = start(tmp_path, ranks, "pick.net", "--data", "pick.npz", "-o", "run", *options.split())
    texts = [process.communicate(timeout=600)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [1] * ranks, texts
    assert sum(f"error[batch-refused]: {place} cannot be computed for the batch of step 1" in text for text in texts) == refusals, texts
    assert sum("another process of the run has ended" in text for text in texts) == ranks - refusals, texts


@pytest.mark.long
def test_two_processes_stop_at_the_same_step(tmp_path: Path) -> None:
    write_data(tmp_path)
    (tmp_path / "spec.net").write_text(SPEC.replace("epochs 4", "epochs 40\n  stop patience=2 min_delta=0.05"))
    one, two = begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two", "--strategy", "ddp")
    steps = json.loads((one / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    assert 10 < steps < 200
    assert_close(one, two, 1e-4, 1e-2)


@pytest.mark.long
def test_measures_of_two_processes(tmp_path: Path) -> None:
    write_data(tmp_path, 90)
    measures = "measure f1; measure auroc; measure log_loss; measure top_k; keep best log_loss"
    text = SPEC.replace("(scores -> transpose 1 2, target) -> cross", "(scores -> reshape [-1, 50], target -> reshape [-1]) -> cross")
    (tmp_path / "spec.net").write_text(text.replace("epochs 4", f"epochs 3; {measures}"))
    one, two = begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two", "--strategy", "fsdp")
    entries = [json.loads(line) for line in (one / "metrics.jsonl").read_text().splitlines()]
    assert {"f1", "auroc", "log_loss", "top_5"} <= entries[-1]["validation"].keys()
    assert_close(one, two, 1e-5, 1e-4)


LARGE = """
tokens = input [T] int64
hidden = tokens -> embedding 50 16 as words -> dense 16 gelu
logits = hidden @ (words.weight -> transpose 0 1)
if training { out hidden } else { out logits }
train {
  target = input [T] int64
  loss = (hidden, words.weight, target) -> linear_cross_entropy
  optimizer adam lr=1e-2
  batch 16 accumulate=2
  epochs 2
}
"""


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_loss_that_computes_scores_in_chunks(strategy: str, tmp_path: Path) -> None:
    write_data(tmp_path, 40)
    (tmp_path / "spec.net").write_text(LARGE)
    assert_close(begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two", "--strategy", strategy))
