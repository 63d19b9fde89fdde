"""The growth of costs with depth: a pipeline of stages written one by one, and one of repeated stages.

A stage is `dense 8 relu`, which is two operators. The figures are the process's own (see own.py): what a pipeline costs above one of a
single stage, in seconds of the processor and in peak memory, by stage. The ratio compares the largest pipeline with the smallest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

OWN = str(ROOT / "bench" / "own.py")
TIME, MEMORY = 1.2, 1.5
"""The limits."""
SMALL, MEDIUM, LARGE = 1_000, 10_000, 100_000
ROUND = (SMALL, SMALL, MEDIUM, LARGE, SMALL)
"""The sizes in the order of running: the small ones, which are most sensitive to load, before and after the large one."""
ROUNDS = 3
COMMANDS = {"check": ("check",), "PyTorch": ("compile", "--target", "torch", "-o"), "ONNX": ("compile", "--target", "onnx", "-o")}


def _written(stages: int) -> str:
    return "input 8\n" + "-> dense 8 relu -> dense 8 relu\n" * (stages // 2) + "-> dense 8 relu\n" * (stages % 2)


def _repeated(stages: int) -> str:
    return (
        f"input 8 -> repeat {stages // 2} {{ dense 8 relu -> dense 8 relu }}\n" if stages > 1 else "input 8 -> repeat 1 { dense 8 relu }\n"
    )


PIPELINES: dict[str, Callable[[int], str]] = {"written": _written, "repeated": _repeated}

Reported = dict[int, list[dict[str, float]]]
"""The measurements by number of stages, as reported by the processes."""


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for kind, text in PIPELINES.items():
        single = sandbox.write(f"{kind}1.net", text(1))
        specs = {stages: sandbox.write(f"{kind}{stages}.net", text(stages)) for stages in set(ROUND)}
        for command, words in COMMANDS.items():
            ending = (sandbox.file("out"),) if words[-1] == "-o" else ()
            reported: Reported = {SMALL: [], MEDIUM: [], LARGE: []}
            for stages in ROUND * ROUNDS:
                said = sandbox.ask([OWN, single, specs[stages], *words, *ending])
                reported[stages].append(json.loads(said))
            yield _row(f"{command}, {kind}: time", "µs", reported, "seconds", 1e6, TIME)
            yield _row(f"{command}, {kind}: memory", "bytes", reported, "bytes", 1, MEMORY)


def _row(what: str, unit: str, reported: Reported, figure: str, scale: float, limit: float) -> Row:
    each = {stages: median(one[figure] for one in all_) * scale / stages for stages, all_ in reported.items()}
    figures = ", ".join(f"{value:.0f}" for value in each.values())
    return Row(what, f"{unit} a stage: {figures}", each[LARGE] / each[SMALL], limit)
