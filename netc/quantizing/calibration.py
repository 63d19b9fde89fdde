"""Provide the samples for quantizing and comparing a model: from calibration data, or drawn at random.

In: a path or arrays, and a loaded model. Out: batches by the names of inputs. Always: arrays that do not fit the inputs, or contain NaN,
raise `CannotQuantize`.

    >>> import netc
    >>> {name: array.shape[1:] for name, array in draw_sample(netc.compile("x = input [3, 8]; x -> dense 4").program).items()}
    {'x': (3, 8)}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.input_shapes import check_sizes

from ..files.array_files import UnreadableArrays, read_arrays
from ..inputs.argument_checks import check_path
from .refusal import CannotQuantize

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.compiler.ir.ports import Port
    from netc.compiler.types.numpy_types import Array

BATCH_SIZE = 16
"""The number of samples in a batch."""


def checked_calibration(data: object) -> str | Mapping[str, Any] | None:
    """Check that the calibration is a path, or arrays by name."""
    if data is None or isinstance(data, Mapping):
        return data
    return check_path(data, "calibration")


def read_calibration(calibration: str | Mapping[str, Any]) -> dict[str, Array]:
    """Read the arrays of a calibration by name. They are not compared with the inputs yet."""
    from netc.compiler.types.numpy_types import to_array
    from netc.compiler.weights.numpy_files import read_npz

    if not isinstance(calibration, str):
        return {name: to_array(value) for name, value in calibration.items()}
    try:
        return read_arrays(calibration, read_npz, ".npz")
    except UnreadableArrays as error:
        raise CannotQuantize(str(error)) from None


def iterate_batches(program: Program, inputs: Mapping[str, Port], arrays: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Yield the samples of the calibration in batches. Inputs without a batch axis are the same in all batches."""
    from netc.compiler.backends.onnx.feeds import make_feeds

    names = list(inputs)
    _check_names(names, [name for name in names if name not in arrays], "lacks")
    _check_names(names, [name for name in arrays if name not in names], "has, beyond the inputs,")
    batched = [name for name, port in inputs.items() if port.shape[:1] == ("N",)]
    counts = {name: arrays[name].shape[0] if arrays[name].ndim else 0 for name in batched}
    if len(set(counts.values())) > 1:
        raise CannotQuantize("the calibration has different numbers of samples: " + ", ".join(f"`{n}` has {c}" for n, c in counts.items()))
    count = next(iter(counts.values()), 1)
    if count == 0:
        raise CannotQuantize("the calibration has no samples")
    _check_numbers(arrays)
    for start in range(0, count, BATCH_SIZE):
        values = {name: array[start : start + BATCH_SIZE] if name in batched else array for name, array in arrays.items()}
        try:
            feeds = make_feeds(inputs, values)
            check_sizes(program, {name: array.shape for name, array in feeds.items()})
        except ValueError as error:
            raise CannotQuantize(f"the calibration does not fit: {error}") from None
        yield feeds


def _check_numbers(arrays: Mapping[str, Array]) -> None:
    """Raise `CannotQuantize` for NaN in any input."""
    # An infinity may be intended, as in a mask that is added to scores. It is reported only if a scale becomes infinite.
    import numpy as np

    for name, array in arrays.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise CannotQuantize(f"the calibration has NaN in {_format_first_sample(name, np.isnan(array))}")


def explain_infinite_scale(arrays: Mapping[str, Array], batch: Mapping[str, Array]) -> str:
    """Return why a scale is not finite. `batch` has the inputs as the model got them: a number that is too large for float32 is infinite
    there."""
    import numpy as np

    for name, array in arrays.items():
        with np.errstate(over="ignore"):
            infinite = np.isinf(array.astype(batch[name].dtype))
        if infinite.any():
            return f"the calibration has an infinity in {_format_first_sample(name, infinite)}"
    on = " on the calibration, whose numbers are finite" if arrays else ""
    return f"a scale cannot be computed: numbers inside the model are NaN or infinite{on}"


def _format_first_sample(name: str, wrong: Array) -> str:
    """Format the input and its first wrong sample, counted from 0."""
    return f"`{name}`, sample {int(wrong.reshape(len(wrong), -1).any(1).argmax())}" if wrong.ndim else f"`{name}`"


def _check_names(inputs: list[str], wrong: list[str], what: str) -> None:
    if wrong:
        raise CannotQuantize(f"the calibration {what} {_quote_names(wrong)}: the inputs are {_quote_names(inputs)}")


def draw_sample(program: Program) -> dict[str, Array]:
    import numpy as np

    from ..inputs.random_inputs import choose_varied_shapes, draw_array

    generator = np.random.default_rng(0)
    (_, shapes), *_ = choose_varied_shapes(program, 1)
    return {value.name: draw_array(value.type.dtype, shapes[value.name], generator) for value in program.main.inputs}


def _quote_names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
