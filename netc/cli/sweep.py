"""`netc sweep`: compile or train a model for each combination of parameter values, and show the results in one table.

$ netc sweep -e 'model mlp(width) { input 3 -> dense width -> dense 1 }' --set width=8,16
width  parameters  FLOPs  activation bytes
8              41     73                36
16             81    145                68
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.dims import format_dim

from ..analysis import analyze
from ..display.model_summary import summarize_program
from ..display.text_table import align_columns, truncate_line
from ..files.source_files import Unreadable
from .command_failure import FAILED
from .records import form_options, format_csv, format_json
from .report import report_and_exit
from .shared_options import make_choice, require_one_source, source_options, sweep_options
from .spec_sources import make_reader
from .sweep_training import ERROR, Row, train_combinations
from .terminal import get_table_width, style_table, write_status, write_text
from .train import OPTION_NAMES
from .training_options import training_options

if TYPE_CHECKING:
    from netc.dsl.source import SourceFile

    from ..analysis import Analysis, Choice

MAX_COMBINATIONS = 1000
"""The most combinations of one sweep."""
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
    path = require_one_source(file, text)
    _check_usage(params, train, output, {"section": section, **wishes})

    try:
        source, where = make_reader(path, text)()
    except Unreadable as error:
        report_and_exit((error.diagnostic,))
    # the table shows the values as they were written, such as `1e-3`
    value_texts = [{name: words for name, (words, _) in combination.items()} for combination in _list_combinations(params)]
    values = ({name: value for name, (_, value) in combination.items()} for combination in _list_combinations(params))
    choices = [make_choice(model, named_values, dims, allow_paths) for named_values in values]
    if train:
        is_file = path not in (None, "-")  # each training reads a file again, and standard input can be read only once
        spec = (path, None) if is_file else (None, source.text)
        rows = train_combinations(spec, output or "", zip(value_texts, choices, strict=True), section, **wishes)
    else:
        rows = _measure_combinations(source, where, value_texts, choices)
    _write_rows(rows, form)
    failed = sum(row[ERROR] is not None for row in rows)
    if failed:
        more = "the messages above say why" if train else "`netc check --set ...` says more"
        write_status(f"{failed:,} of {len(rows):,} combinations are wrong; {more}")
        raise click.exceptions.Exit(FAILED)


def _check_usage(params: Mapping[str, Sequence[object]], train: bool, output: str | None, wishes: Mapping[str, object]) -> None:
    if not params:
        raise click.UsageError("give values with --set NAME=A,B,...")
    number = prod(len(values) for values in params.values())
    if number > MAX_COMBINATIONS:
        raise click.UsageError(f"these are {number:,} combinations, and {MAX_COMBINATIONS:,} are the most")
    option = next((OPTION_NAMES.get(name, name) for name, value in wishes.items() if value), None)
    if not train and (option is not None or output is not None):
        raise click.UsageError(f"`{'-o' if option is None else '--' + option.replace('_', '-')}` is for --train")
    if train and not output:
        raise click.UsageError("give the folder for the runs with `-o RUNS`")
    if wishes["epochs"] is not None and wishes["steps"] is not None:
        raise click.UsageError("give `--epochs` or `--steps`, not both")


def _list_combinations(params: Mapping[str, Sequence[tuple[str, object]]]) -> list[dict[str, tuple[str, object]]]:
    """Return all combinations: for each, the text and the value of every name."""
    return [dict(zip(params, values, strict=True)) for values in product(*params.values())]


def _measure_combinations(source: SourceFile, where: str | None, value_texts: list[dict[str, str]], choices: list[Choice]) -> list[Row]:
    """Return a row with the costs of each combination. If all are wrong, report the errors of the first, and end the command."""
    analyses = [analyze(source, choice, where).require_model() for choice in choices]
    if all(analysis.program is None for analysis in analyses):
        report_and_exit(analyses[0].diagnostics)
    return [{**words, **_measure_costs(analysis)} for words, analysis in zip(value_texts, analyses, strict=True)]


def _measure_costs(analysis: Analysis) -> dict[str, object]:
    if analysis.program is None:
        code = next(d.code for d in analysis.diagnostics if d.severity == "error")
        return {**dict.fromkeys(COSTS), ERROR: code}
    totals = summarize_program(analysis.program).totals
    costs = {name: getattr(totals, name) for name in COSTS}
    return {**{name: value if isinstance(value, int) else format_dim(value) for name, value in costs.items()}, ERROR: None}


def _write_rows(rows: list[Row], form: str | None) -> None:
    match form:
        case "json":
            write_text(format_json(rows))
            return
        case "csv":
            write_text(format_csv(rows))
            return
    names = [name for name in rows[0] if name != ERROR or any(row[ERROR] for row in rows)]
    cells = [[_format_cell(row[name]) for name in names] for row in rows]
    # costs with symbolic sizes are formulas, and are aligned to the right as numbers are
    numbers = [all(isinstance(row[name], int | float | None) for row in rows) or name in COSTS for name in names]
    lines = align_columns([TITLES.get(name, name) for name in names], cells, numbers)
    write_text(style_table("\n".join(truncate_line(line, get_table_width(sys.stdout)) for line in lines)))


def _format_cell(value: object) -> str:
    match value:
        case None:
            return ""
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
    return str(value)
