"""Compares an imported spec with its origin in JAX too, where jax and flax are installed.

In: an imported spec with its proof in PyTorch and ONNX Runtime, and its origin. Out: the spec, whose proof has the difference in JAX, or
says why there is none. Always: an operator that Flax lacks, or a difference in JAX, fails no import: the spec is proved without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.dsl.record import replace

from ..errors import CompileError
from ..inputs.random_inputs import choose_varied_shapes
from .drawn_inputs import draw_and_run
from .output_judge import NotProved, OutputJudge
from .proof import SMALL_NOISE, draw_weights
from .run_targets import flatten_tensors, run_target

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from ..model import Model
    from .origin import Origin
    from .run_import import ImportedSpec

TARGET = "JAX"


def prove_in_jax(imported: ImportedSpec, origin: Origin, seed: int = 0) -> ImportedSpec:
    """Add JAX to the proof of an imported spec. Without a proof or the packages, return the spec as it is."""
    proof = imported.proof
    if proof is None or any(find_spec(package) is None for package in ("jax", "flax")):
        return imported
    try:
        difference = _compare_outputs(imported.model, origin, seed)
    except CompileError as error:
        return replace(imported, proof=replace(proof, not_in_jax=error.diagnostics[0].message))
    except NotProved as error:
        return replace(imported, proof=replace(proof, not_in_jax=error.what))
    return replace(imported, proof=replace(proof, differences={**proof.differences, TARGET: difference}))


def _compare_outputs(model: Model, origin: Origin, seed: int) -> float:
    """Return the largest difference at one size. Raises `NotProved`, and `CompileError` for an operator that Flax lacks."""
    generator = np.random.default_rng(seed)
    weights = draw_weights(model, origin, generator, SMALL_NOISE)
    (sizes, shapes), *_ = choose_varied_shapes(model.program, 1)
    inputs, expected = draw_and_run(model, origin, shapes, weights, generator)
    result = run_target(TARGET, make_jax_run(model, weights), inputs)
    judge = OutputJudge(origin, inputs, weights, expected, sizes)
    return judge.compare_outputs(TARGET, result, list(model.outputs))


def make_jax_run(model: Model, weights: Mapping[str, Array]) -> Any:
    """Return a function that runs the model in JAX, with 64-bit types and without the reduced precision of matrix units."""
    import jax

    with jax.enable_x64(True):
        module: Any = model.flax(weights)
        module.eval()

    def run(inputs: list[Array]) -> list[Array]:
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            return [np.asarray(array) for array in flatten_tensors(module(*map(jax.numpy.asarray, inputs)))]

    return run
