"""Nine networks as ONNX, written by netc and by torch.onnx.export, by turns in ONNX Runtime on the CPU, on one thread and two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from statistics import median

from bench.process import ROOT, Sandbox
from bench.result_table import Row

NETWORKS = ("gpt2", "bert", "llama", "vit_b_16", "swin_t", "convnext_tiny", "mobilenet_v2", "efficientnet_b0", "resnet50")
ROUNDS = 30
MEAN, EACH, LOAD, SIZE = 0.98, 1.02, 1.02, 1.0
"""The limits of the ratios of netc to PyTorch: of latency, the geometric mean and each; of the time to load, of
which the same file may need 0.015 more; of the size of the file."""


def measure(sandbox: Sandbox) -> Iterator[Row]:
    for threads in (1, 2):
        found: list[float] = []
        for network in NETWORKS:
            step = str(ROOT / "bench" / "latency_step.py")
            said = json.loads(sandbox.ask((step, network, str(threads), str(ROUNDS), str(ROOT / "specs"))))
            found.append(median(ours / theirs for ours, theirs in said["runs"]))
            yield _row(f"latency of {network}, {threads} threads", said["runs"], found[-1], EACH)
            if threads == 1:
                usual = [median(pair[which] for pair in said["loads"]) for which in (0, 1)]
                yield _row(f"loading {network}", said["loads"], usual[0] / usual[1], LOAD)
                ours, theirs = said["sizes"]
                yield Row(f"size of {network}", f"{ours / 1e6:.1f} MB, PyTorch {theirs / 1e6:.1f} MB", ours / theirs, SIZE)
        mean = prod(found) ** (1 / len(found))
        yield Row(f"latency, {threads} threads: geometric mean", f"{len(found)} networks", mean, MEAN)


def _row(what: str, pairs: list[list[float]], ratio: float, limit: float) -> Row:
    ours, theirs = (median(pair[which] for pair in pairs) for which in (0, 1))
    return Row(what, f"{ours * 1000:.1f} ms, PyTorch {theirs * 1000:.1f} ms", ratio, limit)
