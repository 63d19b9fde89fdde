"""Write the file of a backend for `netc compile`: the full model, or the step of its stream.

In: a reader of the spec, the choice of a model, weights, and the options. Out: one file, or several for a stream that computes something
before its first step or after its last one. Always: the notes of the backend follow once the files are complete.

For example, `-o NAME.onnx` gives an ONNX model, and `-o NAME.py` the source of a PyTorch module.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from netc.compiler.backends.backend import BackendInput, has_suffix
from netc.compiler.backends.backend_registry import find_backend, get_or_raise
from netc.compiler.errors.kernel_errors import DEVICE_TITLES
from netc.dsl.record import replace

from ..errors import CompileError
from ..files.save_artifacts import require_backend, save_artifact
from ..inputs.argument_checks import check_graph_options
from ..inputs.source_options import make_source_options
from .check_devices import choose_graph_options
from .compile_checks import BACKENDS, CompileOptions, check_for_target
from .example_files import check_example, write_example_file
from .program import compile_spec, note_random_parameters, raise_as_usage_error
from .range_options import keep_chosen_stages
from .report import report_and_exit
from .shared_options import refuse_overwriting
from .terminal import write_note
from .write_progress import show_write_progress

if TYPE_CHECKING:
    from netc.compiler.backends.backend import Backend, GraphOptions

    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint
    from ..model import Model
    from .spec_sources import Reader

OUTPUT_NAMES = " or ".join(dict.fromkeys(f"NAME{backend.suffix}" for backend in BACKENDS))
TEXT_TARGETS = tuple(f"--target {backend.name}" for backend in BACKENDS if not backend.is_binary)


def write_target(read: Reader, choice: Choice, weights: Checkpoint | None, seed: int | None, options: CompileOptions) -> None:
    """Write the file of a backend: the full model, or its streaming step."""
    # a program of `--for` takes an ONNX model, whatever its name
    backend = _choose_backend(options.target if options.runtime is None else "onnx", options.output)
    check_for_target(backend, options)
    device = options.runtime if options.runtime in DEVICE_TITLES else None
    graph = check_graph_options(**options.graph, runtime=None if device else options.runtime)
    compiled = compile_spec(read, choice)
    if options.stream is not None:
        _write_stream(compiled, options.stream, backend, weights, seed, graph, options)
    else:
        if options.keep is not None:
            compiled = keep_chosen_stages(compiled, options.keep, weights, seed, options.calibration)
        if device is not None:
            graph = choose_graph_options(compiled.program, device, graph, options)
        inputs = compiled.backend_input(weights, seed, graph)
        try:
            inputs = replace(inputs, source_options=make_source_options(compiled.program, options.scan_layers, options.tp))
        except CompileError as error:
            report_and_exit(error.diagnostics)
        if options.example is not None:
            check_example(inputs, options.output or "-", options.example)  # before the model is written
        write_model(inputs, backend, options)
        if options.example is not None:
            write_example_file(options.output or "-", options.example)
    if options.tp > 1:
        from ..training.shardable_layers import require_program_plan

        write_note(require_program_plan(compiled.program, options.tp).format_summary(options.tp))
    note_random_parameters(compiled, options.has_weights or not backend.holds_weights)


def write_model(inputs: BackendInput, backend: Backend, options: CompileOptions) -> None:
    """Write the full model, quantized if that is asked for, and print the notes of the backend."""
    output = options.output or "-"
    with show_write_progress() as progress:
        inputs = replace(inputs, progress=progress)
        if options.quantize is not None:
            from ..quantizing import save_quantized

            for line in save_quantized(inputs, output, options.quantize, options.calibration).lines():
                write_note(line)
        else:
            save_artifact(inputs, backend, output)
    for line in backend.notes(inputs, verbose=options.verbose):
        write_note(line)


def _write_stream(
    compiled: Model,
    dimension: str,
    backend: Backend,
    weights: Checkpoint | None,
    seed: int | None,
    graph: GraphOptions,
    options: CompileOptions,
) -> None:
    """Write the streaming step, and further files for the parts of the model that run once: before it, such as an encoder, and after it."""
    from ..streaming.model_stream import list_stream_files

    try:
        model_stream = compiled.stream(dimension, options.lookahead or 0)
    except CompileError as error:
        report_and_exit(error.diagnostics)
    if options.output is not None:
        # only now are the other files known, whose names nobody has typed
        for path, _ in list_stream_files(model_stream, options.output, backend)[1:]:
            refuse_overwriting(path)
    if options.runtime in DEVICE_TITLES:
        graph = choose_graph_options(model_stream.step, options.runtime, graph, options)
    paths = model_stream.save(options.output or "-", backend, weights, seed, graph)
    for line in (*model_stream.notes(paths), *backend.notes(BackendInput(model_stream.step, compiled.name), verbose=options.verbose)):
        write_note(line)


def _choose_backend(target: str | None, output: str | None) -> Backend:
    """Return the backend of `--target`, or the backend that the ending of the output names."""
    if target is None:
        if output in (None, "-"):
            raise click.UsageError(f"give -o {OUTPUT_NAMES}, or say {' or '.join(TEXT_TARGETS)}")
        with raise_as_usage_error():
            return require_backend(output)
    backend = get_or_raise(target)
    by_name = find_backend(output) if output else None
    if by_name is not None and not has_suffix(backend, output or ""):
        raise click.UsageError(f"the name of `{output}` asks for the target {by_name.name}, and --target says {target}")
    # a pipe takes binary data, but a terminal would show it
    if backend.is_binary and (output is None or (output == "-" and sys.stdout.isatty())):
        raise click.UsageError(f"{backend.artifact} is not text: give -o NAME{backend.suffix}")
    return backend
