"""The time of a forward step of Mamba, whose `scan` is a loop: netc's module and ONNX Runtime, and the loop of transformers, by turns
in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

LENGTHS = {1: 100, 16: 60, 128: 20, 512: 6, 2048: 4}
"""By the number of tokens, the number of steps that are measured."""
LIMIT = 1.5


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for length, steps in LENGTHS.items():
        said = sandbox.ask((str(ROOT / "bench" / "scan_step.py"), str(length), str(steps), str(ROOT / "specs")))
        found: list[tuple[float, float, float]] = json.loads(said)
        peer = median(times[2] for times in found)
        for index, what in enumerate(("module", "ONNX Runtime")):
            own = median(times[index] for times in found)
            figures = f"{own * 1000:.1f} ms, reference {peer * 1000:.1f} ms"
            ratio = median(times[index] / times[2] for times in found)
            yield Row(f"{what}, Mamba on {length} {'token' if length == 1 else 'tokens'}", figures, ratio, LIMIT)
