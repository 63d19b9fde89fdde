"""`netc summary`: stages, shapes, parameters, operations and bytes."""

from __future__ import annotations

import sys

import click

from .options import choose, one_source, precision_options, source_options, spec_options
from .program import compiled
from .reading import reader
from .terminal import table, width_of, write


@click.command("summary")
@source_options
@click.option("--wide", is_flag=True, help="All columns and whole formulas, however wide the terminal is.")
@precision_options
@spec_options
def command(
    file: str | None,
    text: str | None,
    wide: bool,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None,
    keep_io: bool,
) -> None:
    """Show stages, shapes, parameters, FLOPs and memory.

    In 80 columns, or those of a wider terminal.
    """
    made = compiled(reader(one_source(file, text), text), choose(model, params, dims, allow_paths, dtype, keep_io))
    width = None if wide else max(80, width_of(sys.stdout) or 0)
    write(table(made.summary().render(width)))
