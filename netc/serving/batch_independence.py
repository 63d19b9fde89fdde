"""Find out whether requests may share a run: whether the result of a sample depends on the other samples of its batch.

In: the session of a model. Out: an empty text, or the reason why each request needs a run of its own. Always: a model is only said to be
independent if random samples gave the same results together and alone. Most models are independent. Ones that compare the samples of a
batch are not, nor are models with dynamic quantization, whose scale is the largest number of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.compiler.types.numpy_types import numpy_dtype

from ..training.data.data_source import Array

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.ir.ports import Port

_SIZES = (8, 16, 32, 64, 128, 224, 256)
"""Sizes that are tried for symbolic dimensions: a spec may allow only multiples of some number."""
_SAMPLES, _ROUNDS = 3, 3
_TOLERANCES = {2: 1e-2, 4: 1e-5, 8: 1e-10}
"""The largest relative difference by the bytes of a float. Kernels choose other orders of summation for other batches."""
_GPU_TOLERANCE = 5e-3
"""The same on a GPU, whose libraries compute large batches in TF32, with 10 bits, and single samples in float32."""


def find_batch_obstacle(session: OnnxSession) -> str:
    """Return why requests cannot share a run, or nothing."""
    axes = {port.shape[0] if port.shape else None for port in (*session.inputs.values(), *session.outputs.values())}
    if len(axes) != 1 or not isinstance(next(iter(axes)), str):
        return "the inputs and outputs have no batch axis of a free size"
    for size in _SIZES:
        try:
            return _compare_runs(session, size)
        except ValueError:  # the model does not take this size
            continue
    return f"no random samples were found that the model takes, with the sizes {', '.join(map(str, _SIZES))}"


def draw_random_samples(session: OnnxSession, count: int = 1) -> dict[str, Array] | None:
    """Return random samples that the model takes, None if it takes none of the sizes that are tried."""
    generator = np.random.default_rng(0)
    for size in _SIZES:
        arrays = {name: _draw_samples(port, size, generator, count) for name, port in session.inputs.items()}
        try:
            _run(session, arrays)
        except ValueError:
            continue
        return arrays
    return None


def _compare_runs(session: OnnxSession, size: int) -> str:
    """Compare a run of several random samples with runs of each sample alone. Raises `ValueError` if the model takes none of this size."""
    generator = np.random.default_rng(0)
    for _ in range(_ROUNDS):
        arrays = {name: _draw_samples(port, size, generator, _SAMPLES) for name, port in session.inputs.items()}
        joint = _run(session, arrays)
        for index in range(_SAMPLES):
            alone = _run(session, {name: array[index : index + 1] for name, array in arrays.items()})
            for name, result in alone.items():
                least = 0.0 if session.device == "cpu" else _GPU_TOLERANCE
                if len(joint[name]) != _SAMPLES or not _are_close(result, joint[name][index : index + 1], least):
                    return f"the output `{name}` of a sample depends on the other samples of its batch"
    return ""


def _run(session: OnnxSession, arrays: Mapping[str, Array]) -> dict[str, Array]:
    results: Any = session(**arrays)
    return results if isinstance(results, dict) else dict.fromkeys(session.outputs, results)


def _draw_samples(port: Port, size: int, generator: np.random.Generator, count: int) -> Array:
    first = port.shape[0] if port.shape and isinstance(port.shape[0], int) else count
    shape = (first, *(axis if isinstance(axis, int) else size for axis in port.shape[1:]))
    if port.dtype.is_float:
        # Samples of other magnitudes: a scale that a batch shares would show.
        scales = 4.0 ** (np.arange(first) % _SAMPLES).reshape(-1, *[1] * (len(shape) - 1))
        return (generator.standard_normal(shape) * scales).astype(numpy_dtype(port.dtype))
    return generator.integers(0, 2, shape).astype(numpy_dtype(port.dtype))  # valid in any vocabulary


def _are_close(one: Array, other: Array, least: float) -> bool:
    """Whether results are equal up to the tolerance of their type, or a larger one of the device."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "biu":
        return bool((one == other).all())
    exact, compared = one.astype(np.float64), other.astype(np.float64)
    finite = exact[np.isfinite(exact)]
    tolerance = max(least, _TOLERANCES[one.dtype.itemsize]) * float(np.abs(finite).max(initial=0))
    return bool(np.allclose(exact, compared, rtol=0, atol=tolerance, equal_nan=True))
