"""`netc sweep`: a model with several values of its parameters, as one table."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.dims import format_dim

from ..analysis import analyze
from ..display.model_summary import summarize
from ..display.text_table import align, fitted
from ..files.source_files import Unreadable
from .command_failure import FAILED
from .records import as_csv, as_json, form_options
from .report import give_up_on
from .shared_options import choose, one_source, source_options, sweep_options
from .spec_sources import reader
from .sweep_training import ERROR, Row, trained
from .terminal import columns, note, table, write
from .train import OPTIONS
from .training_options import training_options

if TYPE_CHECKING:
    from netc.dsl.source import SourceFile

    from ..analysis import Analysis, Choice

MOST = 1000
"""The most combinations."""
COSTS = ("parameters", "flops", "activation_bytes")
TITLES = {"flops": "FLOPs", "activation_bytes": "activation bytes"}


@click.command("sweep")
@source_options
@form_options
@click.option("--train", is_flag=True, help="Train each combination, and show its final results.")
@click.option("-o", "--output", metavar="RUNS", help="With --train: write the runs here, one folder for each combination.")
@training_options
@sweep_options
def command(
    file: str | None,
    text: str | None,
    form: str | None,
    train: bool,
    output: str | None,
    section: str | None,
    model: str | None,
    params: dict[str, list[tuple[str, object]]],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    **wishes: Any,
) -> None:
    """For example, `netc sweep x.net --set width=8,16,32 --set act=relu,gelu` compiles six models and shows their costs. If a
    combination is invalid, its row shows the error.

    With --train, netc trains the combinations one after the other, and the table shows their results. --set may then name parameters of
    the train section too. Repeat the command to continue a stopped sweep.
    """
    path = one_source(file, text)
    _check_usage(params, train, output, {"section": section, **wishes})

    try:
        source, where = reader(path, text)()
    except Unreadable as error:
        give_up_on((error.diagnostic,))
    shown = [{name: words for name, (words, _) in given.items()} for given in _combinations(params)]
    values = ({name: value for name, (_, value) in given.items()} for given in _combinations(params))
    choices = [choose(model, one, dims, allow_paths) for one in values]
    if train:
        is_file = path not in (None, "-")  # what is read from elsewhere is read once
        spec = (path, None) if is_file else (None, source.text)
        rows = trained(spec, output or "", zip(shown, choices, strict=True), section, **wishes)
    else:
        rows = _costs_of(source, where, shown, choices)
    _show(rows, form)
    wrong = sum(row[ERROR] is not None for row in rows)
    if wrong:
        more = "what is wrong is above" if train else "`netc check --set ...` says more"
        note(f"{wrong:,} of {len(rows):,} combinations are wrong; {more}")
        raise click.exceptions.Exit(FAILED)


def _check_usage(params: Mapping[str, Sequence[object]], train: bool, output: str | None, wishes: Mapping[str, object]) -> None:
    if not params:
        raise click.UsageError("give values with --set NAME=A,B,...")
    number = prod(len(values) for values in params.values())
    if number > MOST:
        raise click.UsageError(f"these are {number:,} combinations, and {MOST:,} are the most")
    given = next((OPTIONS.get(name, name) for name, value in wishes.items() if value), None)
    if not train and (given is not None or output is not None):
        raise click.UsageError(f"`{'-o' if given is None else '--' + given.replace('_', '-')}` is for --train")
    if train and not output:
        raise click.UsageError("give the folder for the runs with `-o RUNS`")
    if wishes["epochs"] is not None and wishes["steps"] is not None:
        raise click.UsageError("give `--epochs` or `--steps`, not both")


def _combinations(params: Mapping[str, Sequence[tuple[str, object]]]) -> list[dict[str, tuple[str, object]]]:
    """For each combination the values by their names, with their texts."""
    return [dict(zip(params, values, strict=True)) for values in product(*params.values())]


def _costs_of(source: SourceFile, where: str | None, shown: list[dict[str, str]], choices: list[Choice]) -> list[Row]:
    """The rows: what each combination costs. Where all are wrong, the first is as good as any."""
    analyses = [analyze(source, choice, where).with_model() for choice in choices]
    if all(one.program is None for one in analyses):
        give_up_on(analyses[0].diagnostics)
    return [{**words, **_costs(one)} for words, one in zip(shown, analyses, strict=True)]


def _costs(analysis: Analysis) -> dict[str, object]:
    if analysis.program is None:
        code = next(d.code for d in analysis.diagnostics if d.severity == "error")
        return {**dict.fromkeys(COSTS), ERROR: code}
    totals = summarize(analysis.program).totals
    found = {name: getattr(totals, name) for name in COSTS}
    return {**{name: value if isinstance(value, int) else format_dim(value) for name, value in found.items()}, ERROR: None}


def _show(rows: list[Row], form: str | None) -> None:
    match form:
        case "json":
            write(as_json(rows))
            return
        case "csv":
            write(as_csv(rows))
            return
    names = [name for name in rows[0] if name != ERROR or any(row[ERROR] for row in rows)]
    cells = [[_cell(row[name]) for name in names] for row in rows]
    numbers = [all(isinstance(row[name], int | float | None) for row in rows) or name in COSTS for name in names]
    lines = align([TITLES.get(name, name) for name in names], cells, numbers)
    write(table("\n".join(fitted(line, columns(sys.stdout)) for line in lines)))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
    return str(value)
