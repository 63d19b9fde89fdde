"""How cost grows with depth: a pipeline of written stages, and one of repeated stages.

A stage is `dense 8 relu`, which is two operators. The figures are the process's own (see own.py): what a pipeline costs above one of a
single stage, in seconds of the processor and in peak memory, by stage. The ratio is that of the largest pipeline to the smallest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

from .process import ROOT, Place
from .table import Row

OWN = str(ROOT / "bench" / "own.py")
LIMIT = 1.5
RUNS = {1_000: 9, 10_000: 3, 100_000: 1}
"""Sizes of the pipelines, and how often each is measured."""
COMMANDS = {"check": ("check",), "PyTorch": ("compile", "--target", "torch", "-o"), "ONNX": ("compile", "--target", "onnx", "-o")}


def _written(stages: int) -> str:
    return "input 8\n" + "-> dense 8 relu\n" * stages


def _repeated(stages: int) -> str:
    return f"input 8 -> repeat {stages} {{ dense 8 relu }}\n"


PIPELINES: dict[str, Callable[[int], str]] = {"written": _written, "repeated": _repeated}


class Cost(NamedTuple):
    """Of one stage: microseconds, bytes."""

    time: float
    memory: float


def measure(place: Place) -> Iterator[Row]:
    for kind, text in PIPELINES.items():
        single = place.write(f"{kind}1.net", text(1))
        specs = {stages: place.write(f"{kind}{stages}.net", text(stages)) for stages in RUNS}
        for command, words in COMMANDS.items():
            ending = (place.file("out"),) if words[-1] == "-o" else ()
            cost = {n: _cost(place, [OWN, single, specs[n], *words, *ending], n, RUNS[n]) for n in RUNS}
            yield _row(f"{command}, {kind}: time", "µs", {n: c.time for n, c in cost.items()})
            yield _row(f"{command}, {kind}: memory", "bytes", {n: c.memory for n, c in cost.items()})


def _cost(place: Place, words: list[str], stages: int, runs: int) -> Cost:
    told = [json.loads(place.ask(words)) for _ in range(runs)]
    return Cost(median(t["seconds"] for t in told) * 1e6 / stages, median(t["bytes"] for t in told) / stages)


def _row(what: str, unit: str, by_size: dict[int, float]) -> Row:
    figures = ", ".join(f"{value:.0f}" for value in by_size.values())
    smallest, largest = min(by_size), max(by_size)
    return Row(what, f"{unit} a stage: {figures}", by_size[largest] / by_size[smallest], LIMIT)
