"""Compares an imported spec with its origin in the optional targets too, as far as their packages are installed: JAX and MLX.

In: an imported spec with its proof in PyTorch and ONNX Runtime, and its origin. Out: the spec, whose proof has the difference in each of
these targets, or says why there is none. Always: an operator that a target lacks, or a difference in it, fails no import: the spec is
proved without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.dsl.record import replace

from ..errors import CompileError
from ..inputs.random_inputs import choose_varied_shapes
from .drawn_inputs import draw_and_run
from .free_memory import return_free_memory
from .output_judge import NotProved, OutputJudge
from .proof import SMALL_NOISE, draw_weights
from .run_targets import flatten_tensors, run_target

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from ..model import Model
    from .origin import Origin
    from .run_import import ImportedSpec

Run = Callable[[list["Array"]], "list[Array]"]


def make_jax_run(model: Model, weights: Mapping[str, Array]) -> Run:
    """Return a function that runs the model in JAX, with 64-bit types and without the reduced precision of matrix units."""
    import jax

    with jax.enable_x64(True):
        module: Any = model.flax(weights)
        module.eval()
    return_free_memory()  # of the drawn parameters that the weights replaced

    def run(inputs: list[Array]) -> list[Array]:
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            return [np.asarray(array) for array in flatten_tensors(module(*map(jax.numpy.asarray, inputs)))]

    return run


def make_mlx_run(model: Model, weights: Mapping[str, Array]) -> Run:
    """Return a function that runs the model in MLX."""
    from netc.compiler.backends.mlx.live_mlx import to_mlx, to_numpy

    module: Any = model.mlx(weights)
    module.eval()
    return lambda inputs: [to_numpy(array) for array in flatten_tensors(module(*map(to_mlx, inputs)))]


TARGETS: dict[str, tuple[tuple[str, ...], Callable[[Model, Mapping[str, Array]], Run]]] = {
    "JAX": (("jax", "flax"), make_jax_run),
    "MLX": (("mlx",), make_mlx_run),
}
"""The targets, with the packages that they need, and what makes a function that runs a model."""


def prove_in_further_targets(imported: ImportedSpec, origin: Origin, seed: int = 0) -> ImportedSpec:
    """Add the targets to the proof of an imported spec. Without a proof, return the spec as it is."""
    if imported.proof is None:
        return imported
    differences, reasons = dict(imported.proof.differences), dict(imported.proof.not_compared)
    for target, (packages, _) in TARGETS.items():
        if any(find_spec(package) is None for package in packages):
            continue
        return_free_memory()  # of the target before
        try:
            differences[target] = _compare_outputs(target, imported.model, origin, seed)
        except CompileError as error:
            reasons[target] = error.diagnostics[0].message
        except NotProved as error:
            reasons[target] = error.what
    return replace(imported, proof=replace(imported.proof, differences=differences, not_compared=reasons))


def _compare_outputs(target: str, model: Model, origin: Origin, seed: int) -> float:
    """Return the largest difference at one size. Raises `NotProved`, and `CompileError` for an operator that the target lacks."""
    generator = np.random.default_rng(seed)
    weights = draw_weights(model, origin, generator, SMALL_NOISE)
    (sizes, shapes), *_ = choose_varied_shapes(model.program, 1)
    inputs, expected = draw_and_run(model, origin, shapes, weights, generator)
    _, make_run = TARGETS[target]
    result = run_target(target, make_run(model, weights), inputs)
    judge = OutputJudge(origin, inputs, weights, expected, sizes)
    return judge.compare_outputs(target, result, list(model.outputs))
