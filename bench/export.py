"""How long a deep model takes to become ONNX: `netc compile`, beside a script that makes the model in PyTorch and exports it."""

from __future__ import annotations

from collections.abc import Iterator

from bench.process import ROOT, Figures, Place
from bench.table import Row, beside, middle

PEER = str(ROOT / "bench" / "peers" / "mlp_by_hand.py")
LIMITS = {100: 5.0, 1000: 25.0}
"""By the number of layers: how many times faster netc has to be."""
RUNS = 3


def measure(place: Place) -> Iterator[Row]:
    _beside(place, 1, 1)
    for layers, limit in LIMITS.items():
        pairs = _beside(place, layers, RUNS)
        netc, peer = middle(pairs, lambda netc, peer: netc.wall), middle(pairs, lambda netc, peer: peer.wall)
        cpu = middle(pairs, lambda netc, peer: peer.cpu / netc.cpu)
        figures = f"{netc:.2f} s, torch.onnx.export {peer:.1f} s; CPU ratio {cpu:.0f}"
        times = middle(pairs, lambda netc, peer: peer.wall / netc.wall)
        yield Row(f"ONNX of an MLP of {layers} layers", figures, times, limit, at_least=True)


def _beside(place: Place, layers: int, runs: int) -> list[tuple[Figures, Figures]]:
    spec = place.write(f"mlp{layers}.net", f"input 64 -> repeat {layers} {{ dense 64 relu }}\n")
    netc = ("-m", "netc", "compile", spec, "-o", place.file("netc.onnx"))
    return beside(place, netc, (PEER, str(layers), place.file("peer.onnx")), runs)
