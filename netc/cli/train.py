"""`netc train`: a train section on data, into a folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .failures import FAILED, Failed
from .options import choose, one_source, source_options, spec_options
from .program import give_up_on
from .report import report
from .terminal import write

if TYPE_CHECKING:
    from ..training.loop import Report

DEVICES = ("cpu", "cuda")


def _columns(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in values:
        name, equals, column = word.partition("=")
        if not (name and equals and column):
            raise click.BadParameter(f"expected {option.metavar}, got `{word}`", ctx, option)
        pairs[name] = column
    return pairs


@click.command("train")
@source_options
@click.option("--data", metavar="DATA", help="The data: a path such as train.npz, or FORMAT:PATH such as sklearn:digits.")
@click.option("--validation", metavar="DATA|SHARE", help="Data to validate on, or the share of the data that is kept for it, such as 0.1.")
@click.option("--column", "columns", multiple=True, metavar="INPUT=COLUMN", callback=_columns, help="The column for an input.")
@click.option(
    "--data-option",
    "data_options",
    multiple=True,
    metavar="OPTION=VALUE",
    callback=_columns,
    help="An option of the data's format, such as size=224 for images.",
)
@click.option("-o", "--output", metavar="RUN", help="The folder of the run; made if it is not there.")
@click.option("--resume", metavar="RUN", help="Go on with a run, from its last checkpoint.")
@click.option("--section", metavar="NAME", help="Which train section of the file.")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Instead of the section's `epochs`.")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Instead of the section's `steps`.")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Instead of the section's `batch`.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="For the parameters, the order of samples, and dropout.")
@click.option("--weights", metavar="FILE", help="Parameters to begin with: .safetensors, .npz, .pt or .pth.")
@click.option("--device", type=click.Choice(DEVICES), default="cpu", help="Where to train.")
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
    **wishes: Any,
) -> None:
    """Train a network as the `train` section of a spec says.

    The run is a folder with the metrics, checkpoints, and the weights as best.safetensors and last.safetensors.
    """
    path = one_source(file, text)
    if (output is None) == (resume is None):
        raise click.UsageError("give `-o RUN` for a new run, or `--resume RUN`")
    from ..errors import CompileError
    from ..training.command import train_file

    choice = choose(model, params, dims, allow_paths)
    try:
        result = train_file(path, text, choice, section, output or resume or "", resume is not None, _Shown(), **wishes)
    except CompileError as error:
        give_up_on(error.diagnostics)
    report(result.diagnostics, "text", sys.stderr)
    write(result.summary())
    if result.failed:
        raise click.exceptions.Exit(FAILED)


class _Shown:
    """One line a report."""

    def __call__(self, made: Report) -> None:
        kind = "validation" if made.validation else "step"
        shown = "  ".join(f"{name} {value:.4g}" for name, value in made.results.items())
        write(f"epoch {made.epoch:6.2f}  {kind:>10} {made.step:6d}  {shown}")


__all__ = ["Failed", "command"]
