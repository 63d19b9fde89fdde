"""The judge of imported ONNX files: ONNX Runtime on the file itself, against the module and the session of what was imported.

In: a model, or a file. Out: nothing, or an AssertionError. Sizes of symbolic axes are two for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

import netc
from netc.compiler.dims import evaluate_dim, free_symbols
from netc.compiler.frontends.imported_model import Imported
from netc.compiler.frontends.onnx import from_file, from_model
from netc.compiler.ir.verify import verify_program

Arrays = Mapping[str, Any]
FIRST, SECOND = (4, 7, 32, 64, 96, 128, 224), (7, 4, 64, 32, 128, 96, 256)
_BATCHES = (2, 3)


def session(model: onnx.ModelProto | Path) -> onnxruntime.InferenceSession:
    """The original in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    given = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def imported(model: onnx.ModelProto | Path, **options: Any) -> Imported:
    made = from_model(model, **options) if isinstance(model, onnx.ModelProto) else from_file(model, **options)
    verify_program(made.program)
    return made


def sizes_for(made: Imported, sizes: Mapping[str, Sequence[int]]) -> list[dict[str, int]]:
    """Two sizes of each symbol, those given or the first that its dimensions allow."""
    found: list[dict[str, int]] = []
    for index in range(2):
        env: dict[str, int] = {}
        for name in made.program.symbols:
            env[name] = sizes[name][index] if name in sizes else _BATCHES[index] if name == "N" else _allowed(made, name, index)
        found.append(env)
    return found


def _allowed(made: Imported, name: str, index: int) -> int:
    dims = [d for v in made.program.main.inputs for d in v.type.shape if name in free_symbols(d)]
    for size in (FIRST, SECOND)[index]:
        try:
            values = [evaluate_dim(d, dict.fromkeys(free_symbols(d), size)) for d in dims]
        except (ValueError, ArithmeticError):
            continue
        if all(v > 0 for v in values):
            return size
    raise AssertionError(f"no size found for {name}")


def feeds(made: Imported, sizes: Mapping[str, int], limits: Mapping[str, int], seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for value in made.program.main.inputs:
        shape = tuple(evaluate_dim(d, dict(sizes)) for d in value.type.shape)
        kind = value.type.dtype.kind
        if kind == "float":
            found[value.name] = generator.standard_normal(shape).astype(value.type.dtype.name)
        elif kind == "bool":
            found[value.name] = generator.random(shape) > 0.3
        else:
            found[value.name] = generator.integers(0, limits.get(value.name, 2), shape).astype(value.type.dtype.name)
    return found


def close(found: Any, wanted: Any, tolerance: float, what: str) -> None:
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"{what}: shape {found.shape}, not {wanted.shape}"
    assert found.dtype == wanted.dtype, f"{what}: type {found.dtype}, not {wanted.dtype}"
    np.testing.assert_allclose(found, wanted, rtol=tolerance * 10, atol=tolerance, err_msg=what)


def same(
    model: onnx.ModelProto | Path,
    *,
    sizes: Mapping[str, Sequence[int]] | None = None,
    limits: Mapping[str, int] | None = None,
    tolerance: float = 1e-4,
    **options: Any,
) -> Imported:
    """Imports the model; raises AssertionError unless module and session compute what ONNX Runtime computes of the original."""
    made = imported(model, **options)
    compiled = netc.Model(made.program)
    module = compiled.module(dict(made.weights)).eval()
    ours = compiled.session(dict(made.weights))
    original = session(model)
    names = [i.name for i in original.get_inputs() if i.name not in (options.get("fixed") or {})]
    fixed = {i.name: np.array(v) for i in original.get_inputs() for n, v in (options.get("fixed") or {}).items() if n == i.name}
    for seed, env in enumerate(sizes_for(made, sizes or {})):
        given = feeds(made, env, limits or {}, seed)
        wanted = original.run(None, dict(zip(names, given.values(), strict=True)) | fixed)
        with torch.no_grad():
            results = module(*(torch.from_numpy(np.asarray(a)) for a in given.values()))
        flat = list(results) if isinstance(results, tuple | list) else [results]
        again = ours(**given)
        again = list(again.values()) if isinstance(again, Mapping) else list(again) if isinstance(again, tuple | list) else [again]
        for n, (ref, ts, os) in enumerate(zip(wanted, flat, again, strict=True)):
            close(ts.numpy(), ref, tolerance, f"module, output {n} at {env}")
            close(os, ref, tolerance, f"session, output {n} at {env}")
    return made
