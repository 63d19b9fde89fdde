"""Open a spec or an ONNX file in ONNX Runtime, and read and write arrays, for `netc run`.

In: a path and the options. Out: a session, and a function that chooses the shapes of random inputs. Always: a failure is a `CommandFailed`
that says what to change. Nothing in a file of arrays is executed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Protocol, TypeVar
from zipfile import ZipFile

import numpy as np

from netc.compiler.backends.onnx import list_dtypes
from netc.compiler.backends.onnx.execution_providers import DeviceUnavailable, list_providers
from netc.compiler.backends.onnx.runtime import OnnxSession, UnknownPort
from netc.compiler.backends.onnx.runtime_failures import is_runtime_error, kernel_hints, runtime_message
from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.numpy_files import read_npy
from netc.dsl.record import Record

from ..files.array_files import UnreadableArrays, make_member_name, read_arrays
from ..inputs.random_inputs import BATCH, DEFAULT_SIZE, NoSizes, choose_input_shapes
from ..runtimes.open_session import open_session
from ..runtimes.runtime_session import LoadFailed, RuntimeSession, RuntimeUnavailable
from .command_failure import CommandFailed, missing_file
from .program import compile_spec, has_random_parameters
from .spec_sources import make_reader

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.compiler.ir.ports import Port

    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint

S = TypeVar("S")
Shapes = dict[str, tuple[int, ...]]


class RunSession(Protocol):
    """A model that runs, called with arrays by the names of its inputs."""

    @property
    def inputs(self) -> Mapping[str, Port]: ...

    @property
    def outputs(self) -> Iterable[str]: ...

    def __call__(self, /, *arrays: object, **named: object) -> Array | dict[str, Array]: ...


class RunTarget(Record):
    """A session. `shapes` returns a shape for each input; `has_random_parameters`: the parameters are random, and nobody asked for that."""

    session: RunSession
    shapes: Callable[[], Shapes]
    has_random_parameters: bool = False


def open_flax_spec(
    path: str | None, text: str | None, choice: Choice, weights: Checkpoint | None, seed: int | None, device: str
) -> RunTarget:
    """Compile a spec and open it in JAX. Without weights, the seed draws the same parameters as for ONNX Runtime."""
    from netc.compiler.backends.flax.live_flax import FlaxSession

    model = compile_spec(make_reader(path, text), choice)
    session = FlaxSession(model.program, model.flax(weights, seed or 0), list(model.outputs))
    return RunTarget(session, lambda: _choose_shapes(model.program), has_random_parameters(model, weights is not None or seed is not None))


def open_mlx_spec(
    path: str | None, text: str | None, choice: Choice, weights: Checkpoint | None, seed: int | None, device: str
) -> RunTarget:
    """Compile a spec and open it in MLX. Without weights, the seed draws the same parameters as for ONNX Runtime."""
    from netc.compiler.backends.mlx.live_mlx import MlxSession

    model = compile_spec(make_reader(path, text), choice)
    session = MlxSession(model.program, model.mlx(weights, seed or 0), list(model.outputs))
    return RunTarget(session, lambda: _choose_shapes(model.program), has_random_parameters(model, weights is not None or seed is not None))


def _choose_shapes(program: Program) -> Shapes:
    try:
        return choose_input_shapes(program)
    except NoSizes as error:
        raise CommandFailed(str(error), "fix them: `--dim NAME=SIZE`") from None


def open_spec(
    path: str | None,
    text: str | None,
    choice: Choice,
    weights: Checkpoint | None,
    seed: int | None,
    device: str,
    runtime: str | None = None,
) -> RunTarget:
    """Compile a spec and open it in ONNX Runtime, or in another runtime."""
    model = compile_spec(make_reader(path, text), choice)
    check_device(device)
    # the hints for a message are about kernels that only the CPU lacks
    dtypes = list_dtypes(model.program) if device == "cpu" else frozenset[str]()
    session = start_session(lambda: model.session(weights, seed, device, runtime=runtime), "the model", dtypes)
    return RunTarget(session, lambda: _choose_shapes(model.program), has_random_parameters(model, weights is not None or seed is not None))


def open_onnx(path: str, dims: dict[str, int], device: str, runtime: str | None = None) -> RunTarget:
    """Open an ONNX file in ONNX Runtime, or in another runtime. `dims` are the sizes of its symbolic axes."""
    check_device(device)
    if not os.path.isfile(path):
        raise missing_file(path)
    session: OnnxSession | RuntimeSession
    if runtime is None:
        session = start_session(lambda: OnnxSession(path, device), f"`{path}`")
    else:
        session = start_session(lambda: open_session(runtime, path), f"`{path}`")
    axes = {axis for port in session.inputs.values() for axis in port.shape if isinstance(axis, str)}
    unknown = next((name for name in dims if name not in axes), None)
    if unknown is not None:
        known = ", ".join(f"`{axis}`" for axis in sorted(axes) if axis) or "none"
        raise CommandFailed(f"the model has no dimension `{unknown}`: its symbolic dimensions are {known}")
    sizes = {axis: dims.get(axis, 1 if axis == BATCH else DEFAULT_SIZE) for axis in axes}
    shapes = {name: tuple(sizes[d] if isinstance(d, str) else d for d in port.shape) for name, port in session.inputs.items()}
    return RunTarget(session, lambda: shapes)


def check_device(device: str) -> None:
    """Fail at once if a device is not available, before weights are drawn or a file is loaded."""
    try:
        list_providers(device)
    except DeviceUnavailable as error:
        raise CommandFailed(str(error)) from None


def start_session(start: Callable[[], S], what: str, dtypes: Collection[str] = ()) -> S:
    """Call a function that starts a session, and turn its failures into a `CommandFailed`."""
    try:
        return start()
    except DeviceUnavailable as error:
        raise CommandFailed(str(error)) from None
    except (LoadFailed, RuntimeUnavailable) as error:
        raise CommandFailed(str(error)) from None
    except UnknownPort as error:
        raise CommandFailed(f"netc cannot run {what}: {error}") from None
    except FileNotFoundError:
        raise CommandFailed(f"cannot read {what}: there is no such file") from None
    except Exception as error:
        if not is_runtime_error(error):
            raise
        # `Model.session` raises an error with netc's own words; ONNX Runtime's message is in its cause
        message = runtime_message(str(error.__cause__ or error))
        raise CommandFailed(f"ONNX Runtime cannot load {what}: {message}", *kernel_hints(message, dtypes)) from None


def load_array(path: str) -> Array:
    """Return the array in a `.npy` file. Nothing in the file is executed."""
    try:
        return read_arrays(path, read_npy, ".npy")
    except UnreadableArrays as error:
        other = not path.lower().endswith(".npy")
        raise CommandFailed(str(error), *(('NumPy writes such a file: `numpy.save("x.npy", rows)`',) if other else ())) from None


def encode_npz(arrays: Mapping[str, Array]) -> bytes:
    """Return the content of an `.npz` file. `numpy.savez` takes names as keyword arguments, so no array could have the name `file`.

    A name that would be a path when somebody unpacks the file is percent-encoded: `/layer/out` is `%2Flayer%2Fout`.
    """
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            # the size is not known before writing, and without zip64 an array of 2 GiB would fail
            with archive.open(f"{_name_member(name)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array)
    return buffer.getvalue()


def _name_member(name: str) -> str:
    try:
        return make_member_name(name)
    except ValueError as error:
        raise CommandFailed(str(error)) from None
