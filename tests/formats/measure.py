"""Measures the small models of the zoo in one format: `python -m tests.formats.measure litert`, which `make formats` runs.

Out: for each model in `measured.json`, the largest difference from the PyTorch module in units of the largest value, `null` where no
runtime here can run the file, or the reason why there is no file. docs/formats.md is made from it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netc
from netc.compiler.backends.backend_registry import get_or_raise
from netc.errors import CompileError
from tests.formats.vendor_runtimes import RUNTIMES
from tests.parity import arguments, flattened, inputs_for, sizes_of, tensor
from tests.zoo.small import SMALL, SPECS, Small

MEASURED = Path(__file__).parent / "measured.json"
SEED = 3
PACKAGES = {
    "executorch": ("executorch", "torchao"),
    "litert": ("litert-torch", "ai-edge-litert"),
    "coreml": ("coremltools",),
}


def read_measured() -> dict[str, Any]:
    """Return the `versions` of the packages by format, and what was found for the `models`, by name and format."""
    found: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {"versions": {}, "models": {}}
    return found


def compile_fixed(small: Small) -> tuple[netc.Model, dict[str, int]]:
    """Compile a model with integers for all sizes, and a batch of two."""
    model = small.compiled()
    sizes = {**sizes_of(model, {name: (size, size) for name, size in small.sizes.items()})[1], "N": 2}
    dims = {name: sizes[name] for name in model.program.symbols if name in sizes}
    return netc.compile_file(SPECS / small.spec, model=small.model, params=dict(small.params), dims=dims), sizes


def measure_model(small: Small, name: str, folder: Path) -> dict[str, Any]:
    model, sizes = compile_fixed(small)
    path = folder / f"model{get_or_raise(name).suffix}"
    try:
        model.save(path, seed=SEED)
    except CompileError as error:
        return {"refused": error.diagnostics[0].message}
    if name not in RUNTIMES:
        return {"difference": None}
    arrays = inputs_for(model, sizes, limits=small.below)
    inputs = {port: tensor(arrays[port], type_) for port, type_ in model.inputs.items()}
    module = model.module(seed=SEED).eval()
    with torch.no_grad():
        wanted = [value.numpy() for value in flattened(module(*arguments(model, list(inputs.values()))))]
    found = RUNTIMES[name](path, inputs, list(model.outputs))
    return {"difference": float(f"{max(difference(one, other) for one, other in zip(found, wanted, strict=True)):.1e}")}


def difference(found: np.ndarray, wanted: np.ndarray) -> float:  # type: ignore[type-arg]
    """The largest difference in units of the largest value. Infinite, if one has NaN or infinities where the other has none."""
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype, (found.dtype, wanted.dtype)
    left, right = found.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(right)
    if not np.array_equal(left[~finite], right[~finite], equal_nan=True) or not np.isfinite(left[finite]).all():
        return float("inf")
    scale = max(float(np.abs(right[finite]).max(initial=0.0)), 1e-30)
    return float(np.abs(left[finite] - right[finite]).max(initial=0.0)) / scale


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=list(PACKAGES))
    parser.add_argument("--models", nargs="*", default=list(SMALL))
    asked = parser.parse_args(words)
    warnings.simplefilter("ignore")
    measured = read_measured()
    packages = ("torch", *PACKAGES[asked.format])
    measured["versions"][asked.format] = {package: version(package).partition("+")[0] for package in packages}
    for title in asked.models:
        with tempfile.TemporaryDirectory() as folder:
            result = measure_model(SMALL[title], asked.format, Path(folder))
        measured["models"].setdefault(title, {})[asked.format] = result
        print(title, result, file=sys.stderr, flush=True)
        MEASURED.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
