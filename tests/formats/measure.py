"""Measure the small models of the zoo in one format: `python -m tests.formats.measure litert results.json`.

Out: for each model, the largest difference from the PyTorch module in units of the largest value, `converts` where no runtime can judge, or
the reason why there is no file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

import netc
from netc.compiler.backends.backend_registry import get_or_raise
from netc.errors import CompileError
from tests.formats.vendor_runtimes import RUNTIMES
from tests.parity import arguments, flattened, inputs_for, sizes_of, tensor
from tests.zoo.small import SMALL, SPECS, Small

SEED = 3


def compile_fixed(small: Small) -> tuple[netc.Model, dict[str, int]]:
    """Compile a model with integers for all sizes, and a batch of two."""
    model = small.compiled()
    sizes = {**sizes_of(model, {name: (size, size) for name, size in small.sizes.items()})[1], "N": 2}
    dims = {name: sizes[name] for name in model.program.symbols if name in sizes}
    return netc.compile_file(SPECS / small.spec, model=small.model, params=dict(small.params), dims=dims), sizes


def measure_model(small: Small, name: str, folder: Path) -> float | str:
    model, sizes = compile_fixed(small)
    path = folder / f"model{get_or_raise(name).suffix}"
    try:
        model.save(path, seed=SEED)
    except CompileError as error:
        return str(error.diagnostics[0].message)
    if name not in RUNTIMES:
        return "converts"
    arrays = inputs_for(model, sizes, limits=small.below)
    inputs = {port: tensor(arrays[port], type_) for port, type_ in model.inputs.items()}
    module = model.module(seed=SEED).eval()
    with torch.no_grad():
        wanted = [value.numpy() for value in flattened(module(*arguments(model, list(inputs.values()))))]
    found = RUNTIMES[name](path, inputs, list(model.outputs))
    return max(difference(one, other) for one, other in zip(found, wanted, strict=True))


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


def main(name: str, output: str, *only: str) -> None:
    warnings.simplefilter("ignore")
    found: dict[str, float | str] = {}
    for title, small in SMALL.items():
        if only and title not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                found[title] = measure_model(small, name, Path(folder))
            except Exception as error:  # a row of the table, not the end of the run
                found[title] = f"error: {type(error).__name__}: {error}"
        print(title, found[title], flush=True)
        Path(output).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
