"""The time of a training step in JAX: netc's Flax module, and a module that a person writes with flax's own layers, by turns. And the time
to compile 32 layers that are scanned, against 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from statistics import median

from bench.module_training import interquartile_mean
from bench.process import ROOT, Sandbox
from bench.result_table import Row

ROUNDS = {"mlp": 200, "resnet18": 30}
LIMIT = 1.05
COMPILATIONS, DEEPER_LIMIT = 7, 1.5


def measure(sandbox: Sandbox) -> Iterator[Row]:
    """Nothing where flax is not installed."""
    if find_spec("flax") is None or find_spec("optax") is None:
        return
    for network, rounds in ROUNDS.items():
        said = sandbox.ask((str(ROOT / "bench" / "flax_step.py"), network, str(rounds), str(ROOT / "specs")))
        turns: list[tuple[float, float, float]] = json.loads(said)
        ours, peer, in_torch = (median(turn[side] for turn in turns) * 1000 for side in range(3))
        figures = f"{ours:.2f} ms, by hand {peer:.2f} ms; PyTorch {in_torch:.2f} ms"
        yield Row(f"Flax step of {network}", figures, interquartile_mean([turn[0] / turn[1] for turn in turns]), LIMIT)
    said = sandbox.ask((str(ROOT / "bench" / "flax_depth_step.py"), str(COMPILATIONS), str(ROOT / "specs")))
    pairs: list[tuple[float, float]] = json.loads(said)
    shallow, deep = (median(pair[side] for pair in pairs) for side in range(2))
    figures = f"32 layers {deep:.2f} s, 2 layers {shallow:.2f} s"
    yield Row("Flax compilation with --scan-layers", figures, median(pair[1] / pair[0] for pair in pairs), DEEPER_LIMIT)
