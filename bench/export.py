"""The time to export to ONNX a deep model, and ResNet-50 with its weights: `netc compile`, and a script that builds the model in PyTorch
and exports it."""

from __future__ import annotations

from collections.abc import Iterator

from bench.process import ROOT, Figures, Sandbox
from bench.result_table import Row, middle, side_by_side

PEER = str(ROOT / "bench" / "peers" / "mlp_by_hand.py")
LIMITS = {100: 5.0, 1000: 80.0}
"""The required speed-up of netc for a number of layers."""
RUNS = 3
PUBLISHED = str(ROOT / "bench" / "peers" / "resnet50_by_hand.py")
SPEC = str(ROOT / "specs" / "vision" / "resnet.net")
WITH_WEIGHTS = 20.0


def measure(sandbox: Sandbox) -> Iterator[Row]:
    _side_by_side(sandbox, 1, 1)
    for layers, limit in LIMITS.items():
        yield _row(f"ONNX of an MLP of {layers} layers", _side_by_side(sandbox, layers, RUNS), limit)
    weights = sandbox.file("resnet50.safetensors")
    sandbox.run((PUBLISHED, "weights", weights))
    netc = ("-m", "netc", "compile", SPEC, "--model", "resnet50", "--weights", weights, "-o", sandbox.file("netc.onnx"))
    pairs = side_by_side(sandbox, netc, (PUBLISHED, weights, sandbox.file("peer.onnx")), RUNS)
    yield _row("ONNX of ResNet-50 with its weights", pairs, WITH_WEIGHTS)


def _row(what: str, pairs: list[tuple[Figures, Figures]], limit: float) -> Row:
    netc, peer = middle(pairs, lambda netc, peer: netc.wall), middle(pairs, lambda netc, peer: peer.wall)
    cpu = middle(pairs, lambda netc, peer: peer.cpu / netc.cpu)
    figures = f"{netc:.2f} s, torch.onnx.export {peer:.1f} s; CPU ratio {cpu:.0f}"
    return Row(what, figures, middle(pairs, lambda netc, peer: peer.wall / netc.wall), limit, at_least=True)


def _side_by_side(sandbox: Sandbox, layers: int, runs: int) -> list[tuple[Figures, Figures]]:
    spec = sandbox.write(f"mlp{layers}.net", f"input 64 -> repeat {layers} {{ dense 64 relu }}\n")
    netc = ("-m", "netc", "compile", spec, "-o", sandbox.file("netc.onnx"))
    return side_by_side(sandbox, netc, (PEER, str(layers), sandbox.file("peer.onnx")), runs)
