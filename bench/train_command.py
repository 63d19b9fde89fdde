"""The time of a step of `netc train`, and of a loop that a person writes in plain PyTorch, by turns in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

STEPS = {"mlp": 2000, "resnet18": 12, "gpt": 60}
RUNS = 7
LIMIT = 1.05


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for network, steps in STEPS.items():
        said = sandbox.ask((str(ROOT / "bench" / "train_loop.py"), network, str(steps), str(RUNS)))
        pairs: list[tuple[float, float]] = json.loads(said)
        netc, peer = median(ours for ours, _ in pairs) / steps, median(theirs for _, theirs in pairs) / steps
        figures = f"{netc * 1000:.2f} ms, plain loop {peer * 1000:.2f} ms"
        yield Row(f"step of netc train, {network}", figures, median(ours / theirs for ours, theirs in pairs), LIMIT)
