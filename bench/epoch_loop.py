"""A process that measures itself: `python epoch_loop.py NETWORK EPOCHS RUNS` trains by `netc train`'s loop, and by Lightning's `Trainer`.

In: a key of NETWORKS, the number of epochs of a run, and the number of pairs of runs. Out: a line of JSON: the number of samples of a run,
and for each pair the CPU seconds of netc's run and of Lightning's. Always: both start with the same weights, and have the same data in
memory, batch size and optimizer, in one process on one thread; which of them is first alternates. Lightning reads a `TensorDataset` by a
`DataLoader` without workers, and logs the loss. Neither what comes before the first step nor checkpoints are measured.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from bench.train_loop import BATCH, NETWORKS, netc_run, objective_of, reference_of, spec_of, timed


class Module(lightning.LightningModule):
    """What a person writes. `seconds` are those between the first step and the last."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.seconds = 0.0

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        inputs, labels = batch
        loss = cross_entropy(self.model(inputs), labels)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01, fused=True)

    def on_train_start(self) -> None:
        self.seconds = -time.thread_time()

    def on_train_end(self) -> None:
        self.seconds += time.thread_time()


def main(name: str, epochs: int, runs: int) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    x, y = NETWORKS[name].data(np.random.default_rng(0))
    text = spec_of(name, y, f"epochs {epochs}")
    pairs = []
    for turn in range(-1, runs):
        measured: list[Callable[[], float]] = [lambda: timed(netc_run(text, x, y)), lambda: _lightning(name, text, x, y, epochs)]
        seconds = [one() for one in measured] if turn % 2 else [one() for one in measured[::-1]][::-1]
        if turn >= 0:
            pairs.append(seconds)
    print(json.dumps({"samples": epochs * len(y), "pairs": pairs}))


def _lightning(name: str, text: str, x: np.ndarray, y: np.ndarray, epochs: int) -> float:
    module = Module(reference_of(NETWORKS[name], objective_of(text, x, y)[0].model))
    loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), BATCH[name], shuffle=True)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader)
    return module.seconds


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
