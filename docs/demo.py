"""`make demo`: the tutorial's network, from its text to numbers, twice.

Checks and compiles specs/seed/mlp.net by the command line, then runs it in PyTorch and in ONNX Runtime with the same parameters.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import netc

ROOT = Path(__file__).resolve().parent.parent
SPEC = "specs/seed/mlp.net"
SEED = 7


def main() -> None:
    print(f"{SPEC}:\n")
    print((ROOT / SPEC).read_text())
    command("check", "--shapes", SPEC)
    with tempfile.TemporaryDirectory() as folder:
        command("compile", SPEC, "--seed", str(SEED), "-o", str(Path(folder, "mlp.onnx")))
    command("compile", SPEC, "--target", "torch")
    compare(netc.compile_file(ROOT / SPEC))


def command(*words: str) -> None:
    """Runs netc as a command."""
    print("$ netc", *words, flush=True)
    subprocess.run([sys.executable, "-m", "netc", *words], cwd=ROOT, check=True)
    print(flush=True)


def compare(model: netc.Model) -> None:
    """Feeds four random samples to both."""
    generator = np.random.default_rng(SEED)
    arrays = [generator.standard_normal((4, *type.shape[1:]), dtype=np.float32) for type in model.inputs.values()]
    with torch.no_grad():
        from_torch = model.module(seed=SEED).eval()(*map(torch.from_numpy, arrays)).numpy()
    from_onnx = model.session(seed=SEED)(*arrays)
    difference = float(np.abs(from_torch - from_onnx).max())
    print("PyTorch:     ", from_torch.ravel())
    print("ONNX Runtime:", from_onnx.ravel())
    print("difference:  ", difference)
    assert difference < 1e-5


main()
