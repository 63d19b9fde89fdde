"""`netc run`: run a spec or an ONNX model on arrays, and show the outputs. ONNX models run in ONNX Runtime or another runtime, specs also
in JAX or MLX.

$ netc run --random -e 'input 2 -> relu'
output: float32 [1, 2]
[[1.1176 0.    ]]
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.backends.backend import has_suffix
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.runtime_profiles import PROFILES

from ..files.atomic_writing import check_writable, write_bytes
from .command_failure import CommandFailed
from .completion import FileName
from .program import RANDOM_PARAMETERS_NOTE
from .shared_options import (
    DEVICES,
    device_option,
    list_weight_paths,
    make_choice,
    parse_pairs,
    precision_options,
    refuse_overwriting,
    require_one_source,
    source_options,
    spec_options,
    weight_options,
)
from .terminal import to_printable, write_note, write_status, write_text

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from ..inputs.checkpoint import Checkpoint
    from .runnable import RunSession, RunTarget


ONNX_RUNTIME = "onnxruntime"
SESSIONS = {
    "flax": "JAX chooses its device itself: set the variable JAX_PLATFORMS instead of --device",
    "mlx": "MLX chooses its device itself, and has no option for it: leave out --device",
}
"""The other backends than ONNX Runtime, with the message for `--device`."""


@click.command("run")
@source_options
@click.option("--input", "files", multiple=True, metavar="NAME=X.npy", callback=parse_pairs, help="Read an input from this file.")
@click.option("--random", is_flag=True, help="Fill the other inputs with random numbers from --seed; integers are 0 or 1.")
@device_option("Device to run on.")
@click.option(
    "--backend",
    type=click.Choice(["onnx", *SESSIONS]),
    default="onnx",
    help="Run a spec in ONNX Runtime, JAX or MLX.",
    show_default=True,
)
@click.option(
    "--runtime",
    type=click.Choice([ONNX_RUNTIME, *PROFILES]),
    default=ONNX_RUNTIME,
    help="Run the ONNX model in this runtime, on the CPU.",
    show_default=True,
)
@click.option("-o", "--output", metavar="OUT.npz", type=FileName(), help="Write the outputs to this file.")
@precision_options
@spec_options
@weight_options
def command(
    file: str | None,
    text: str | None,
    files: dict[str, str],
    random: bool,
    device: str,
    backend: str,
    runtime: str,
    output: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None,
    keep_io: bool,
    weights: Checkpoint | None,
    seed: int | None,
) -> None:
    """Without --weights, the parameters are random numbers from --seed, which is 0 by default."""
    from netc.compiler.backends.onnx.runtime import OnnxSession

    from . import runnable

    path = require_one_source(file, text)
    if output is not None and os.path.splitext(output)[1].lower() != ".npz":
        raise click.UsageError(f"the results are kept as .npz, and `{output}` does not end so")
    refuse_overwriting(output, path, *list_weight_paths(weights), *files.values())
    if output is not None:
        check_writable(output)
    if backend in SESSIONS and device != DEVICES[0]:
        raise click.UsageError(SESSIONS[backend])
    other_runtime = None if runtime == ONNX_RUNTIME else runtime
    if other_runtime is not None:
        _check_runtime(runtime, backend, device)
    if path is not None and has_suffix(BACKEND, path):
        if backend in SESSIONS:
            raise click.UsageError(f"an ONNX model runs in ONNX Runtime: `--backend {backend}` is for specs")
        if model is not None or params or weights is not None or allow_paths or dtype is not None:
            raise click.UsageError("an ONNX model is already compiled: --model, --set, --allow-path, --dtype and --weights are for specs")
        target = runnable.open_onnx(path, dims, device, other_runtime)
    else:
        open_onnx_spec = partial(runnable.open_spec, runtime=other_runtime)
        open_spec = {"flax": runnable.open_flax_spec, "mlx": runnable.open_mlx_spec}.get(backend, open_onnx_spec)
        target = open_spec(path, text, make_choice(model, params, dims, allow_paths, dtype, keep_io), weights, seed, device)
    if device != DEVICES[0] and isinstance(target.session, OnnxSession):
        write_status(target.session.placement().format_sentence(device))
    results = _run_session(target.session, _read_inputs(target, files, random, seed or 0))
    write_text("\n".join(_format_array(name, array) for name, array in results.items()))
    if target.has_random_parameters and files:  # with random inputs too, nobody takes the outputs for predictions
        write_note(RANDOM_PARAMETERS_NOTE)
    if output is not None:
        write_bytes(output, runnable.encode_npz(results))


def _check_runtime(runtime: str, backend: str, device: str) -> None:
    title = PROFILES[runtime].title
    if backend in SESSIONS:
        raise click.UsageError(f"--runtime {runtime} runs an ONNX model: it goes without --backend {backend}")
    if device != DEVICES[0]:
        raise click.UsageError(f"netc runs {title} on the CPU: --runtime {runtime} goes without --device {device}")


def _read_inputs(target: RunTarget, files: dict[str, str], random: bool, seed: int) -> dict[str, Array]:
    import numpy as np

    from ..inputs.random_inputs import draw_array
    from .runnable import load_array

    ports = target.session.inputs
    arrays = {name: load_array(path) for name, path in files.items()}
    unknown = next((name for name in arrays if name not in ports), None)
    if unknown is not None:
        raise CommandFailed(f"the model has no input `{unknown}`: its inputs are " + ", ".join(f"`{name}`" for name in ports))
    missing = [name for name in ports if name not in arrays]
    if missing and not random:
        needed = ", ".join(f"`{name}`: {ports[name]}" for name in missing)
        raise click.UsageError(to_printable(f"the model needs {needed}; give `--input {missing[0]}=FILE.npy`, or `--random`"))
    if missing:
        generator = np.random.default_rng(seed)
        # only if an input is drawn, because choosing sizes may fail
        shapes = target.shapes()
        arrays |= {name: draw_array(ports[name].dtype, shapes[name], generator) for name in missing}
    return arrays


def _run_session(session: RunSession, arrays: dict[str, Array]) -> dict[str, Array]:
    try:
        results: Any = session(**arrays)
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    # a session returns its only output alone
    return results if isinstance(results, dict) else dict.fromkeys(session.outputs, results)


def _format_array(name: str, array: Array) -> str:
    import numpy as np

    values = np.array2string(array, threshold=100, edgeitems=3, precision=4, max_line_width=10_000)
    return f"{to_printable(name)}: {array.dtype} {list(array.shape)}\n{values}"
