"""`netc compile`: a spec to a backend's file, or to the output of a stage before the backend.

Out: one file, two for a stream that computes something once before its first step, or a folder for a runtime that generates text.
Always: contradictions of options are errors before netc compiles anything (`compile_checks`).

    $ netc compile -e 'input 3 -> dense 2' --target torch
    ...
        def __init__(self) -> None:
            super().__init__()
            self.dense1 = nn.Linear(3, 2)

        def forward(self, input: Tensor) -> Tensor:
            return self.dense1(input)
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.backends.backend import BackendInput, has_suffix
from netc.compiler.backends.backend_registry import NAMES, find_backend, get_or_raise
from netc.dsl.record import replace

from ..analysis import read_and_analyze_training
from ..emit_stages import STAGES
from ..errors import CompileError
from ..files.atomic_writing import check_writable, write_bytes
from ..files.save_artifacts import require_backend, save_artifact
from ..inputs.argument_checks import MAX_LOOKAHEAD, QUANTIZATION_METHODS, RUNTIMES, SERVERS, check_graph_options
from ..inputs.source_options import make_source_options
from .command_failure import CommandFailed
from .compile_checks import BACKENDS, SECTION, CompileOptions, check_for_stage, check_for_target, check_options
from .completion import FileName
from .example_files import check_example, write_example_file
from .program import compile_spec, note_random_parameters, raise_as_usage_error
from .range_options import check_keep_options, keep_chosen_stages, parse_keep
from .report import report_and_exit, report_diagnostics
from .shared_options import (
    calibration_option,
    graph_options,
    list_weight_paths,
    make_choice,
    precision_options,
    refuse_overwriting,
    require_one_source,
    section_option,
    source_options,
    spec_options,
    weight_options,
)
from .spec_sources import make_reader
from .terminal import defer_garbage_collection, limit_blas_threads, write_note, write_status
from .write_progress import show_write_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from netc.compiler.backends.backend import Backend, GraphOptions
    from netc.compiler.ir.training_program import Training
    from netc.dsl.source import SourceFile

    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint
    from ..model import Model

    Reader = Callable[[], tuple[SourceFile, str | None]]

OUTPUT_NAMES = " or ".join(dict.fromkeys(f"NAME{backend.suffix}" for backend in BACKENDS))
EXAMPLE_LANGUAGES = ("python", "javascript", "c++")
TARGET_HELP = f"Kind of output; by default, the ending of OUT decides. `{SECTION}` writes the train section as a Python file."
TRAIN_HELP = "With --target flax or torch: write the train section as a Python file that trains the network."
TEXT_TARGETS = tuple(f"--target {backend.name}" for backend in BACKENDS if not backend.is_binary)
SCAN_HELP = "With --target flax: write equal layers of a `repeat` as one `jax.lax.scan`, which compiles one layer for all."
TP_HELP = "With --target flax: write how K devices share the layers (tensor parallelism), and a function that places a module on them."
FOR_HELP = f"Write a folder: with --stream, one from which {RUNTIMES[0]} generates text; for {SERVERS[0]}, the model in a model repository."
KEEP_HELP = "With --dtype float16: keep these stages in float32, or with `auto` the stages whose numbers float16 cannot hold."
HELP = f"Without -o, {', '.join(TEXT_TARGETS)} and --emit write to standard output."


@click.command("compile", help=HELP)
@source_options
@click.option("-o", "--output", metavar="OUT", type=FileName(), help=f"Write here: {OUTPUT_NAMES}, or `-` for standard output.")
@click.option("--target", type=click.Choice((*NAMES, SECTION)), help=TARGET_HELP)
@click.option("--train", is_flag=True, help=TRAIN_HELP)
@section_option(f"With --train or --target {SECTION}: select a train section of the file.")
@click.option("--stream", metavar="T", help="Write the form that takes the sequence in pieces along this dimension, and carries a state.")
@click.option("--lookahead", metavar="N", type=click.IntRange(1, MAX_LOOKAHEAD), help="With --stream: give the outputs N positions later.")
@click.option("--for", "runtime", type=click.Choice((*RUNTIMES, *SERVERS)), help=FOR_HELP)
@click.option("--emit", type=click.Choice(STAGES), help="Show the output of one stage of the compiler, as text.")
@click.option(
    "--quantize",
    type=click.Choice(QUANTIZATION_METHODS),
    help="Write an ONNX model with weights of 8 or 4 bits, and report what that changes.",
)
@calibration_option("Inputs by name: with --quantize int8, to fix the scales of activations; with --keep auto, to find large numbers.")
@click.option("--keep", metavar="auto|STAGE,...", callback=parse_keep, help=KEEP_HELP)
@click.option(
    "--example",
    type=click.Choice(EXAMPLE_LANGUAGES),
    help="Also write a program that predicts with the ONNX file of a run, and needs ONNX Runtime only.",
)
@click.option("--verbose", is_flag=True, help="Also report operators that differ in the target's runtime for NaN or infinite inputs.")
@click.option("--scan-layers", is_flag=True, help=SCAN_HELP)
@click.option("--tp", type=click.IntRange(1), default=1, metavar="K", help=TP_HELP)
@precision_options
@graph_options
@spec_options
@weight_options
def command(
    file: str | None,
    text: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None,
    keep_io: bool,
    weights: Checkpoint | None,
    seed: int | None,
    **wishes: Any,
) -> None:
    defer_garbage_collection()
    limit_blas_threads()
    options = CompileOptions(**wishes, has_weights=weights is not None or seed is not None)
    path = require_one_source(file, text)
    refuse_overwriting(options.output, path, *list_weight_paths(weights), options.calibration)
    read = make_reader(path, text)
    choice = make_choice(model, params, dims, allow_paths, dtype, keep_io)
    check_options(options)
    check_keep_options(options.keep, dtype, options.writes_model, options.has_weights)
    if options.output is not None and options.runtime is None:
        check_writable(options.output)  # a folder that is missing is reported at once, not after minutes of drawing weights
    if options.emit is not None:
        check_for_stage(options.emit, options.output, {"--model": model, "--set": params, "--dim": dims, "--dtype": dtype})
        _write_stage(options.emit, read, choice, options)
    elif options.writes_section:
        _write_train_section(read, choice, options)
    elif options.runtime in SERVERS:
        _write_repository_entry(read, choice, weights, seed, options)
    elif options.stream is not None and options.runtime is not None:
        _write_runtime_folder(read, choice, weights, seed, options)
    else:
        _write_target(read, choice, weights, seed, options)


def _write_target(read: Reader, choice: Choice, weights: Checkpoint | None, seed: int | None, options: CompileOptions) -> None:
    """Write the file of a backend: the full model, or its streaming step."""
    backend = _choose_backend(options.target, options.output)
    check_for_target(backend, options)
    graph = check_graph_options(**options.graph)
    compiled = compile_spec(read, choice)
    if options.stream is not None:
        _write_stream(compiled, options.stream, backend, weights, seed, graph, options)
    else:
        if options.keep is not None:
            compiled = keep_chosen_stages(compiled, options.keep, weights, seed, options.calibration)
        inputs = compiled.backend_input(weights, seed, graph)
        try:
            inputs = replace(inputs, source_options=make_source_options(compiled.program, options.scan_layers, options.tp))
        except CompileError as error:
            report_and_exit(error.diagnostics)
        if options.example is not None:
            check_example(inputs, options.output or "-", options.example)  # before the model is written
        _write_model(inputs, backend, options)
        if options.example is not None:
            write_example_file(options.output or "-", options.example)
    if options.tp > 1:
        from ..training.shardable_layers import require_program_plan

        write_note(require_program_plan(compiled.program, options.tp).format_summary(options.tp))
    note_random_parameters(compiled, options.has_weights or not backend.holds_weights)


def _write_model(inputs: BackendInput, backend: Backend, options: CompileOptions) -> None:
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
    paths = model_stream.save(options.output or "-", backend, weights, seed, graph)
    for line in (*model_stream.notes(paths), *backend.notes(BackendInput(model_stream.step, compiled.name), verbose=options.verbose)):
        write_note(line)


def _write_runtime_folder(read: Reader, choice: Choice, weights: Checkpoint | None, seed: int | None, options: CompileOptions) -> None:
    """Write the folder from which a runtime generates text."""
    compiled = compile_spec(read, choice)
    assert options.stream is not None
    assert options.runtime is not None
    assert options.output is not None
    try:
        stream = compiled.stream(options.stream)
        notes = stream.save_for(options.runtime, options.output, weights, seed, check_graph_options(**options.graph))
    except CompileError as error:
        report_and_exit(error.diagnostics)
    for line in notes:
        write_note(line)
    note_random_parameters(compiled, options.has_weights)


def _write_repository_entry(read: Reader, choice: Choice, weights: Checkpoint | None, seed: int | None, options: CompileOptions) -> None:
    """Write a model of Triton's model repository."""
    from ..prediction.model_signature import read_metadata_signature
    from ..serving.triton_repository import write_repository_entry
    from .model_names import choose_model_name

    compiled = compile_spec(read, choice)
    inputs = compiled.backend_input(weights, seed, check_graph_options(**options.graph))
    backend, repository = get_or_raise("onnx"), options.output or ""
    name = choose_model_name(inputs.name)

    def write_model(path: str) -> None:
        _write_model(inputs, backend, replace(options, output=path))

    try:
        entry = write_repository_entry(repository, name, write_model, read_metadata_signature(dict(inputs.options.metadata)))
    except FileExistsError as error:
        raise CommandFailed(f"`{error.filename}` exists already", "remove it, or name another repository") from None
    for file in entry.files:
        write_status(f"wrote {file}")
    if entry.obstacle:
        write_note(f"Triton runs each request alone, because {entry.obstacle}")
    note_random_parameters(compiled, options.has_weights)


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


def _write_train_section(read: Reader, choice: Choice, options: CompileOptions) -> None:
    output = "-" if options.output is None else options.output
    if output != "-" and not output.endswith(".py"):
        raise click.UsageError("a train section becomes a Python file: give -o NAME.py")
    from ..training.training_session import check_section

    analysis = read_and_analyze_training(read, choice, options.section)
    problems = check_section(analysis.training) if analysis.training is not None else []
    diagnostics = (*analysis.diagnostics, *problems)
    if analysis.training is None or any(d.severity == "error" for d in problems):
        report_and_exit(diagnostics)
    report_diagnostics(diagnostics, "text", sys.stderr)
    write_bytes(output, _emit_train_section(analysis.training, options.target).encode("utf-8", "backslashreplace"))


def _emit_train_section(training: Training, target: str | None) -> str:
    if target == "flax":
        from ..training.source.flax_file import emit_flax_file

        return emit_flax_file(training)
    from ..training.source import emit_training_file

    return emit_training_file(training)


def _write_stage(stage: str, read: Reader, choice: Choice, options: CompileOptions) -> None:
    from ..emit_stages import emit_stage

    stage_text, diagnostics = emit_stage(stage, read, choice, **options.graph)
    if stage_text is None:
        report_and_exit(diagnostics)
    write_bytes(options.output or "-", stage_text.encode("utf-8", "backslashreplace"))
