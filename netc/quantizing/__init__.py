"""Models in integers of few bits: `--quantize`, and `quantize=` of `Model.save`.

In: a checked program with its weights, the method, and data for calibration. Out: one ONNX file, and what quantising did to it. Always: the
file is written whole or not at all; a model of which nothing was quantised is refused rather than written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.backend import Backend, BackendInput
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.quantizing.products import products
from netc.compiler.backends.onnx.runtime_failures import of_runtime, runtime_message
from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.weights.free_space import check_disk, check_memory
from netc.dsl.record import replace

from ..errors import unsupported_is_compile_error
from ..files.atomic_writing import is_stream, write_files
from ..inputs.argument_checks import METHODS
from ..inputs.backend_input import reported
from .calibration import ROWS, batches, checked_calibration, columns, drawn, why_not_finite
from .changes import OutputChange, Quantised, changes
from .refusal import CannotQuantise

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.quantizing.products import Product
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.backends.onnx.save import OnnxArtefact
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.numpy_types import Array

__all__ = ["CannotQuantise", "OutputChange", "Quantised", "check_target", "checked_calibration", "checked_method", "save_quantized"]

_COMPARED = 64
"""Samples on which the quantised model is compared with the one that it was made of."""
_MEMORY = 6
"""Times the size of the float model that quantising it takes at most (3.9 to 5.1 were measured)."""
_DISK = 2.1
"""Times the size of the float model that the files on the way take at most (2.0 was measured, of all methods)."""


def checked_method(method: object) -> str:
    """The method as a str. Raises `TypeError` or `ValueError`."""
    if not isinstance(method, str):
        raise TypeError(f"quantize must be one of {', '.join(METHODS)}, not {type(method).__name__}")
    if method not in METHODS:
        raise ValueError(f"quantize must be one of {', '.join(METHODS)}, not {method!r}")
    return method


def check_target(backend: Backend, path: str, method: str, calibrated: bool, functions: bool) -> None:
    """Raises `CannotQuantise` for what is no matter of the model. `functions`: it is to have one for each block."""
    if backend is not get_or_raise("onnx"):
        raise CannotQuantise(f"{backend.artefact} cannot be quantised: --quantize is for `.onnx`")
    if is_stream(path):
        raise CannotQuantise("a quantised model is made of files: give the name of one, NAME.onnx")
    if functions:
        raise CannotQuantise("ONNX Runtime's quantiser does not look into functions: a quantised model is flat")
    if calibrated and method != "int8":
        raise CannotQuantise(f"{method} quantises weights alone, which takes no calibration")


def save_quantized(given: BackendInput, path: str, method: str, calibration: str | Mapping[str, Any] | None) -> Quantised:
    """Writes the model, quantised. `calibration` is the path of an .npz file, or arrays by the names of inputs; with it, int8 is static."""
    with reported(given), unsupported_is_compile_error(given.program):
        artefact = BACKEND.build(given)
    arrays = None if calibration is None else columns(calibration)
    found: list[Quantised] = []
    check_room(artefact)
    write_files(path, lambda inner: found.append(_written(given.program, artefact, Path(inner), method, arrays)), BACKEND.parts)
    return found[0]


def check_room(artefact: OnnxArtefact) -> None:
    """Raises `MemoryError` for a model that is too large to be quantised here."""
    check_memory(_MEMORY * _weights(artefact), "ONNX Runtime's quantiser has the model in memory several times, and takes")


def _weights(artefact: OnnxArtefact) -> int:
    return sum(stored.nbytes for stored in artefact.made.tensors.values())


def _written(program: Program, artefact: OnnxArtefact, path: Path, method: str, arrays: Mapping[str, Array] | None) -> Quantised:
    """The file at `path`, in a folder that has nothing else."""
    from netc.compiler.backends.onnx.quantizing.methods import NotFiniteScale, NotInstalled, quantized
    from netc.compiler.backends.onnx.quantizing.separation import separated
    from netc.compiler.backends.onnx.save import save_proto

    what = "drawn inputs" if arrays is None else "the calibration"
    _check_products(artefact.products(), method)
    check_disk(path.parent, int(_DISK * _weights(artefact)), "quantising it takes")
    with TemporaryDirectory(dir=path.parent) as inner:
        folder = Path(inner)
        source = folder / "float.onnx"
        whole = separated(artefact.made)
        replace(artefact, made=whole.made).save(str(source), lasting=False)
        before = _size(folder) - whole.copied
        session = _session(source)
        samples = [drawn(program)] if arrays is None else list(batches(program, session, arrays))
        try:
            results = _results(session, samples)
            del session
            proto = quantized(source, folder, method, None if arrays is None else samples, artefact.is_large)
        except NotInstalled as error:
            how = format_install_command(str(error))
            raise CannotQuantise(f"{method} needs the package `{error}`, which is not installed: run `{how}`") from None
        except NotFiniteScale:
            raise CannotQuantise(why_not_finite(arrays or {}, samples[0])) from None
        except Exception as error:
            if not of_runtime(error):
                raise
            raise CannotQuantise(f"the model fails on {what}: {runtime_message(error)}") from None
    made = products(proto)
    left = tuple(product.name for product in made if not product.quantized)
    if len(left) == len(made):
        raise CannotQuantise("nothing was quantised: ONNX Runtime has none of its products with weights for integers")
    save_proto(proto, path)
    del proto
    changed = tuple(changes(results, _results(_session(path), samples)))
    return Quantised(len(made) - len(left), len(made), left, before, _size(path.parent), changed, what, method)


def _session(path: Path) -> OnnxSession:
    """The model, loaded: what ONNX Runtime cannot run is not written."""
    from netc.compiler.backends.onnx.runtime import OnnxSession

    try:
        return OnnxSession(path)
    except Exception as error:
        if not of_runtime(error):
            raise
        raise CannotQuantise(f"ONNX Runtime cannot load the model: {runtime_message(error)}") from None


def _check_products(found: list[Product], method: str) -> None:
    from onnx import TensorProto
    from onnx.helper import tensor_dtype_to_np_dtype

    if not found:
        raise CannotQuantise("there is nothing to quantise: the model has no product with weights")
    other = next((p for p in found if p.dtype not in (None, TensorProto.FLOAT)), None)
    if other is not None:
        kind = tensor_dtype_to_np_dtype(other.dtype or 0).name
        raise CannotQuantise(f"only weights of float32 are quantised, and those of `{other.name}` are {kind}: leave out --dtype")
    if method == "int4" and all(p.operator not in ("MatMul", "Gemm") for p in found):
        raise CannotQuantise("there is nothing to quantise: int4 is for products of matrices, and the model has none with weights")


def _results(session: OnnxSession, samples: list[dict[str, Array]]) -> dict[str, list[Array]]:
    made: dict[str, list[Array]] = {name: [] for name in session.outputs}
    for batch in samples[: max(1, _COMPARED // ROWS)]:
        results = session(**batch)
        for name, array in (results if isinstance(results, dict) else dict.fromkeys(made, results)).items():
            made[name].append(array)
    return made


def _size(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
