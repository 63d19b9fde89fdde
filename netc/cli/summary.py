"""`netc summary`: show the stages of a model with their shapes, parameters, operations and bytes.

$ netc summary -e 'input 3 -> dense 8'
net     operator  result  parameters  FLOPs  activation bytes
input   input     [N, 3]
dense1  dense     [N, 8]          32     56                32
...
"""

from __future__ import annotations

import sys

import click

from .program import compile_spec
from .records import form_options, format_csv, format_json
from .shared_options import make_choice, precision_options, require_one_source, source_options, spec_options
from .spec_sources import make_reader
from .terminal import get_table_width, style_table, write_text


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
    choice = make_choice(model, params, dims, allow_paths, dtype, keep_io)
    summary = compile_spec(make_reader(require_one_source(file, text), text), choice).summary()
    summary = summary if depth is None else summary.to(depth)
    match form:
        case "json":
            write_text(format_json(summary.data()))
        case "csv":
            write_text(format_csv(summary.lines()))
        case _:
            write_text(style_table(summary.render(None if wide else get_table_width(sys.stdout))))
