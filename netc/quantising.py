"""Models in integers of few bits: `--quantize`, and `quantize=` of `Model.save`.

In: a checked program with its weights, the method, and data for calibration. Out: one ONNX file, and what quantising did to it. Always: the
file is written whole or not at all; a model of which nothing was quantised is refused rather than written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.base import Backend, BackendInput, WrongOutput
from netc.compiler.backends.registry import get_or_raise
from netc.dsl.record import Record, replace

from .arguments import METHODS, checked_path
from .backend_input import reported
from .errors import unsupported_is_compile_error
from .writing import is_stream, write_files

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.quantising.products import Product
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.backends.onnx.save import OnnxArtefact
    from netc.compiler.ir.elements import Array
    from netc.compiler.ir.graph import Program

_ROWS = 16
"""Samples of the calibration that the model gets at a time."""
_COMPARED = 64
"""Samples on which the quantised model is compared with the one that it was made of."""
_MEMORY = 6
"""Times the size of the float model that quantising it takes at most (3.9 to 5.1 were measured)."""


class CannotQuantise(WrongOutput):
    """A model, a method or data for calibration with which nothing can be quantised."""


class OutputChange(Record):
    """What quantising did to an output, over all its elements. `relative` is the root mean square of the change, divided by that of the
    output; None where the output is zero everywhere. Of an output of integers, `share` is the part that changed."""

    name: str
    largest: float
    relative: float | None
    share: float | None = None

    def __str__(self) -> str:
        if self.share is not None:
            return f"`{self.name}`: {_percent(self.share)} of its elements differ"
        of = "" if self.relative is None else f"{_percent(self.relative)} of its root mean square, and "
        return f"`{self.name}` differs by {of}{self.largest:.3g} at most"


class Quantised(Record):
    """What quantising did: the number of products with weights and of those that are quantised, the names of the others, sizes of the files
    in bytes, and the changes of the outputs on the calibration or on `inputs` that were drawn."""

    quantised: int
    products: int
    left: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    changes: tuple[OutputChange, ...]
    inputs: str

    def lines(self) -> tuple[str, ...]:
        """For people, without a full stop."""
        from netc.compiler.weights.room import shown

        few = ", ".join(f"`{name}`" for name in self.left[:5]) + (", ..." if len(self.left) > 5 else "")
        others = f"; not {few}" if self.left else ""
        smaller = self.bytes_before / self.bytes_after
        return (
            f"{self.quantised} of {self.products} products with weights are quantised{others}",
            f"{shown(self.bytes_after)} instead of {shown(self.bytes_before)}, {smaller:.1f} times smaller",
            *(f"on {self.inputs}, {change}" for change in self.changes),
        )


def checked_method(method: object) -> str:
    """The method as a str. Raises `TypeError` or `ValueError`."""
    if not isinstance(method, str):
        raise TypeError(f"quantize must be one of {', '.join(METHODS)}, not {type(method).__name__}")
    if method not in METHODS:
        raise ValueError(f"quantize must be one of {', '.join(METHODS)}, not {method!r}")
    return method


def checked_calibration(data: object) -> str | Mapping[str, Any] | None:
    """A path, or arrays by name."""
    if data is None or isinstance(data, Mapping):
        return data
    return checked_path(data, "calibration")


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


def save_quantised(given: BackendInput, path: str, method: str, calibration: str | Mapping[str, Any] | None) -> Quantised:
    """Writes the model, quantised. `calibration` is the path of an .npz file, or arrays by the names of inputs; with it, int8 is static."""
    from netc.compiler.backends.onnx import BACKEND

    with reported(given), unsupported_is_compile_error(given.program):
        artefact = BACKEND.build(given)
    columns = None if calibration is None else _columns(calibration)
    found: list[Quantised] = []
    check_room(artefact)
    write_files(path, lambda inner: found.append(_written(given.program, artefact, Path(inner), method, columns)), BACKEND.parts)
    return found[0]


def check_room(artefact: OnnxArtefact) -> None:
    """Raises `MemoryError` for a model that is too large to be quantised here."""
    from netc.compiler.weights.room import check_memory

    size = sum(stored.nbytes for stored in artefact.made.tensors.values())
    check_memory(_MEMORY * size, "ONNX Runtime's quantiser has the model in memory several times, and takes")


def _written(program: Program, artefact: OnnxArtefact, path: Path, method: str, columns: Mapping[str, Array] | None) -> Quantised:
    """The file at `path`, in a folder that has nothing else."""
    from netc.compiler.backends.onnx.quantising.methods import NotFiniteScale, NotInstalled, quantised
    from netc.compiler.backends.onnx.quantising.products import products
    from netc.compiler.backends.onnx.quantising.separation import separated
    from netc.compiler.backends.onnx.save import save_proto

    _check_products(artefact.products(), method)
    with TemporaryDirectory(dir=path.parent) as inner:
        folder = Path(inner)
        source = folder / "float.onnx"
        whole = separated(artefact.made)
        replace(artefact, made=whole.made).save(str(source))
        before = _size(folder) - whole.copied
        session = _session(source)
        batches = [_drawn(program)] if columns is None else list(_batches(program, session, columns))
        results = _results(session, batches)
        del session
        try:
            proto = quantised(source, folder, method, None if columns is None else batches, artefact.is_large)
        except NotInstalled as error:
            raise CannotQuantise(f"{method} needs the package `{error}`, which is not installed: pip install netc[quantize]") from None
        except NotFiniteScale:
            raise CannotQuantise(_why_not_finite(columns or {}, batches[0])) from None
    made = products(proto)
    left = tuple(product.name for product in made if not product.quantised)
    if len(left) == len(made):
        raise CannotQuantise("nothing was quantised: ONNX Runtime has none of its products with weights for integers")
    save_proto(proto, path)
    del proto
    changes = tuple(_changes(results, _results(_session(path), batches)))
    what = "drawn inputs" if columns is None else "the calibration"
    return Quantised(len(made) - len(left), len(made), left, before, _size(path.parent), changes, what)


def _session(path: Path) -> OnnxSession:
    """The model, loaded: what ONNX Runtime cannot run is not written."""
    from netc.compiler.backends.onnx.runtime import OnnxSession

    try:
        return OnnxSession(path)
    except Exception as error:
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise CannotQuantise(f"ONNX Runtime cannot load the model: {' '.join(str(error).split())}") from None


def _check_products(found: list[Product], method: str) -> None:
    from onnx import TensorProto

    if not found:
        raise CannotQuantise("there is nothing to quantise: the model has no product with weights")
    other = next((p for p in found if p.dtype not in (None, TensorProto.FLOAT)), None)
    if other is not None:
        kind = TensorProto.DataType.Name(other.dtype or 0).lower()
        raise CannotQuantise(f"only weights of float32 are quantised, and those of `{other.name}` are {kind}: leave out --dtype")
    if method == "int4" and all(p.operator not in ("MatMul", "Gemm") for p in found):
        raise CannotQuantise("there is nothing to quantise: int4 is for products of matrices, and the model has none with weights")


def _columns(calibration: str | Mapping[str, Any]) -> dict[str, Array]:
    from netc.compiler.ir.elements import array_of
    from netc.compiler.weights.numpy_files import UnfitArrayFile, read_npz

    from .files import reason

    if not isinstance(calibration, str):
        return {name: array_of(value) for name, value in calibration.items()}
    try:
        return read_npz(calibration)
    except FileNotFoundError:
        raise CannotQuantise(f"cannot read `{calibration}`: there is no such file") from None
    except OSError as error:
        raise CannotQuantise(f"cannot read `{calibration}`: {reason(error)}") from None
    except UnfitArrayFile as error:
        raise CannotQuantise(f"cannot read `{calibration}`: it is not a .npz file of numbers: {error}") from None


def _batches(program: Program, session: OnnxSession, columns: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """The samples of the calibration, some at a time. Inputs that have no batch axis are the same for all."""
    from netc.compiler.backends.onnx.feeds import feed

    from .conditions import check_sizes

    names = list(session.inputs)
    _check_names(names, [name for name in names if name not in columns], "lacks")
    _check_names(names, [name for name in columns if name not in names], "has, beyond the inputs,")
    batched = [name for name, port in session.inputs.items() if port.shape[:1] == ("N",)]
    counts = {name: columns[name].shape[0] if columns[name].ndim else 0 for name in batched}
    if len(set(counts.values())) > 1:
        raise CannotQuantise("the calibration has different numbers of samples: " + ", ".join(f"`{n}` has {c}" for n, c in counts.items()))
    count = next(iter(counts.values()), 1)
    if count == 0:
        raise CannotQuantise("the calibration has no samples")
    _check_numbers(columns)
    for start in range(0, count, _ROWS):
        values = {name: array[start : start + _ROWS] if name in batched else array for name, array in columns.items()}
        try:
            fed = feed(session.inputs, values)
            check_sizes(program, {name: array.shape for name, array in fed.items()})
        except ValueError as error:
            raise CannotQuantise(f"the calibration does not fit: {error}") from None
        yield fed


def _check_numbers(columns: Mapping[str, Array]) -> None:
    """NaN is wrong in any input. An infinity can be meant, as in a mask that is added to scores: it is reported where a scale
    would be infinite."""
    import numpy as np

    for name, array in columns.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise CannotQuantise(f"the calibration has NaN in {_first(name, np.isnan(array))}")


def _why_not_finite(columns: Mapping[str, Array], batch: Mapping[str, Array]) -> str:
    """Why a scale is not finite. `batch` has the inputs as the model got them: a number that float32 lacks is infinite there."""
    import numpy as np

    for name, array in columns.items():
        with np.errstate(over="ignore"):
            infinite = np.isinf(array.astype(batch[name].dtype))
        if infinite.any():
            return f"the calibration has an infinity in {_first(name, infinite)}"
    on = " on the calibration, whose numbers are finite" if columns else ""
    return f"a scale cannot be computed: numbers inside the model are NaN or infinite{on}"


def _first(name: str, wrong: Array) -> str:
    """The input and the first sample in which something is wrong, counted from 0."""
    return f"`{name}`, sample {int(wrong.reshape(len(wrong), -1).any(1).argmax())}" if wrong.ndim else f"`{name}`"


def _check_names(inputs: list[str], wrong: list[str], what: str) -> None:
    if wrong:
        raise CannotQuantise(f"the calibration {what} {_quoted(wrong)}: the inputs are {_quoted(inputs)}")


def _drawn(program: Program) -> dict[str, Array]:
    import numpy as np

    from .samples import random_array, several_shapes

    generator = np.random.default_rng(0)
    (_, shapes), *_ = several_shapes(program, 1)
    return {value.name: random_array(value.type.dtype, shapes[value.name], generator) for value in program.main.inputs}


def _results(session: OnnxSession, batches: list[dict[str, Array]]) -> dict[str, list[Array]]:
    made: dict[str, list[Array]] = {name: [] for name in session.outputs}
    for batch in batches[: max(1, _COMPARED // _ROWS)]:
        results = session(**batch)
        for name, array in (results if isinstance(results, dict) else dict.fromkeys(made, results)).items():
            made[name].append(array)
    return made


def _changes(before: Mapping[str, list[Array]], after: Mapping[str, list[Array]]) -> Iterator[OutputChange]:
    import numpy as np

    for name, arrays in before.items():
        one, other = (np.concatenate([a.reshape(-1) for a in each]) for each in (arrays, after[name]))
        if one.dtype.kind != "f":
            yield OutputChange(name, 0.0, None, float(np.mean(one != other)) if one.size else 0.0)
            continue
        exact = one.astype(np.float64)
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        with np.errstate(invalid="ignore"):
            change = np.where(same, 0.0, np.nan_to_num(np.abs(other.astype(np.float64) - exact), nan=np.inf))
        scale = float(np.sqrt(np.mean(np.square(exact)))) if exact.size else 0.0
        relative = float(np.sqrt(np.mean(np.square(change)))) / scale if scale > 0 else None
        yield OutputChange(name, float(change.max(initial=0.0)), relative)


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %"


def _size(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
