"""`netc summary`: stages, shapes, parameters, operations and bytes."""

from __future__ import annotations

import click

from .options import choose, one_source, source_options, spec_options
from .program import compiled
from .reading import reader
from .terminal import table, write


@click.command("summary")
@source_options
@spec_options
def command(
    file: str | None,
    text: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
) -> None:
    """Show stages, shapes, parameters, FLOPs and memory."""
    made = compiled(reader(one_source(file, text), text), choose(model, params, dims, allow_paths))
    write(table(str(made.summary())))
