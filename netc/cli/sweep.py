"""`netc sweep`: a model with several values of its parameters, as one table."""

from __future__ import annotations

import sys
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import click

from .failures import FAILED
from .options import choose, one_source, source_options, sweep_options
from .program import give_up_on
from .reading import reader
from .records import as_csv, as_json, form_options
from .terminal import columns, note, table, write

if TYPE_CHECKING:
    from ..analysis import Analysis

MOST = 1000
"""The most combinations."""
ERROR = "error"


@click.command("sweep")
@source_options
@form_options
@sweep_options
def command(
    file: str | None,
    text: str | None,
    form: str | None,
    model: str | None,
    params: dict[str, list[tuple[str, object]]],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
) -> None:
    """Compile a model with every combination of values, and show what each costs.

    `netc sweep x.net --set width=8,16,32 --set act=relu,gelu`. A combination that is wrong has its error in the table.
    """
    path = one_source(file, text)
    if not params:
        raise click.UsageError("give values with --set NAME=A,B,...")
    number = prod(len(values) for values in params.values())
    if number > MOST:
        raise click.UsageError(f"these are {number:,} combinations, and {MOST:,} are the most")
    from ..analysis import analyse
    from ..files import Unreadable

    try:
        source, where = reader(path, text)()
    except Unreadable as error:
        give_up_on((error.diagnostic,))
    rows: list[dict[str, object]] = []
    wrong: list[Analysis] = []
    for values in product(*params.values()):
        given = dict(zip(params, values, strict=True))
        choice = choose(model, {name: value for name, (_, value) in given.items()}, dims, allow_paths)
        analysis = analyse(source, choice, where).with_model()
        rows.append({**{name: shown for name, (shown, _) in given.items()}, **_costs(analysis)})
        wrong += [analysis] if analysis.program is None else []
    if len(wrong) == len(rows):  # the first is as good as any
        give_up_on(wrong[0].diagnostics)
    _show(rows, form)
    if wrong:
        note(f"{len(wrong):,} of {len(rows):,} combinations are wrong; `netc check --set ...` says more")
        raise click.exceptions.Exit(FAILED)


def _costs(analysis: Analysis) -> dict[str, object]:
    from netc.compiler.dims import show

    from ..summary import summarise

    if analysis.program is None:
        code = next(d.code for d in analysis.diagnostics if d.severity == "error")
        return {"parameters": None, "flops": None, "activation_bytes": None, ERROR: code}
    totals = summarise(analysis.program).totals
    found = {name: getattr(totals, name) for name in ("parameters", "flops", "activation_bytes")}
    return {**{name: value if isinstance(value, int) else show(value) for name, value in found.items()}, ERROR: None}


def _show(rows: list[dict[str, object]], form: str | None) -> None:
    from ..table import align, fitted

    match form:
        case "json":
            write(as_json(rows))
            return
        case "csv":
            write(as_csv(rows))
            return
    names = [name for name in rows[0] if name != ERROR or any(row[ERROR] for row in rows)]
    numbers = ("parameters", "flops", "activation_bytes")
    titles = {"flops": "FLOPs", "activation_bytes": "activation bytes"}
    cells = [[_cell(row[name]) for name in names] for row in rows]
    lines = align([titles.get(name, name) for name in names], cells, [name in numbers for name in names])
    write(table("\n".join(fitted(line, columns(sys.stdout)) for line in lines)))


def _cell(value: object) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
