"""The time of the answers of the language service after a change: of a text that has been checked before, and of the same text alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

CHANGES = {
    "efficientnet, its model": ("specs/vision/efficientnet.net", "-> (dropout dropout", 0.5),
    "efficientnet, its largest block": ("specs/vision/efficientnet.net", "main = in", 0.8),
    "whisper, its model": ("specs/text/whisper.net", "sound = input", 0.8),
}
"""Where a text is changed, and the limit."""
STEPS = 15


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for what, (path, change, limit) in CHANGES.items():
        said = sandbox.ask((str(ROOT / "bench" / "editing_step.py"), str(ROOT / path), change, str(STEPS)))
        found: list[tuple[float, float]] = json.loads(said)
        own, peer = median(times[0] for times in found), median(times[1] for times in found)
        figures = f"{own * 1000:.0f} ms, alone {peer * 1000:.0f} ms"
        yield Row(f"answers after a change of {what}", figures, median(mine / alone for mine, alone in found), limit)
