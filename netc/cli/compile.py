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

from netc.compiler.backends.backend_registry import NAMES, find_backend

from ..analysis import read_and_analyze_training
from ..emit_stages import STAGES
from ..files.atomic_writing import check_writable, write_bytes
from ..inputs.argument_checks import MAX_LOOKAHEAD, QUANTIZATION_METHODS, TRANSFORMERS_TASKS
from .compile_checks import SECTION, CompileOptions, check_for_stage, check_options
from .completion import FileName
from .destinations import DESTINATIONS, check_destination, format_help
from .range_options import check_keep_options, parse_keep
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
from .terminal import defer_garbage_collection, limit_blas_threads
from .write_target import OUTPUT_NAMES, TEXT_TARGETS, write_target

if TYPE_CHECKING:
    from netc.compiler.ir.training_program import Training

    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint
    from .spec_sources import Reader

EXAMPLE_LANGUAGES = ("python", "javascript", "c++")
TARGET_HELP = f"Kind of output; by default, the ending of OUT decides. `{SECTION}` writes the train section as a Python file."
TRAIN_HELP = "With --target flax or torch: write the train section as a Python file that trains the network."
SCAN_HELP = "With --target flax: write equal layers of a `repeat` as one `jax.lax.scan`, which compiles one layer for all."
TP_HELP = "With --target flax: write how K devices share the layers (tensor parallelism), and a function that places a module on them."
TASK_HELP = "With --for transformers: the task of the model, if its inputs, outputs and attention do not show it."
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
@click.option("--for", "runtime", type=click.Choice(list(DESTINATIONS)), help=format_help())
@click.option("--task", type=click.Choice(TRANSFORMERS_TASKS), help=TASK_HELP)
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
    check_destination(options)
    check_options(options)
    check_keep_options(options.keep, dtype, options.writes_model, options.has_weights)
    writes_folder = options.runtime is not None and DESTINATIONS[options.runtime].is_folder
    if options.output is not None and not writes_folder:
        by_name = find_backend(options.output)
        # a folder that is missing is reported at once, not after minutes of drawing weights
        check_writable(options.output, by_name.folder_marker if by_name else None)
    if options.emit is not None:
        check_for_stage(options.emit, options.output, {"--model": model, "--set": params, "--dim": dims, "--dtype": dtype})
        _write_stage(options.emit, read, choice, options)
    elif options.writes_section:
        _write_train_section(read, choice, options)
    elif options.runtime is not None:
        DESTINATIONS[options.runtime].write(read, choice, weights, seed, options)
    else:
        write_target(read, choice, weights, seed, options)


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
