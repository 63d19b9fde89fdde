"""`netc train`: train a network with the train section of its spec, and write the run into a folder.

For example, `netc train moons.net` writes the folder of a run, and `netc train --resume RUN` continues the run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.types.tensor_types import BATCH

from ..training.stop_signals import Interrupted
from ..training.tensorboard import TensorBoardWriter
from .command_failure import FAILED, CommandFailed
from .progress import Progress
from .report import report_diagnostics
from .shared_options import make_choice, require_one_source, source_options, spec_options
from .terminal import write_note, write_status, write_text
from .training_options import training_options

if TYPE_CHECKING:
    from ..training.training_report import Report

STRATEGIES = ("ddp", "fsdp")
FIXED_OPTIONS = (
    "columns",
    "data_options",
    "epochs",
    "steps",
    "batch",
    "seed",
    "weights",
    "section",
    "model",
    "params",
    "dims",
    "allow_paths",
)
"""The options that a run is started with. `--resume` reads them from the run, and refuses them on the command line."""
OPTION_NAMES = {"columns": "column", "data_options": "data-option", "params": "set", "dims": "dim", "allow_paths": "allow-path"}
"""Names of options that differ from the names of their parameters in Python."""


def _refuse_dtype(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    """Refuse `--dtype`: other commands have this option, and people look for it here."""
    if value is not None:
        raise click.UsageError(
            "parameters are trained in float32: `--precision bf16` computes in bfloat16; `netc compile --dtype` converts what was trained"
        )


@click.command("train")
@source_options
@training_options
@click.option("-o", "--output", metavar="RUN", help="Create this folder for the run.")
@click.option("--resume", metavar="RUN", help="Continue a run from its last checkpoint.")
@click.option(
    "--dtype", hidden=True, expose_value=False, callback=_refuse_dtype, help="An option of other commands, which says what to do."
)
@click.option("--strategy", type=click.Choice(STRATEGIES), help="How the processes of torchrun share the work. [default: ddp]")
@click.option("--tp", type=click.IntRange(1), metavar="K", help="Divide each layer among K processes of torchrun (tensor parallelism).")
@click.option(
    "--pp", type=click.IntRange(1), metavar="K", help="Cut the model into K stages on processes of torchrun (pipeline parallelism)."
)
@click.option("--tensorboard", is_flag=True, help="Also write the metrics for TensorBoard, into the run's folder.")
@spec_options
def command(
    file: str | None,
    text: str | None,
    output: str | None,
    resume: str | None,
    section: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    tensorboard: bool,
    **wishes: Any,
) -> None:
    """The folder RUN gets the metrics, the checkpoints, and the weights as best.safetensors and last.safetensors.

    `netc train --resume RUN` continues a stopped run. To train on several processes, run `torchrun --nproc-per-node 2 -m netc train ...`.
    """
    # None, because `train_file` refuses any setting, even an empty one, when it resumes a run
    wishes |= {name: wishes[name] or None for name in ("columns", "data_options")}
    options = {"section": section, "model": model, "params": params, "dims": dims, "allow_paths": allow_paths, **wishes}
    _check_usage(output, resume, options)
    path = file if resume is not None and file is None and text is None else require_one_source(file, text)
    from ..training.ranks import is_first
    from ..training.run_training import train_file

    choice, folder = make_choice(model, params, dims, allow_paths), output or resume or ""
    reports: list[Report] = []
    with _report_early_end(), Progress() as progress, _open_tensorboard(folder, tensorboard) as board:
        on_report = _make_fan_out(reports.append, progress, *([board] if board is not None else []))
        result = train_file(path, text, choice, section, folder, resume is not None, on_report, note=write_note, **wishes)
    # one of several processes prints the result
    if not is_first():
        return
    report_diagnostics(result.diagnostics, "text", sys.stderr)
    write_text(result.summary())
    if not reports:
        longer = f"netc train {result.spec} --weights {quote(f'{folder}/last.safetensors')} --epochs N -o RUN"
        write_note(f"the run had finished, and no step was left; to train longer, start a new one with its weights: {longer}")
    if result.failed:
        raise click.exceptions.Exit(FAILED)


def _check_usage(output: str | None, resume: str | None, options: Mapping[str, Any]) -> None:
    """Refuse options that contradict each other."""
    if options["epochs"] is not None and options["steps"] is not None:
        raise click.UsageError("give `--epochs` or `--steps`, not both")
    if "" in (output, resume):
        raise click.UsageError("the folder of a run has a name, and `''` is none")
    if (output is None) == (resume is None):
        raise click.UsageError("give `-o RUN` for a new run, or `--resume RUN`")
    changed = next(
        (OPTION_NAMES.get(name, name) for name in FIXED_OPTIONS if options[name]),
        "validation" if _is_share(options["validation"]) else None,
    )
    if resume is not None and changed is not None:
        remedy = f"start a new run with its weights: `--weights {quote(f'{resume}/last.safetensors')} -o RUN`"
        raise click.UsageError(f"`--resume` continues a run with its own `--{changed}`, and cannot change it; {remedy}")
    if BATCH in options["dims"]:
        raise click.UsageError(f"`{BATCH}` is the size of a batch, which --batch sets")


def _is_share(validation: str | None) -> bool:
    """Whether `--validation` is a share of the data. Resuming may change the path of a data set, which may have moved, but not a share: it
    decides which samples the run trains on."""
    try:
        return validation is not None and not math.isnan(float(validation))
    except ValueError:
        return False


@contextmanager
def _report_early_end() -> Iterator[None]:
    """Report why a run ends early, and exit. The first of several processes reports, unless the reason is in another one's data."""
    from ..training.ranks import is_first, world_size

    try:
        yield
    except Interrupted as stopped:
        if is_first():
            write_status(f"stopped at step {stopped.step}; to continue: netc train --resume {quote(str(stopped.folder))}")
        raise click.exceptions.Exit(stopped.exit_code) from None
    except ValueError as error:
        from ..training.training_failures import RefusedBatch

        if not is_first() and not isinstance(error, RefusedBatch):  # the first process reports what is wrong for all
            raise click.exceptions.Exit(FAILED) from None
        raise
    except RuntimeError as error:
        from ..training.locate_refusal import is_lost_process_error

        if world_size() == 1 or not is_lost_process_error(error):
            raise
        raise CommandFailed("another process of the run has ended; its own message says why") from None


@contextmanager
def _open_tensorboard(folder: str, wanted: bool) -> Iterator[TensorBoardWriter | None]:
    """Yield the writer for TensorBoard, or None if it is not wanted."""
    if not wanted:
        yield None
        return

    try:
        board = TensorBoardWriter(folder)
    except ImportError:
        raise CommandFailed(f"TensorBoard is not installed: run `{format_install_command('tensorboard')}`") from None
    with closing(board):
        yield board


def _make_fan_out(*receivers: Callable[[Report], None]) -> Callable[[Report], None]:
    def on_report(report: Report) -> None:
        for receiver in receivers:
            receiver(report)

    return on_report
