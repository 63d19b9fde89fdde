"""`netc train`: a train section on data, into a folder."""

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
from .command_failure import FAILED, Failed
from .progress import Progress
from .report import report
from .shared_options import choose, one_source, source_options, spec_options
from .terminal import note, write
from .training_options import training_options

if TYPE_CHECKING:
    from ..training.loop import Report

STRATEGIES = ("ddp", "fsdp")
OF_THE_RUN = ("columns", "data_options", "epochs", "steps", "batch", "seed", "weights", "section", "model", "params", "dims", "allow_paths")
"""What a run was started with, and what resuming does not change."""
OPTIONS = {"columns": "column", "data_options": "data-option", "params": "set", "dims": "dim", "allow_paths": "allow-path"}
"""Names of options that are others than those of the parameters."""


def _refuse_dtype(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    """Other commands have this option, and people look for it here."""
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
    wishes |= {name: wishes[name] or None for name in ("columns", "data_options")}
    own = {"section": section, "model": model, "params": params, "dims": dims, "allow_paths": allow_paths, **wishes}
    _check_usage(output, resume, own)
    path = file if resume is not None and file is None and text is None else one_source(file, text)
    from ..training.ranks import is_first
    from ..training.run_training import train_file

    choice, folder = choose(model, params, dims, allow_paths), output or resume or ""
    seen: list[Report] = []
    with _ending(), Progress() as progress, _board(folder, tensorboard) as board:
        on_report = _to_all(seen.append, progress, *([board] if board is not None else []))
        result = train_file(path, text, choice, section, folder, resume is not None, on_report, note=_note, **wishes)
    if not is_first():
        return
    report(result.diagnostics, "text", sys.stderr)
    write(result.summary())
    if not seen:
        longer = f"netc train {result.spec} --weights {quote(f'{folder}/last.safetensors')} --epochs N -o RUN"
        _note(f"the run had finished, and no step was left; to train longer, start a new one with its weights: {longer}")
    if result.failed:
        raise click.exceptions.Exit(FAILED)


def _check_usage(output: str | None, resume: str | None, own: Mapping[str, Any]) -> None:
    """Options that contradict each other."""
    if own["epochs"] is not None and own["steps"] is not None:
        raise click.UsageError("give `--epochs` or `--steps`, not both")
    if "" in (output, resume):
        raise click.UsageError("the folder of a run has a name, and `''` is none")
    if (output is None) == (resume is None):
        raise click.UsageError("give `-o RUN` for a new run, or `--resume RUN`")
    changed = next((OPTIONS.get(name, name) for name in OF_THE_RUN if own[name]), "validation" if _is_share(own["validation"]) else None)
    if resume is not None and changed is not None:
        remedy = f"start a new run with its weights: `--weights {quote(f'{resume}/last.safetensors')} -o RUN`"
        raise click.UsageError(f"`--{changed}` is what the run was started with, and `--resume` does not change it; {remedy}")
    if BATCH in own["dims"]:
        raise click.UsageError(f"`{BATCH}` is the size of a batch, which --batch sets")


def _is_share(validation: str | None) -> bool:
    """Whether the option is a share of the data, and not the path of another data set, which may change when files are moved."""
    try:
        return validation is not None and not math.isnan(float(validation))
    except ValueError:
        return False


@contextmanager
def _ending() -> Iterator[None]:
    """A run that is stopped, or cannot go on: the first of several processes says why, unless only the data of another one are the
    reason, and all end with the exit code."""
    from ..training.ranks import is_first, world_size

    try:
        yield
    except Interrupted as stopped:
        if is_first():
            note(f"stopped at step {stopped.step}; to continue: netc train --resume {quote(str(stopped.folder))}")
        raise click.exceptions.Exit(stopped.exit_code) from None
    except ValueError as error:
        from ..training.loop import RefusedBatch

        if not is_first() and not isinstance(error, RefusedBatch):  # the first process reports what is wrong for all
            raise click.exceptions.Exit(FAILED) from None
        raise
    except RuntimeError as error:
        from ..training.locate_refusal import is_lost_process_error

        if world_size() == 1 or not is_lost_process_error(error):
            raise
        raise Failed("another process of the run has ended; its own message says why") from None


@contextmanager
def _board(folder: str, wanted: bool) -> Iterator[TensorBoardWriter | None]:
    """What writes for TensorBoard, if it is wanted."""
    if not wanted:
        yield None
        return

    try:
        board = TensorBoardWriter(folder)
    except ImportError:
        raise Failed(f"TensorBoard is not installed: run `{format_install_command('tensorboard')}`") from None
    with closing(board):
        yield board


def _to_all(*receivers: Callable[[Report], None]) -> Callable[[Report], None]:
    def on_report(report: Report) -> None:
        for receiver in receivers:
            receiver(report)

    return on_report


def _note(text: str) -> None:
    note(f"note: {text}")
