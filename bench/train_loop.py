"""A process that measures itself: `python train_loop.py NETWORK STEPS RUNS` trains by `netc train`'s loop, and by a plain one.

In: a key of NETWORKS, the number of steps of a run, and the number of pairs of runs. Out: a line of JSON, for each pair the CPU seconds of
netc's run and of the plain loop's. Always: both start with the same weights, take batches of the same size in random order, have the same
optimizer and schedule, in one process on one thread; which of them is first alternates. Neither what comes before the first step nor
checkpoints are measured.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.data.data_source import ArraySource
from netc.training.loop import Trainer
from netc.training.objective import Objective
from netc.training.open_data import DataRequest
from netc.training.run_folder import RunFolder
from netc.training.training_session import RunRequest, prepare_training

BATCH = {"mlp": 64, "resnet18": 8, "gpt": 8}
SAMPLES = 4096
GPT = """
block layer(width) {
  h = in + (in -> layer_norm -> multihead_attention 4 causal=true as attention)
  h + (h -> layer_norm -> dense (4 * width) gelu -> dense width)
}
x = input [T] int64
scores = x -> embedding 256 128 -> repeat 4 as layers { layer 128 } -> layer_norm -> dense 256 -> transpose 1 2
"""


class Network(NamedTuple):
    """A model and its input by name, a reference with the same parameters in the same order (None: netc's own module), and the arrays of
    the data."""

    spec: str
    input: str
    reference: Callable[[], nn.Module] | None
    data: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


MLP = "x = input 64\nscores = x -> dense 128 relu -> dense 10\n"
RESNET = """
block basic(width, stride=1) {
  main = in -> conv width 3x3 stride=stride padding=1 bias=false -> batch_norm relu -> conv width 3x3 padding=1 bias=false -> batch_norm
  skip = in -> if stride != 1 or in.channels != width { (conv width 1x1 stride=stride bias=false -> batch_norm) as downsample }
  main + skip -> relu
}
x = input 3x64x64
scores = x -> conv 64 7x7 stride=2 padding=3 bias=false -> batch_norm relu -> max_pool 3 stride=2 padding=1
  -> basic 64 -> basic 64 -> basic 128 stride=2 -> basic 128 -> basic 256 stride=2 -> basic 256 -> basic 512 stride=2 -> basic 512
  -> global_avg_pool -> dense 10
"""
"""ResNet-18; its reference is netc's module, since torchvision's is measured by training_step.py."""


NETWORKS = {
    "mlp": Network(
        MLP,
        "x",
        lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)),
        lambda g: (g.normal(size=(SAMPLES, 64)).astype(np.float32), g.integers(0, 10, SAMPLES)),
    ),
    "resnet18": Network(
        RESNET,
        "x",
        None,
        lambda g: (g.normal(size=(256, 3, 64, 64)).astype(np.float32), g.integers(0, 10, 256)),
    ),
    "gpt": Network(GPT, "x", None, lambda g: (g.integers(0, 256, (512, 64)), g.integers(0, 256, (512, 64)))),
}


def main(name: str, steps: int, runs: int) -> None:
    torch.set_num_threads(1)
    network = NETWORKS[name]
    x, y = network.data(np.random.default_rng(0))
    text = spec_of(name, y, f"steps {steps}", "schedule cosine")
    pairs = []
    for turn in range(-1, runs):
        made = [netc_run(text, x, y), _plain(network, text, x, y, BATCH[name], steps)]
        seconds = [timed(made[0]), timed(made[1])] if turn % 2 else [timed(made[1]), timed(made[0])][::-1]
        if turn >= 0:
            pairs.append(seconds)
    print(json.dumps(pairs))


def spec_of(name: str, labels: np.ndarray, *settings: str) -> str:
    """The network with a train section."""
    lines = "\n  ".join(settings)
    return f"""{NETWORKS[name].spec}
train {{
  target = input {"[T]" if labels.ndim > 1 else "[]"} int64
  loss = (scores, target) -> cross_entropy
  optimizer adamw lr=1e-3 weight_decay=0.01
  batch {BATCH[name]}
  {lines}
}}
"""


def timed(run: Callable[[], None]) -> float:
    before = time.thread_time()
    run()
    return time.thread_time() - before


def objective_of(text: str, x: np.ndarray, y: np.ndarray) -> tuple[Objective, Callable[[str], Trainer]]:
    analysis = analyze_training(SourceFile("spec.net", text), Choice())
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    prepared = prepare_training(analysis.training, RunRequest(DataRequest(ArraySource({"x": x, "target": y}))))
    objective = Objective(prepared.training, prepared.means, seed=0, recipe=prepared.recipe)
    return objective, lambda folder: Trainer(objective, prepared.recipe, prepared.data, None, RunFolder(folder), lambda report: None)


def netc_run(text: str, x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    trainer = objective_of(text, x, y)[1](tempfile.mkdtemp(dir="."))
    trainer.save_checkpoint = lambda: None  # type: ignore[method-assign]
    return lambda: trainer.run_training() and None


def _plain(network: Network, text: str, x: np.ndarray, y: np.ndarray, batch: int, steps: int) -> Callable[[], None]:
    ours = objective_of(text, x, y)[0].model
    model = reference_of(network, ours)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return lambda: _plain_loop(model.train(), inputs, labels, optimizer, schedule, batch, steps)


def reference_of(network: Network, ours: nn.Module) -> nn.Module:
    """The model that a person writes, with the parameters of netc's."""
    if network.reference is None:
        return ours
    model = network.reference()
    model.load_state_dict(dict(zip(model.state_dict(), ours.state_dict().values(), strict=True)))
    return model


def _plain_loop(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    batch: int,
    steps: int,
) -> None:
    """What a person writes."""
    torch.manual_seed(0)
    step, total = 0, 0.0
    while step < steps:
        for indices in torch.randperm(len(inputs)).split(batch):
            loss = cross_entropy(model(inputs[indices]), labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            step += 1
            if step == steps:
                break


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
