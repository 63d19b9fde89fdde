"""The samples a second of an epoch of `netc train`, and of Lightning's `Trainer`, by turns in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

EPOCHS = {"mlp": 20, "resnet18": 1, "gpt": 1}
RUNS = 3
LIMIT = 1.05


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for network, epochs in EPOCHS.items():
        said = sandbox.ask((str(ROOT / "bench" / "epoch_loop.py"), network, str(epochs), str(RUNS)))
        found = json.loads(said)
        samples, pairs = found["samples"], found["pairs"]
        netc, peer = samples / median(ours for ours, _ in pairs), samples / median(theirs for _, theirs in pairs)
        figures = f"{netc:,.0f} samples/s, Lightning {peer:,.0f} samples/s"
        yield Row(f"epoch of netc train, {network}", figures, median(ours / theirs for ours, theirs in pairs), LIMIT)
