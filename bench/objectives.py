"""The time and the memory of a step of an objective: the training file that netc prints, and a plain loop that a person writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from bench.module_training import interquartile_mean
from bench.process import ROOT, Sandbox
from bench.result_table import Row

ROUNDS = 24
LIMIT = 1.05


def measure(sandbox: Sandbox) -> Iterator[Row]:
    specs = ROOT / "specs" / "training"
    for objective in sorted(path.stem for path in specs.glob("*.net")):
        said = sandbox.ask((str(ROOT / "bench" / "objective_step.py"), objective, str(ROUNDS), str(specs)))
        result = json.loads(said)
        turns: list[tuple[float, float]] = result["turns"]
        netc, peer = (median(turn[side] for turn in turns) for side in (0, 1))
        figures = f"{netc * 1000:.2f} ms, plain loop {peer * 1000:.2f} ms"
        yield Row(f"step of {objective}", figures, interquartile_mean([ours / theirs for ours, theirs in turns]), LIMIT)
        ours, theirs = result["peaks"]
        yield Row(f"memory of {objective}", f"{ours / 2**20:.1f} MB, plain loop {theirs / 2**20:.1f} MB", ours / theirs, LIMIT)
