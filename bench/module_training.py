"""The time of a training step: netc's module, the reference of the same network and a copy of that, by turns in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import mean, median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

ROUNDS = {"resnet18": 16, "swin_t": 8, "llama": 40, "mlp": 100}
LIMIT = 1.005
"""As long, within what a copy of the reference differs from it by."""


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for network, rounds in ROUNDS.items():
        said = sandbox.ask((str(ROOT / "bench" / "training_step.py"), network, str(rounds), str(ROOT / "specs")))
        turns: list[tuple[float, float, float]] = json.loads(said)
        netc, peer = median(ours for ours, _, _ in turns), median(theirs for _, theirs, _ in turns)
        control = interquartile_mean([same / theirs for _, theirs, same in turns])
        figures = f"{netc * 1000:.1f} ms, reference {peer * 1000:.1f} ms; the reference against itself {control:.3f}"
        yield Row(f"training step of {network}", figures, interquartile_mean([ours / theirs for ours, theirs, _ in turns]), LIMIT)


def interquartile_mean(values: list[float]) -> float:
    """The mean of the half in the middle: as robust as the median, and with three quarters of its variance where nothing disturbs."""
    outer = len(values) // 4
    return mean(sorted(values)[outer : len(values) - outer])
