"""`netc summary`: stages, shapes, parameters, operations and bytes."""

from __future__ import annotations

import sys

import click

from .program import compiled
from .records import as_csv, as_json, form_options
from .shared_options import choose, one_source, precision_options, source_options, spec_options
from .spec_sources import reader
from .terminal import columns, table, write


@click.command("summary")
@source_options
@click.option("--depth", type=click.IntRange(1), metavar="N", help="Number of nested levels to show.")
@click.option("--wide", is_flag=True, help="Show all columns and complete formulas, even if wider than the terminal.")
@form_options
@precision_options
@spec_options
def command(
    file: str | None,
    text: str | None,
    depth: int | None,
    wide: bool,
    form: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None,
    keep_io: bool,
) -> None:
    """The table fits the width of the terminal, or 80 columns without a terminal."""
    if wide and form is not None:
        raise click.UsageError(f"--wide is about the table, and --{form} prints none")
    choice = choose(model, params, dims, allow_paths, dtype, keep_io)
    summary = compiled(reader(one_source(file, text), text), choice).summary()
    summary = summary if depth is None else summary.to(depth)
    match form:
        case "json":
            write(as_json(summary.data()))
        case "csv":
            write(as_csv(summary.lines()))
        case _:
            write(table(summary.render(None if wide else columns(sys.stdout))))
