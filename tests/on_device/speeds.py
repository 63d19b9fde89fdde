"""Speeds on a device: `netc bench` of four networks in three element types, against PyTorch.

In: a device. Out: a row for each network and type: ratios of latencies to netc's, above 1 where the other one takes longer; or why there
is none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netc.dsl.record import Record

SPECS = Path(__file__).parents[2] / "specs"
AGAINST = ("torch", "torch.compile", "torch.onnx.export")
DTYPES = ("float32", "float16", "bfloat16")


class Network(Record):
    """A model of a file with the sizes that are measured; `stream`: one token after `P` others, of the model that streams along it."""

    name: str
    spec: str
    words: tuple[str, ...]
    sizes: tuple[str, ...]
    stream: str | None = None


NETWORKS = (
    Network("ResNet-50", "vision/resnet.net", ("--model", "resnet50"), ("N=8", "H=224", "W=224")),
    Network("ViT-B/16", "vision/vit.net", ("--model", "vit_b_16"), ("N=8",)),
    Network("GPT-2", "text/gpt2.net", ("--model", "gpt2"), ("N=1", "T=512")),
    Network(
        "Llama, a token",
        "text/llama.net",
        ("--model", "network", *(w for s in ("width=2048", "depth=8", "heads=16", "shared_heads=16", "hidden=5632") for w in ("--set", s))),
        ("N=1", "T=1", "P=512"),
        "T",
    ),
)


class Speed(Record):
    """`ratios` are by the words of --against. `latency` is netc's, in seconds."""

    network: str
    dtype: str
    latency: float | None
    ratios: dict[str, float]
    missing: str


def speeds(device: str, folder: Path, networks: tuple[Network, ...] = NETWORKS, dtypes: tuple[str, ...] = DTYPES) -> Iterator[Speed]:
    """Measures each; in each type."""
    for network in networks:
        for dtype in dtypes:
            yield _speed(network, dtype, device, folder)


def _speed(network: Network, dtype: str, device: str, folder: Path) -> Speed:
    source = [str(SPECS / network.spec), *network.words, "--dtype", dtype]
    if network.stream is not None:
        step = str(folder / "step.onnx")
        made = _netc("compile", *source, "--stream", network.stream, "--seed", "0", "-o", step)
        if made.returncode:
            return Speed(network.name, dtype, None, {}, _said(made))
        source = [step]
    sizes = [word for size in network.sizes for word in ("--dim", size)]
    against = [word for one in AGAINST for word in ("--against", one)]
    done = _netc("bench", *source, *sizes, "--device", device, *against, "--json")
    if done.returncode:  # one of them does not run: netc alone
        missing = _said(done)
        done = _netc("bench", *source, *sizes, "--device", device, "--json")
        if done.returncode:
            return Speed(network.name, dtype, None, {}, _said(done))
        return Speed(network.name, dtype, json.loads(done.stdout)["contenders"][0]["latency"], {}, missing)
    own, *others = json.loads(done.stdout)["contenders"]
    return Speed(network.name, dtype, own["latency"], {name: one["ratio"] for name, one in zip(AGAINST, others, strict=True)}, "")


def _netc(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "netc", *words], capture_output=True, text=True, check=False)


def _said(done: subprocess.CompletedProcess[Any]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith(("error", "Error"))]
    return (lines or done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1].removeprefix("error: ")[:200]
