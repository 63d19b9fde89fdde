"""The programs that `netc compile --for` writes for, and what it writes for each.

In: a name such as `triton`. Out: a `Destination`, which says whether a folder or a file is written, and how. Always: the command line, its
help and its checks follow from `DESTINATIONS`.

    >>> list_names(is_folder=True)
    ['onnxruntime-genai', 'triton', 'transformers']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from netc.compiler.backends.backend import WrongOutput
from netc.compiler.backends.backend_registry import find_backend, get_or_raise
from netc.compiler.backends.onnx.runtime_profiles import PROFILES
from netc.compiler.errors.kernel_errors import DEVICE_TITLES
from netc.dsl.record import Record, replace

from ..errors import CompileError
from ..inputs.argument_checks import check_graph_options
from .command_failure import CommandFailed
from .compile_checks import SECTION
from .program import compile_spec, note_random_parameters
from .report import report_and_exit
from .terminal import write_note, write_status
from .write_target import write_model, write_target

if TYPE_CHECKING:
    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint
    from .compile_checks import CompileOptions
    from .spec_sources import Reader

    Write = Callable[[Reader, Choice, Checkpoint | None, int | None, CompileOptions], None]


class Destination(Record):
    """A program that takes over a model. `summary` is a noun phrase for the help. `is_folder`: it gets a folder, not an ONNX file.
    `needs_stream`: it takes the step of a stream, for `--stream`. `takes_onnx`: it runs ONNX graphs, not Python."""

    name: str
    summary: str
    write: Write
    is_folder: bool = True
    needs_stream: bool = False
    takes_onnx: bool = True


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

    def write_to(path: str) -> None:
        write_model(inputs, backend, replace(options, output=path))

    try:
        entry = write_repository_entry(repository, name, write_to, read_metadata_signature(dict(inputs.options.metadata)))
    except FileExistsError as error:
        raise CommandFailed(f"`{error.filename}` exists already", "remove it, or name another repository") from None
    for file in entry.files:
        write_status(f"wrote {file}")
    if entry.obstacle:
        write_note(f"Triton runs each request alone, because {entry.obstacle}")
    note_random_parameters(compiled, options.has_weights)


def _write_transformers_folder(read: Reader, choice: Choice, weights: Checkpoint | None, seed: int | None, options: CompileOptions) -> None:
    """Write a folder for `from_pretrained` of transformers."""
    if choice.precision.keep_io:
        raise click.UsageError(f"--for {options.runtime} writes source that names no element type: it goes without --keep-io")
    compiled = compile_spec(read, choice)
    assert options.output is not None
    try:
        written = compiled.save_for("transformers", options.output, weights, seed, task=options.task)
    except FileExistsError as error:
        raise CommandFailed(f"`{error.filename}` exists already", "remove it, or name another folder") from None
    except WrongOutput as error:
        raise CommandFailed(str(error)) from None
    for file in written.files:
        write_status(f"wrote {file}")
    for line in written.notes:
        write_note(line)
    note_random_parameters(compiled, options.has_weights)


_FOLDERS = (
    Destination("onnxruntime-genai", "a folder from which it generates text, with --stream", _write_runtime_folder, needs_stream=True),
    Destination("triton", "a model of its model repository", _write_repository_entry),
    Destination("transformers", "a folder for `from_pretrained`, vLLM and SGLang", _write_transformers_folder, takes_onnx=False),
)
_FILES = tuple(
    Destination(name, "an ONNX file in the form that it takes", write_target, is_folder=False) for name in (*PROFILES, *DEVICE_TITLES)
)

DESTINATIONS = {destination.name: destination for destination in (*_FOLDERS, *_FILES)}


def list_names(is_folder: bool) -> list[str]:
    """Return the names of the programs that get a folder, or a file."""
    return [destination.name for destination in DESTINATIONS.values() if destination.is_folder == is_folder]


def format_help() -> str:
    """Return the help of `--for`."""
    folders = "; ".join(f"{name}: {DESTINATIONS[name].summary}" for name in list_names(is_folder=True))
    return f"Write for this program. {folders}; {', '.join(list_names(is_folder=False))}: an ONNX file in the form that it takes."


def check_destination(options: CompileOptions) -> None:
    """Refuse options that contradict `--for`, or that its program has no use for."""
    if options.task is not None and options.runtime != "transformers":
        raise click.UsageError("--task is for --for transformers")
    if options.runtime is None:
        return
    name, destination = options.runtime, DESTINATIONS[options.runtime]
    if options.emit is not None or options.writes_section:
        raise click.UsageError(f"--for {name} writes a model: it goes without --emit, --train and --target {SECTION}")
    if destination.needs_stream and options.stream is None:
        raise click.UsageError(f"--for {name} is for --stream T: the runtime gives a model its tokens in pieces")
    if not destination.takes_onnx and (options.target is not None or options.graph or options.quantize is not None):
        raise click.UsageError(f"--for {name} writes a PyTorch model: it goes without --target, --quantize and options of ONNX graphs")
    if options.target not in (None, "onnx"):
        raise click.UsageError(f"--for {name} writes an ONNX model: it goes without --target {options.target}")
    if destination.is_folder:
        _check_folder(destination, options)
        return
    if options.output is not None and options.output != "-" and find_backend(options.output) is not get_or_raise("onnx"):
        raise click.UsageError(f"--for {name} writes an ONNX model: give -o NAME.onnx")
    if options.quantize is not None:
        raise click.UsageError(f"--for {name} writes a model with floating-point weights: it goes without --quantize")


def _check_folder(destination: Destination, options: CompileOptions) -> None:
    name, output = destination.name, options.output
    if options.stream is not None and not destination.needs_stream:
        raise click.UsageError(f"--for {name} writes a complete model: it goes without --stream")
    if options.example is not None:
        raise click.UsageError(f"--for {name} writes a folder: it goes without --example")
    # a name with the ending of a backend is a file, and this needs a folder
    if output is None or output == "-" or find_backend(output) is not None:
        raise click.UsageError(f"--for {name} writes several files: give -o FOLDER")
