"""`make demo`: check, compile and run a network, and say what happens at each step. It needs no package beyond netc's own dependencies.

It checks specs/seed/mlp.net, shows the error of a network with a mistake, compiles to PyTorch source and to ONNX, and then runs the
network in PyTorch and in ONNX Runtime with the same parameters.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = "specs/seed/mlp.net"
MISTAKE = "x = input 3; h = x -> dense 4 relu; h + x"
STEPS = 5
SEED = 7


def main() -> None:
    show_step(1, f"The network, {SPEC}")
    print((ROOT / SPEC).read_text(), flush=True)
    show_step(2, "Check it: netc infers every shape without running the network")
    run_command("check", "--shapes", SPEC)
    show_step(3, "A mistake: netc shows where both shapes come from")
    run_command("check", "-e", MISTAKE, status=1)
    show_step(4, "Compile it to PyTorch source, and to an ONNX file")
    run_command("compile", SPEC, "--target", "torch")
    with tempfile.TemporaryDirectory() as folder:
        run_command("compile", SPEC, "--seed", str(SEED), "-o", str(Path(folder, "mlp.onnx")))
    show_step(5, "Run it in PyTorch and in ONNX Runtime, with the same parameters and inputs (loading both takes seconds)")
    compare_outputs()
    print("\nThe command is `.venv/bin/netc`. Continue with docs/tutorial.md, or run `.venv/bin/netc new moons` to start a project.")


def show_step(number: int, title: str) -> None:
    print(f"[{number}/{STEPS}] {title}\n", flush=True)


def run_command(*words: str, status: int = 0) -> None:
    """Run netc as a command in the repository. Its exit status must be `status`."""
    print("$ netc", *(f"'{word}'" if " " in word else word for word in words), flush=True)
    done = subprocess.run([sys.executable, "-m", "netc", *words], cwd=ROOT, check=False)
    print(flush=True)
    if done.returncode != status:
        sys.exit(f"`netc {words[0]}` ended with exit status {done.returncode} instead of {status}")


def compare_outputs() -> None:
    """Give four random samples to both, and print the results and the largest difference."""
    import numpy as np
    import torch

    import netc

    model = netc.compile_file(ROOT / SPEC)
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


if __name__ == "__main__":
    main()
