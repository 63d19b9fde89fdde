"""What `netc run` runs: a session, and the sizes that random inputs get."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import quote
from zipfile import ZipFile

import numpy as np

from netc.compiler.backends.onnx import list_dtypes
from netc.compiler.backends.onnx.execution_providers import DeviceUnavailable, list_providers
from netc.compiler.backends.onnx.runtime import OnnxSession, UnknownPort
from netc.compiler.backends.onnx.runtime_failures import is_runtime_error, kernel_hints, runtime_message
from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.numpy_files import read_npy
from netc.dsl.record import Record

from ..files.array_files import UnreadableArrays, read_arrays
from ..inputs.random_inputs import BATCH, USUAL, NoSizes, shapes_of
from .command_failure import Failed, no_file
from .program import compiled, is_drawn
from .spec_sources import reader

if TYPE_CHECKING:
    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint

Shapes = dict[str, tuple[int, ...]]


class Runnable(Record):
    """`shapes` gives a shape for each input; `drawn`: the parameters are random numbers that nobody asked for."""

    session: OnnxSession
    shapes: Callable[[], Shapes]
    drawn: bool = False


def of_spec(path: str | None, text: str | None, choice: Choice, weights: Checkpoint | None, seed: int | None, device: str) -> Runnable:
    """A spec, compiled."""
    model = compiled(reader(path, text), choice)

    def shapes() -> Shapes:
        try:
            return shapes_of(model.program)
        except NoSizes as error:
            raise Failed(str(error), "fix them: `--dim NAME=SIZE`") from None

    _check(device)
    held = list_dtypes(model.program) if device == "cpu" else frozenset[str]()
    session = _started(lambda: model.session(weights, seed, device), "the model", held)
    return Runnable(session, shapes, is_drawn(model, weights is not None or seed is not None))


def of_onnx(path: str, dims: dict[str, int], device: str) -> Runnable:
    """A file. `dims` are the sizes of symbolic axes."""
    _check(device)
    if os.path.isdir(path):
        raise no_file(path)
    session = _started(lambda: OnnxSession(path, device), f"`{path}`")
    axes = {axis for port in session.inputs.values() for axis in port.shape if isinstance(axis, str)}
    unknown = next((name for name in dims if name not in axes), None)
    if unknown is not None:
        known = ", ".join(f"`{axis}`" for axis in sorted(axes) if axis) or "none"
        raise Failed(f"the model has no dimension `{unknown}`: its symbolic dimensions are {known}")
    sizes = {axis: dims.get(axis, 1 if axis == BATCH else USUAL) for axis in axes}
    shapes = {name: tuple(sizes[d] if isinstance(d, str) else d for d in port.shape) for name, port in session.inputs.items()}
    return Runnable(session, lambda: shapes)


def _check(device: str) -> None:
    """Fails at once if a device is not available."""
    try:
        list_providers(device)
    except DeviceUnavailable as error:
        raise Failed(str(error)) from None


def _started(start: Callable[[], OnnxSession], what: str, held: Collection[str] = ()) -> OnnxSession:
    try:
        return start()
    except DeviceUnavailable as error:
        raise Failed(str(error)) from None
    except UnknownPort as error:
        raise Failed(f"netc cannot run {what}: {error}") from None
    except FileNotFoundError:
        raise Failed(f"cannot read {what}: there is no such file") from None
    except Exception as error:
        if not is_runtime_error(error):
            raise
        message = runtime_message(str(error.__cause__ or error))  # of a model, the cause: the session has worded it already
        raise Failed(f"ONNX Runtime cannot load {what}: {message}", *kernel_hints(message, held)) from None


# Arrays for `netc run`: from `.npy` files, or a `Failed` with the reason; and into an `.npz` file.


_LONGEST_NAME = 10_000
"""Bytes of the name of an array; the format has two bytes for this number."""


def load_array(path: str) -> Array:
    """The array in a file. Nothing in it is executed."""
    try:
        return read_arrays(path, read_npy, ".npy")
    except UnreadableArrays as error:
        other = not path.lower().endswith(".npy")
        raise Failed(str(error), *(('NumPy writes such a file: `numpy.save("x.npy", rows)`',) if other else ())) from None


def npz(arrays: Mapping[str, Array]) -> bytes:
    """The content of an `.npz` file. `numpy.savez` has names that an array may not have, such as `file`.

    Names that would be paths for who unpacks it are percent-encoded: `%2Flayer%2Fout`.
    """
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{_member_name(name)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array)
    return buffer.getvalue()


def _member_name(name: str) -> str:
    shown = "".join(quote(c, safe="", errors="backslashreplace") if c in "/\\:%" or not c.isprintable() else c for c in name)
    if len(shown.encode()) > _LONGEST_NAME:
        raise Failed(f"an output has a name of {len(name)} characters, which is too long for a file")
    return shown
