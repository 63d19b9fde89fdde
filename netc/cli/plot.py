"""`netc plot`: draw the losses and metrics of runs into one picture.

For example, `netc plot runs/a runs/b -o curves.svg` shows the curves of two runs together.
"""

from __future__ import annotations

import os

import click

from ..files.atomic_writing import write_bytes
from ..training.curves import draw_curves
from ..training.run_files import read_metrics
from .command_failure import CommandFailed
from .terminal import write_status


@click.command("plot")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "-o", "--output", default="curves.svg", show_default=True, metavar="FILE.svg", help="Write the picture here; `-` is standard output."
)
def command(runs: tuple[str, ...], output: str) -> None:
    """RUN is a folder that `netc train` wrote. Several runs share one picture, so that you can compare them."""
    if output != "-" and not output.lower().endswith(".svg"):
        raise click.UsageError(f"`{output}` is not a name for a picture, which is an SVG: FILE.svg, or `-`")

    metrics = {}
    for run in runs:
        entries = read_metrics(run)
        if not entries:
            raise CommandFailed(f"`{run}` is not a run with metrics: there is no metrics.jsonl with lines in it")
        metrics[_name_run(run, runs)] = entries
    write_bytes(output, draw_curves(metrics).encode())
    if output != "-":
        write_status(f"wrote {output}")


def _name_run(run: str, runs: tuple[str, ...]) -> str:
    """Return the last part of the path, or the full path if another run has the same last part: `a/run` and `b/run`."""
    last = os.path.basename(os.path.normpath(run))
    return last if sum(os.path.basename(os.path.normpath(other)) == last for other in runs) == 1 else run
