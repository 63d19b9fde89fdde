"""The samples with which a model is quantised and compared: those of a calibration, or drawn ones.

In: a path or arrays, and a loaded model. Out: batches by the names of inputs. Always: what does not fit the inputs, or has NaN, is a
`CannotQuantise`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.input_shapes import check_sizes

from ..files.array_files import UnreadableArrays, read_arrays
from ..inputs.argument_checks import checked_path
from .refusal import CannotQuantise

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.numpy_types import Array

ROWS = 16
"""Samples that the model gets at a time."""


def checked_calibration(data: object) -> str | Mapping[str, Any] | None:
    """A path, or arrays by name."""
    if data is None or isinstance(data, Mapping):
        return data
    return checked_path(data, "calibration")


def columns(calibration: str | Mapping[str, Any]) -> dict[str, Array]:
    """The arrays of a calibration by name, not yet compared with the inputs."""
    from netc.compiler.types.numpy_types import to_array
    from netc.compiler.weights.numpy_files import read_npz

    if not isinstance(calibration, str):
        return {name: to_array(value) for name, value in calibration.items()}
    try:
        return read_arrays(calibration, read_npz, ".npz")
    except UnreadableArrays as error:
        raise CannotQuantise(str(error)) from None


def batches(program: Program, session: OnnxSession, arrays: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """The samples of the calibration, some at a time. Inputs that have no batch axis are the same for all."""
    from netc.compiler.backends.onnx.feeds import feed

    names = list(session.inputs)
    _check_names(names, [name for name in names if name not in arrays], "lacks")
    _check_names(names, [name for name in arrays if name not in names], "has, beyond the inputs,")
    batched = [name for name, port in session.inputs.items() if port.shape[:1] == ("N",)]
    counts = {name: arrays[name].shape[0] if arrays[name].ndim else 0 for name in batched}
    if len(set(counts.values())) > 1:
        raise CannotQuantise("the calibration has different numbers of samples: " + ", ".join(f"`{n}` has {c}" for n, c in counts.items()))
    count = next(iter(counts.values()), 1)
    if count == 0:
        raise CannotQuantise("the calibration has no samples")
    _check_numbers(arrays)
    for start in range(0, count, ROWS):
        values = {name: array[start : start + ROWS] if name in batched else array for name, array in arrays.items()}
        try:
            fed = feed(session.inputs, values)
            check_sizes(program, {name: array.shape for name, array in fed.items()})
        except ValueError as error:
            raise CannotQuantise(f"the calibration does not fit: {error}") from None
        yield fed


def _check_numbers(arrays: Mapping[str, Array]) -> None:
    """NaN is wrong in any input. An infinity can be meant, as in a mask that is added to scores: it is reported where a scale
    would be infinite."""
    import numpy as np

    for name, array in arrays.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise CannotQuantise(f"the calibration has NaN in {_first(name, np.isnan(array))}")


def why_not_finite(arrays: Mapping[str, Array], batch: Mapping[str, Array]) -> str:
    """Why a scale is not finite. `batch` has the inputs as the model got them: a number that float32 lacks is infinite there."""
    import numpy as np

    for name, array in arrays.items():
        with np.errstate(over="ignore"):
            infinite = np.isinf(array.astype(batch[name].dtype))
        if infinite.any():
            return f"the calibration has an infinity in {_first(name, infinite)}"
    on = " on the calibration, whose numbers are finite" if arrays else ""
    return f"a scale cannot be computed: numbers inside the model are NaN or infinite{on}"


def _first(name: str, wrong: Array) -> str:
    """The input and the first sample in which something is wrong, counted from 0."""
    return f"`{name}`, sample {int(wrong.reshape(len(wrong), -1).any(1).argmax())}" if wrong.ndim else f"`{name}`"


def _check_names(inputs: list[str], wrong: list[str], what: str) -> None:
    if wrong:
        raise CannotQuantise(f"the calibration {what} {_quoted(wrong)}: the inputs are {_quoted(inputs)}")


def drawn(program: Program) -> dict[str, Array]:
    import numpy as np

    from ..inputs.random_inputs import random_array, several_shapes

    generator = np.random.default_rng(0)
    (_, shapes), *_ = several_shapes(program, 1)
    return {value.name: random_array(value.type.dtype, shapes[value.name], generator) for value in program.main.inputs}


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
