"""The tests at the lowest and the newest version of everything, on the oldest and the newest Python of this machine (`make matrix`).

In: names of cells, such as `lowest-3.11`; none for all four. Out: a line for each; failure if one fails. Always: each cell has a new
environment, as a new machine would, which is removed afterwards: one with PyTorch for CUDA takes 6 GB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.lowest import ROOT, constraints, project
from tests.matrix.pythons import ends

LIBRARIES = ("torch", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime")
HELD = "import importlib.metadata as m, sys; print(*(f'{d.name} {d.version}' for d in m.distributions() if d.name in sys.argv))"


def main(wanted: Sequence[str]) -> int:
    table = project()
    pythons = {f"{v.major}.{v.minor}": path for v, path in ends(table["requires-python"]).items()}
    cells = {f"{level}-{version}": (level, path) for level in ("lowest", "newest") for version, path in pythons.items()}
    unknown = [name for name in wanted if name not in cells]
    if unknown:
        print(f"no such cell: {', '.join(unknown)}; there are {', '.join(cells)}")
        return 2
    results = {name: _run(name, *cells[name]) for name in wanted or cells}
    print("\n".join(f"{name}: {result}" for name, result in results.items()))
    return int(any(result.startswith("failed") for result in results.values()))


def _run(name: str, level: str, python: Path) -> str:
    """What came of it, with the versions it was tried with."""
    print(f"{name}: installing", flush=True)
    with tempfile.TemporaryDirectory(prefix=".matrix-", dir=ROOT) as folder:
        home = Path(folder)
        limits = home / "constraints.txt"
        limits.write_text("\n".join(constraints(project()) if level == "lowest" else ()), encoding="utf-8")
        subprocess.run([python, "-m", "venv", home / "venv"], check=True)
        own = home / "venv" / "bin" / "python"
        install = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", limits, "--editable", ".[dev]"]
        if subprocess.run(install, cwd=ROOT, check=False).returncode:
            return "failed to install"
        versions = subprocess.run([own, "-c", HELD, *LIBRARIES], capture_output=True, text=True, check=True).stdout.strip()
        print(f"{name}: testing with {versions}", flush=True)
        failed = subprocess.run([own, "-m", "pytest", "-p", "no:cacheprovider"], cwd=ROOT, check=False).returncode
    return f"{'failed' if failed else 'passed'} with {versions}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
