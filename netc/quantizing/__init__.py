"""Quantize models to integers of few bits: `--quantize`, and `quantize=` of `Model.save`.

In: a checked program with its weights, the method, and data for calibration. Out: one ONNX file, and a `QuantizationReport`. Always: the
file is written atomically; a model in which nothing could be quantized is refused, not written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.backend import Backend, BackendInput
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.quantizing.products import find_products
from netc.compiler.backends.onnx.runtime_failures import is_runtime_error, runtime_message
from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.weights.free_space import check_disk, check_memory
from netc.dsl.record import replace

from ..errors import raise_as_compile_error
from ..files.atomic_writing import is_stream, write_files
from ..inputs.argument_checks import QUANTIZATION_METHODS
from ..inputs.backend_input import warn_about_weights
from .calibration import BATCH_SIZE, checked_calibration, draw_sample, explain_infinite_scale, iterate_batches, read_calibration
from .changes import OutputChange, QuantizationReport, compare_outputs
from .refusal import CannotQuantize

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.quantizing.products import Product
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.backends.onnx.save import OnnxArtifact
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.numpy_types import Array

__all__ = [
    "CannotQuantize",
    "OutputChange",
    "QuantizationReport",
    "check_target",
    "checked_calibration",
    "checked_method",
    "save_quantized",
]

_MAX_COMPARED = 64
"""The number of samples on which the quantized model is compared with the original."""
_MEMORY_FACTOR = 6
"""The memory that quantizing takes at most, as a multiple of the float model's size (3.9 to 5.1 were measured)."""
_DISK_FACTOR = 2.1
"""The disk space that temporary files take at most, as a multiple of the float model's size (2.0 was measured for all methods)."""


def checked_method(method: object) -> str:
    """Check the method. Raises `TypeError` or `ValueError`."""
    if not isinstance(method, str):
        raise TypeError(f"quantize must be one of {', '.join(QUANTIZATION_METHODS)}, not {type(method).__name__}")
    if method not in QUANTIZATION_METHODS:
        raise ValueError(f"quantize must be one of {', '.join(QUANTIZATION_METHODS)}, not {method!r}")
    return method


def check_target(backend: Backend, path: str, method: str, has_calibration: bool, functions: bool) -> None:
    """Raise `CannotQuantize` for options that exclude each other. `functions`: the file is to have a function for each block."""
    if backend is not get_or_raise("onnx"):
        raise CannotQuantize(f"{backend.artifact} cannot be quantized: --quantize is for `.onnx`")
    if is_stream(path):
        raise CannotQuantize("a quantized model is made of files: give the name of one, NAME.onnx")
    if functions:
        raise CannotQuantize("ONNX Runtime's quantizer does not look into functions: a quantized model is flat")
    if has_calibration and method != "int8":
        raise CannotQuantize(f"{method} quantizes weights alone, which takes no calibration")


def save_quantized(given: BackendInput, path: str, method: str, calibration: str | Mapping[str, Any] | None) -> QuantizationReport:
    """Write the quantized model. `calibration` is the path of an .npz file, or arrays by the names of inputs; with it, int8 is static."""
    with warn_about_weights(given), raise_as_compile_error(given.program):
        artifact = BACKEND.build(given)
    arrays = None if calibration is None else read_calibration(calibration)
    reports: list[QuantizationReport] = []
    check_room(artifact)
    write_files(path, lambda inner: reports.append(_write_quantized(given.program, artifact, Path(inner), method, arrays)), BACKEND.parts)
    return reports[0]


def check_room(artifact: OnnxArtifact) -> None:
    """Raise `MemoryError` for a model that is too large to be quantized on this machine."""
    check_memory(
        _MEMORY_FACTOR * _count_weight_bytes(artifact), "ONNX Runtime's quantizer has the model in memory several times, and takes"
    )


def _count_weight_bytes(artifact: OnnxArtifact) -> int:
    return sum(stored.nbytes for stored in artifact.graph.tensors.values())


def _write_quantized(
    program: Program, artifact: OnnxArtifact, path: Path, method: str, arrays: Mapping[str, Array] | None
) -> QuantizationReport:
    """Write the file at `path`, in a folder that contains nothing else."""
    from netc.compiler.backends.onnx.quantizing.methods import quantize_model
    from netc.compiler.backends.onnx.quantizing.separation import separate_weights
    from netc.compiler.backends.onnx.save import save_proto

    samples_name = "drawn inputs" if arrays is None else "the calibration"
    _check_inputs(program)
    _check_products(artifact.find_products(), method)
    _check_weights(artifact)
    check_disk(path.parent, int(_DISK_FACTOR * _count_weight_bytes(artifact)), "quantizing it takes")
    # on the disk whose space was checked
    with TemporaryDirectory(dir=path.parent) as inner:
        folder = Path(inner)
        source = folder / "float.onnx"
        separate = separate_weights(artifact.graph)
        replace(artifact, graph=separate.graph).save(str(source), lasting=False)
        # Shared weights were copied for the quantizer, and the original file stores them once.
        before = _measure_folder(folder) - separate.copied
        session = _load_session(source)
        samples = [draw_sample(program)] if arrays is None else list(iterate_batches(program, session.inputs, arrays))
        with _explain_failures(method, samples_name, arrays or {}, samples):
            results = _compute_outputs(session, samples)
            del session  # it holds the float model in memory, which the quantizer loads again
            proto = quantize_model(source, folder, method, None if arrays is None else samples, artifact.is_large)
    all_products = find_products(proto)
    unquantized = tuple(product.name for product in all_products if not product.quantized)
    # Checked on the result: ONNX Runtime skips what it cannot quantize without an error.
    if len(unquantized) == len(all_products):
        raise CannotQuantize("nothing was quantized: ONNX Runtime has none of its products with weights for integers")
    save_proto(proto, path)
    del proto
    changed = tuple(compare_outputs(results, _compute_quantized_outputs(path, samples)))
    return QuantizationReport(
        len(all_products) - len(unquantized),
        len(all_products),
        unquantized,
        before,
        _measure_folder(path.parent),
        changed,
        samples_name,
        method,
    )


@contextmanager
def _explain_failures(
    method: str, samples_name: str, arrays: Mapping[str, Array], samples: Sequence[Mapping[str, Array]]
) -> Iterator[None]:
    """Turn exceptions of the quantizer and of ONNX Runtime into `CannotQuantize` within the context."""
    from netc.compiler.backends.onnx.quantizing.methods import NotFiniteScale, NotInstalled

    try:
        yield
    except NotInstalled as error:
        command = format_install_command(str(error))
        raise CannotQuantize(f"{method} needs the package `{error}`, which is not installed: run `{command}`") from None
    except NotFiniteScale:
        raise CannotQuantize(explain_infinite_scale(arrays, samples[0])) from None
    except Exception as error:
        # Other errors are faults of the compiler, which keep their traceback.
        if not is_runtime_error(error):
            raise
        raise CannotQuantize(f"the model fails on {samples_name}: {runtime_message(error)}") from None


def _load_session(path: Path) -> OnnxSession:
    """Load the model, so that a file that ONNX Runtime cannot run is not kept."""
    from netc.compiler.backends.onnx.runtime import OnnxSession

    try:
        return OnnxSession(path)
    except Exception as error:
        if not is_runtime_error(error):
            raise
        raise CannotQuantize(f"ONNX Runtime cannot load the model: {runtime_message(error)}") from None


def _check_inputs(program: Program) -> None:
    """Raise `CannotQuantize` for an input that ONNX Runtime does not take from Python, so that no sample can be computed."""
    for value in program.main.inputs:
        if value.type.dtype.name == "bfloat16":
            raise CannotQuantize(f"only float32 models are quantized, and `{value.name}` is bfloat16: leave out --dtype")


def _check_products(all_products: list[Product], method: str) -> None:
    from onnx import TensorProto
    from onnx.helper import tensor_dtype_to_np_dtype

    if not all_products:
        raise CannotQuantize("there is nothing to quantize: the model has no product with weights")
    other = next((p for p in all_products if p.dtype not in (None, TensorProto.FLOAT)), None)
    if other is not None:
        kind = tensor_dtype_to_np_dtype(other.dtype or 0).name
        raise CannotQuantize(
            f"only float32 weights are quantized, and `{other.name}` has {kind} weights: leave out --dtype, or a cast in the spec"
        )
    if method == "int4" and all(p.operator not in ("MatMul", "Gemm") for p in all_products):
        raise CannotQuantize("there is nothing to quantize: int4 is for products of matrices, and the model has none with weights")


def _check_weights(artifact: OnnxArtifact) -> None:
    """Raise `CannotQuantize` for a weight that is NaN or infinite. Integers cannot hold it, and ONNX Runtime may write a finite number
    instead. A bias may be infinite, because it stays a float, or else its scale is refused."""
    import numpy as np

    for product in artifact.find_products():
        for name in product.weights:
            stored = artifact.graph.tensors.get(name)
            if stored is not None and not np.isfinite(stored.read()).all():
                raise CannotQuantize(f"`{name}` has a number that is NaN or infinite, which integers cannot hold")


def _compute_outputs(session: OnnxSession, samples: list[dict[str, Array]]) -> dict[str, list[Array]]:
    outputs: dict[str, list[Array]] = {name: [] for name in session.outputs}
    for batch in samples[: max(1, _MAX_COMPARED // BATCH_SIZE)]:
        results = session(**batch)
        # a session returns its only output alone
        for name, array in (results if isinstance(results, dict) else dict.fromkeys(outputs, results)).items():
            outputs[name].append(array)
    return outputs


def _compute_quantized_outputs(path: Path, samples: list[dict[str, Array]]) -> dict[str, list[Array]]:
    """Run the quantized model, so that a file that loads but fails is not kept."""
    session = _load_session(path)
    try:
        return _compute_outputs(session, samples)
    except Exception as error:
        if not is_runtime_error(error):
            raise
        raise CannotQuantize(f"ONNX Runtime cannot run the quantized model: {runtime_message(error)}") from None


def _measure_folder(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
