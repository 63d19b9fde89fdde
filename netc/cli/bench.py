"""`netc bench`: measure how fast a model runs, next to others.

The contenders take turns, because two separate runs on a machine that does other things too do not compare.

    $ netc bench -e 'input 3 -> dense 2'
    model  in             median      p95  ratio  samples/s     load  first run    memory  differs by
    net    ONNX Runtime  2.17 µs  2.31 µs   1.00    459,979  2.95 ms    27.1 ms  12.72 MB           0
    ...
"""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from netc.compiler.backends.onnx.runtime_failures import kernel_hints

from ..benching.contender_names import AGAINST
from ..benching.measure_contenders import ContenderFailed, measure_in_turns
from ..benching.result_report import format_table, make_rows, results_to_data
from .command_failure import CommandFailed
from .completion import FileName
from .program import raise_as_usage_error
from .records import form_options, format_csv, format_json
from .shared_options import (
    device_option,
    make_choice,
    module_argument_option,
    module_input_option,
    other_model_option,
    precision_options,
    require_one_source,
    source_options,
    spec_options,
    weight_options,
)
from .terminal import style_table, write_text

if TYPE_CHECKING:
    from ..benching.job import Job
    from ..benching.measure_contenders import Measurement
    from ..inputs.checkpoint import Checkpoint

_AGAINST_HELP = f"Compare with {', '.join(AGAINST)}, a runtime, or another model of the same kinds as FILE. Repeat for several."


@click.command("bench")
@source_options
@click.option("--against", multiple=True, metavar="WHAT", type=FileName(), help=_AGAINST_HELP)
@other_model_option("Select a model of the spec that --against names.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads on the CPU. [default: one per core]")
@device_option("Device to run on.")
@click.option(
    "--rounds", type=click.IntRange(1, 100_000), default=20, show_default=True, metavar="N", help="Number of turns of each model."
)
@module_input_option("Declare an input of a PyTorch module: `3x224x224`, `[T] int64`.")
@module_argument_option("Pass an argument to the module's class or function.")
@form_options
@precision_options
@spec_options
@weight_options
def command(
    file: str | None,
    text: str | None,
    against: tuple[str, ...],
    other_model: str | None,
    threads: int | None,
    device: str,
    rounds: int,
    inputs: tuple[str, ...],
    arguments: dict[str, str],
    form: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None,
    keep_io: bool,
    weights: Checkpoint | None,
    seed: int | None,
) -> None:
    """FILE is a spec, which runs in ONNX Runtime, an ONNX file, an exported program (.pt2), or a PyTorch module such as
    `torchvision.models:resnet50` with --input. Each model runs in its own process, and the processes take turns.

    netc runs the code of a module that you name, and PyTorch unpickles a .pt2 file, which can run code too. Name only files that you
    trust.
    """
    path = require_one_source(file, text)
    choice = make_choice(model, params, dims, allow_paths, dtype, keep_io)

    from ..benching.contenders import Settings
    from . import bench_jobs

    # the process of each contender reads its model from a file here
    with TemporaryDirectory(prefix="netc-bench-") as folder:
        settings = Settings(folder, threads or _count_cores(), device, seed or 0)
        options = bench_jobs.BenchOptions(path, text, choice, weights, seed, inputs, arguments, other_model)
        try:
            with raise_as_usage_error():
                jobs = bench_jobs.make_jobs(options, against, settings)
            measurements = measure_in_turns(jobs, rounds, folder)
        except ContenderFailed as error:
            raise CommandFailed(str(error), *kernel_hints(str(error), {str(dtype)})) from None
    write_text(_format_results(measurements, jobs, form))


def _format_results(measurements: list[Measurement], jobs: list[Job], form: str | None) -> str:
    match form:
        case "json":
            return format_json(results_to_data(measurements, jobs))
        case "csv":
            return format_csv(make_rows(measurements, jobs))
    return style_table("\n".join(format_table(measurements, jobs)))


def _count_cores() -> int:
    """Return the number of cores that this process may use: a container or `taskset` may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
