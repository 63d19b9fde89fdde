"""`netc compile`: a spec to what a backend makes, or to the output of a stage before it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.backends.backend import has_suffix
from netc.compiler.backends.backend_registry import NAMES, find_backend, get_or_raise, list_backends
from netc.dsl.record import replace

from ..analysis import read_and_analyze_training
from ..emit_stages import OF_TEXT, STAGES
from ..errors import CompileError
from ..files.atomic_writing import check_place, write_bytes
from ..files.save_artifacts import backend_for, refuse_all, refuse_options, refuse_weights, save
from ..inputs.argument_checks import METHODS, RUNTIMES, checked_options
from .completion import FileName
from .program import compiled, note_drawn, wrong_usage
from .report import give_up_on, report
from .shared_options import (
    choose,
    graph_options,
    one_source,
    precision_options,
    read_by,
    refuse_overwriting,
    section_option,
    source_options,
    spec_options,
    weight_options,
)
from .spec_sources import reader
from .terminal import expect_no_garbage, expect_no_products, note
from .written import writing_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from netc.compiler.backends.backend import Backend, BackendInput, GraphOptions
    from netc.dsl.source import SourceFile

    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint
    from ..model import Model

BACKENDS = list_backends()
SUFFIXED = " or ".join(dict.fromkeys(f"NAME{backend.suffix}" for backend in BACKENDS))
SECTION = "train"
"""The target that is made of a train section rather than of a model: `netc.training.source`."""
TARGET_HELP = f"Kind of output; by default, the ending of OUT decides. `{SECTION}` writes the train section as a Python file."
TEXT_TARGETS = tuple(f"--target {backend.name}" for backend in BACKENDS if not backend.is_binary)
HELP = f"Without -o, {', '.join(TEXT_TARGETS)} and --emit write to standard output."


@click.command("compile", help=HELP)
@source_options
@click.option("-o", "--output", metavar="OUT", type=FileName(), help=f"Write here: {SUFFIXED}, or `-` for standard output.")
@click.option("--target", type=click.Choice((*NAMES, SECTION)), help=TARGET_HELP)
@section_option(f"With --target {SECTION}: select a train section of the file.")
@click.option("--stream", metavar="T", help="Write the form that takes the sequence in pieces along this dimension, and carries a state.")
@click.option("--for", "runtime", type=click.Choice(RUNTIMES), help="With --stream: write a folder from which this runtime generates text.")
@click.option("--emit", type=click.Choice(STAGES), help="Show the output of one stage of the compiler, as text.")
@click.option(
    "--quantize", type=click.Choice(METHODS), help="Write an ONNX model with weights of 8 or 4 bits, and report what that changes."
)
@click.option(
    "--calibration", metavar="FILE.npz", type=FileName(), help="With --quantize int8: inputs by name, to fix the scales of activations."
)
@click.option("--verbose", is_flag=True, help="Also report operators that differ in the target's runtime for NaN or infinite inputs.")
@precision_options
@graph_options
@spec_options
@weight_options
def command(
    file: str | None,
    text: str | None,
    output: str | None,
    target: str | None,
    section: str | None,
    stream: str | None,
    runtime: str | None,
    emit: str | None,
    quantize: str | None,
    calibration: str | None,
    verbose: bool,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None,
    keep_io: bool,
    weights: Checkpoint | None,
    seed: int | None,
    graph: dict[str, Any],
) -> None:
    expect_no_garbage()
    expect_no_products()
    path = one_source(file, text)
    refuse_overwriting(output, path, *read_by(weights), calibration)
    read = reader(path, text)
    choice = choose(model, params, dims, allow_paths, dtype, keep_io)
    weighted = weights is not None or seed is not None
    _refuse_contradictions(target, section, stream, emit, weighted)
    _refuse_graph_options(graph, emit, target)
    _refuse_quantizing(quantize, calibration, target == SECTION or emit is not None or stream is not None)
    _refuse_runtime(runtime, stream, target, output)
    if output is not None and runtime is None:
        check_place(output)
    if emit is not None:
        _refuse_for_stage(emit, output, model, params, dims, dtype)
        _emit(emit, read, choice, output, graph)
        return
    if target == SECTION:
        _train_section(read, choice, section, output)
        return
    if stream is not None and runtime is not None and output is not None:
        made = compiled(read, choice)
        _decoder(made, stream, runtime, output, weights, seed, checked_options(**graph))
        note_drawn(made, weighted)
        return
    backend = _backend(target, output)
    _refuse_for_target(backend, output, weighted, quantize, calibration, graph)
    options = checked_options(**graph)
    made = compiled(read, choice)
    if stream is not None:
        _stream(made, stream, backend, output, weights, seed, options, verbose)
    else:
        _whole(made.backend_input(weights, seed, options), backend, output or "-", quantize, calibration, verbose)
    note_drawn(made, weighted or not backend.holds_weights)


def _whole(given: BackendInput, backend: Backend, output: str, quantize: str | None, calibration: str | None, verbose: bool) -> None:
    """Writes the model, and says what users should know of it."""
    with writing_shown() as progress:
        given = replace(given, progress=progress)
        if quantize is not None:
            _quantized(given, output, quantize, calibration)
        else:
            save(given, backend, output)
    for one in backend.notes(given.program, verbose=verbose):
        note(f"note: {one}")


def _refuse_for_target(
    backend: Backend, output: str | None, weighted: bool, quantize: str | None, calibration: str | None, graph: dict[str, Any]
) -> None:
    """Everything that the target does not take, at once. `weighted`: weights or a seed are given."""
    from ..quantizing import check_target

    checks = [lambda: refuse_options(backend, _as_given(graph))]
    if weighted:
        checks.insert(0, lambda: refuse_weights(backend, "--weights and --seed are"))
    if quantize is not None:
        checks.append(lambda: check_target(backend, output or "-", quantize, calibration is not None, "functions" in graph))
    with wrong_usage():
        refuse_all(*checks)


def _refuse_graph_options(graph: dict[str, Any], emit: str | None, target: str | None) -> None:
    """Options of ONNX graphs where none is written."""
    if graph and emit not in (None, *(one.name for one in BACKENDS if one.takes_options)):
        raise click.UsageError(f"{_listed(graph)} for graphs of ONNX, not for --emit {emit}")
    if graph and target == SECTION:
        raise click.UsageError(f"{_listed(graph)} for graphs of ONNX, not for --target {SECTION}")


def _refuse_contradictions(target: str | None, section: str | None, stream: str | None, emit: str | None, weighted: bool) -> None:
    """Options that do not go together. `weighted`: weights or a seed are given."""
    if stream is not None and (emit is not None or target == SECTION):
        raise click.UsageError("--stream is for a file or a text of a target")
    if emit is not None and (target is not None or weighted):
        raise click.UsageError("--emit shows a stage as text: it goes without --target, --weights and --seed")
    if target == SECTION and weighted:
        raise click.UsageError(f"--target {SECTION} writes a text, which holds no weights: it takes neither --weights nor --seed")
    if section is not None and target != SECTION:
        raise click.UsageError(f"--section is for --target {SECTION}")


def _refuse_for_stage(
    stage: str, output: str | None, model: str | None, params: Mapping[str, object], dims: Mapping[str, int], dtype: str | None
) -> None:
    """What the text of a stage does not depend on, and a name that promises something else than this text."""
    given = {"--model": model, "--set": params, "--dim": dims, "--dtype": dtype}
    words = [word for word, value in given.items() if value]
    if words and stage in OF_TEXT:
        raise click.UsageError(f"--emit {stage} shows the text before there is a model: it goes without {' and '.join(words)}")
    meant = find_backend(output) if output else None
    if meant is not None and (meant.is_binary or stage not in NAMES or not has_suffix(get_or_raise(stage), output or "")):
        raise click.UsageError(f"the name of `{output}` asks for {meant.artifact}, and --emit {stage} writes another text")


def _refuse_quantizing(method: str | None, calibration: str | None, other: bool) -> None:
    """`other`: something else than a model is written."""
    if method is not None and other:
        raise click.UsageError(f"--quantize is for an ONNX model: it goes without --emit, --stream and --target {SECTION}")
    if method is None and calibration is not None:
        raise click.UsageError("--calibration is for --quantize")


def _refuse_runtime(runtime: str | None, stream: str | None, target: str | None, output: str | None) -> None:
    if runtime is None:
        return
    if stream is None:
        raise click.UsageError(f"--for {runtime} is for --stream T: the runtime gives a model its tokens in pieces")
    if target not in (None, "onnx"):
        raise click.UsageError(f"--for {runtime} writes an ONNX model: it goes without --target {target}")
    if output in (None, "-") or find_backend(output or "") is not None:
        raise click.UsageError(f"--for {runtime} writes several files: give -o FOLDER")


def _decoder(
    made: Model,
    dimension: str,
    runtime: str,
    folder: str,
    weights: Checkpoint | None,
    seed: int | None,
    options: GraphOptions,
) -> None:
    """Writes the folder of a runtime that generates texts."""
    try:
        notes = made.stream(dimension).save_for(runtime, folder, weights, seed, options)
    except CompileError as error:
        give_up_on(error.diagnostics)
    for one in notes:
        note(f"note: {one}")


def _quantized(given: BackendInput, output: str, method: str, calibration: str | None) -> None:
    from ..quantizing import save_quantized

    for line in save_quantized(given, output, method, calibration).lines():
        note(f"note: {line}")


def _as_given(graph: Iterable[str]) -> list[str]:
    """Options of graphs as they are written on the command line."""
    return ["--no-optimize" if name == "optimize" else f"--{name}" for name in graph]


def _listed(graph: Collection[str]) -> str:
    """All of them, as the subject of a sentence."""
    return ", ".join(_as_given(graph)) + (" is" if len(graph) == 1 else " are")


def _stream(
    made: Model,
    dimension: str,
    backend: Backend,
    output: str | None,
    weights: Checkpoint | None,
    seed: int | None,
    options: GraphOptions,
    verbose: bool,
) -> None:
    """Writes a step, and a second file of what is computed before it."""
    from ..streaming.model_stream import make_start_path

    try:
        found = made.stream(dimension)
    except CompileError as error:
        give_up_on(error.diagnostics)
    if found.start is not None and output is not None:
        refuse_overwriting(make_start_path(output, backend))
    written = found.save(output or "-", backend, weights, seed, options)
    for one in (*found.notes(written), *backend.notes(found.step, verbose=verbose)):
        note(f"note: {one}")


def _backend(target: str | None, output: str | None) -> Backend:
    if target is None:
        if output in (None, "-"):
            raise click.UsageError(f"give -o {SUFFIXED}, or say {' or '.join(TEXT_TARGETS)}")
        with wrong_usage():
            return backend_for(output)
    backend = get_or_raise(target)
    meant = find_backend(output) if output else None
    if meant is not None and not has_suffix(backend, output or ""):
        raise click.UsageError(f"the name of `{output}` asks for the target {meant.name}, and --target says {target}")
    if backend.is_binary and (output is None or (output == "-" and sys.stdout.isatty())):
        raise click.UsageError(f"{backend.artifact} is not text: give -o NAME{backend.suffix}")
    return backend


def _train_section(read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, section: str | None, output: str | None) -> None:
    if output not in (None, "-") and not (output or "").endswith(".py"):
        raise click.UsageError(f"--target {SECTION} makes a Python file: give -o NAME.py")
    from ..training.source import emit_training_file
    from ..training.training_session import check_section

    analysis = read_and_analyze_training(read, choice, section)
    problems = check_section(analysis.training) if analysis.training is not None else []
    diagnostics = (*analysis.diagnostics, *problems)
    if analysis.training is None or any(d.severity == "error" for d in problems):
        give_up_on(diagnostics)
    report(diagnostics, "text", sys.stderr)
    write_bytes(output or "-", emit_training_file(analysis.training).encode("utf-8", "backslashreplace"))


def _emit(stage: str, read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, output: str | None, graph: dict[str, Any]) -> None:
    from ..emit_stages import emit

    shown, diagnostics = emit(stage, read, choice, **graph)
    if shown is None:
        give_up_on(diagnostics)
    write_bytes(output or "-", shown.encode("utf-8", "backslashreplace"))
