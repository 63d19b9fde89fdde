"""`netc run`: a spec or an ONNX model on arrays, in ONNX Runtime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.backends.backend import has_suffix
from netc.compiler.backends.onnx import BACKEND

from ..files.atomic_writing import check_place, write_bytes
from .command_failure import Failed
from .completion import FileName
from .program import DRAWN
from .shared_options import (
    DEVICES,
    choose,
    device_option,
    named_words,
    one_source,
    precision_options,
    read_by,
    refuse_overwriting,
    source_options,
    spec_options,
    weight_options,
)
from .terminal import note, visible, write

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.types.numpy_types import Array

    from ..inputs.checkpoint import Checkpoint
    from .runnable import Runnable


@click.command("run")
@source_options
@click.option("--input", "files", multiple=True, metavar="NAME=X.npy", callback=named_words, help="Read an input from this file.")
@click.option("--random", is_flag=True, help="Fill the other inputs with random numbers from --seed; integers are 0 or 1.")
@device_option("Device to run on.")
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
    from . import runnable

    path = one_source(file, text)
    if output is not None and os.path.splitext(output)[1].lower() != ".npz":
        raise click.UsageError(f"the results are kept as .npz, and `{output}` does not end so")
    refuse_overwriting(output, path, *read_by(weights), *files.values())
    if output is not None:
        check_place(output)
    if path is not None and has_suffix(BACKEND, path):
        if model is not None or params or weights is not None or allow_paths or dtype is not None:
            raise click.UsageError("an ONNX model is already compiled: --model, --set, --allow-path, --dtype and --weights are for specs")
        made = runnable.of_onnx(path, dims, device)
    else:
        made = runnable.of_spec(path, text, choose(model, params, dims, allow_paths, dtype, keep_io), weights, seed, device)
    if device != DEVICES[0]:
        note(made.session.placement().format_sentence(device))
    results = _run(made.session, _arrays(made, files, random, seed or 0))
    write("\n".join(_shown(name, array) for name, array in results.items()))
    if made.drawn and files:  # where all is random, nobody takes it for a prediction
        note(DRAWN)
    if output is not None:
        write_bytes(output, runnable.npz(results))


def _arrays(made: Runnable, files: dict[str, str], random: bool, seed: int) -> dict[str, Array]:
    import numpy as np

    from ..inputs.random_inputs import random_array
    from .runnable import load_array

    ports = made.session.inputs
    arrays = {name: load_array(path) for name, path in files.items()}
    unknown = next((name for name in arrays if name not in ports), None)
    if unknown is not None:
        raise Failed(f"the model has no input `{unknown}`: its inputs are " + ", ".join(f"`{name}`" for name in ports))
    missing = [name for name in ports if name not in arrays]
    if missing and not random:
        needed = ", ".join(f"`{name}`: {ports[name]}" for name in missing)
        raise click.UsageError(visible(f"the model needs {needed}; give `--input {missing[0]}=FILE.npy`, or `--random`"))
    if missing:
        generator = np.random.default_rng(seed)
        shapes = made.shapes()
        arrays |= {name: random_array(ports[name].dtype, shapes[name], generator) for name in missing}
    return arrays


def _run(session: OnnxSession, arrays: dict[str, Array]) -> dict[str, Array]:
    try:
        results: Any = session(**arrays)
    except ValueError as error:
        raise Failed(str(error)) from None
    return results if isinstance(results, dict) else dict.fromkeys(session.outputs, results)


def _shown(name: str, array: Array) -> str:
    import numpy as np

    values = np.array2string(array, threshold=100, edgeitems=3, precision=4, max_line_width=10_000)
    return f"{visible(name)}: {array.dtype} {list(array.shape)}\n{values}"
