"""The time of a training step: netc's module and the reference of the same network, by turns in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from bench.process import ROOT, Sandbox
from bench.table import Row

STEPS = {"resnet18": 40, "swin_t": 40, "llama": 100, "mlp": 200}
LIMIT = 1.0


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for network, steps in STEPS.items():
        said = sandbox.ask((str(ROOT / "bench" / "training_step.py"), network, str(steps), str(ROOT / "specs")))
        pairs: list[tuple[float, float]] = json.loads(said)
        netc, peer = median(ours for ours, _ in pairs), median(theirs for _, theirs in pairs)
        figures = f"{netc * 1000:.1f} ms, reference {peer * 1000:.1f} ms"
        yield Row(f"training step of {network}", figures, median(ours / theirs for ours, theirs in pairs), LIMIT)
