"""`netc sweep`: compile or train a model for each combination of parameter values, and show the results in one table.

$ netc sweep -e 'model mlp(width) { input 3 -> dense width -> dense 1 }' --set width=8,16
width  parameters  FLOPs  activation bytes
8              41     73                36
16             81    145                68

With `--trials`, Optuna chooses the combinations.
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from ..display.text_table import align_columns, truncate_line
from ..files.source_files import Unreadable
from ..sweeping.goals import COSTS, Goal
from ..sweeping.grid_study import GridStudy, count_combinations
from ..sweeping.study import ERROR, Row
from ..sweeping.study_storage import StudyError
from ..sweeping.trials import TrialEnd
from .command_failure import FAILED, CommandFailed
from .exit_codes import report_exception
from .records import form_options, format_csv, format_json
from .report import report_and_exit
from .search_options import SearchCommand, merge_space, search_options
from .search_study import EngineWishes, SearchWishes, Sweep, format_best, format_cell, make_search_study
from .shared_options import make_choice, require_one_source, source_options, sweep_options
from .spec_sources import make_reader
from .sweep_trials import run_trials
from .terminal import get_table_width, style_table, write_status, write_text
from .train import OPTION_NAMES
from .training_options import training_options

if TYPE_CHECKING:
    from ..sweeping.search_space import SearchSpace

MAX_COMBINATIONS = 1000
"""The most combinations of one sweep."""
TITLES = {"flops": "FLOPs", "activation_bytes": "activation bytes"}


@click.command("sweep", cls=SearchCommand)
@source_options
@form_options
@click.option("--train", is_flag=True, help="Train each combination, and show its final results.")
@click.option("-o", "--output", metavar="RUNS", help="With --train: write the runs here, one folder for each combination.")
@search_options
@training_options
@sweep_options
def command(
    file: str | None,
    text: str | None,
    form: str | None,
    train: bool,
    output: str | None,
    space: SearchSpace,
    trials: int | None,
    goals: tuple[Goal, ...],
    no_prune: bool,
    storage: str | None,
    study: str | None,
    engine: str | None,
    jobs: int | None,
    engine_options: dict[str, object],
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

    With --search and --trials, Optuna proposes the combinations. Commands that share a storage share the trials.
    """
    path = require_one_source(file, text)
    search = SearchWishes(merge_space(space, params), goals, trials, not no_prune, storage, study, train, output or "", section, wishes)
    on = EngineWishes(engine, jobs, engine_options)
    _check_usage(search, output, on)
    try:
        source, where = make_reader(path, text)()
    except Unreadable as error:
        report_and_exit((error.diagnostic,))
    is_file = path not in (None, "-")  # each training reads a file again, and standard input can be read only once
    spec = (path, None) if is_file else (None, source.text)
    sweep = Sweep(search, source, where, spec, make_choice(model, {}, dims, allow_paths), on)
    try:
        if not search.needs_optuna:
            _run_grid(sweep, form)
        elif train:
            _run_search(sweep, form)
        else:
            with TemporaryDirectory() as folder:
                _run_search(sweep.use_folder(folder), form)
    except StudyError as error:
        raise CommandFailed(error.message, *error.help) from None


def _check_usage(search: SearchWishes, output: str | None, on: EngineWishes) -> None:
    wishes = search.wishes
    if not search.space:
        raise click.UsageError("give values with --set NAME=A,B,... or --search RANGES")
    number = count_combinations(search.space)
    if search.trials is None and number is None:
        raise click.UsageError("a range without steps has no last value; give the number of trials with `--trials N`")
    if search.trials is None and number is not None and number > MAX_COMBINATIONS:
        raise click.UsageError(
            f"these are {number:,} combinations, and {MAX_COMBINATIONS:,} are the most; `--trials N` tries N of them, which Optuna chooses"
        )
    for_training = {"section": search.section, "storage": search.storage, "study": search.study, "on": on.name, **wishes}
    option = next((OPTION_NAMES.get(name, name) for name, value in for_training.items() if value), None)
    if not search.trains and (option is not None or output is not None):
        raise click.UsageError(f"`{'-o' if option is None else '--' + option.replace('_', '-')}` is for --train")
    if search.trains and not output:
        raise click.UsageError("give the folder for the runs with `-o RUNS`")
    if on.name is None and (on.jobs is not None or on.options):
        raise click.UsageError(f"`{'--on-option' if on.jobs is None else '--jobs'}` is for `--on ENGINE`")
    if wishes["epochs"] is not None and wishes["steps"] is not None:
        raise click.UsageError("give `--epochs` or `--steps`, not both")


def _run_grid(sweep: Sweep, form: str | None) -> None:
    """Run every combination, and write the table. Without training, the errors of the first are reported if all are wrong."""
    study = GridStudy(sweep.search.space, sweep.search.folder)
    outcomes = run_trials(study, sweep)
    failed = sum(outcome.code is not None for outcome in outcomes)
    first = outcomes[0].error
    if not sweep.search.trains and failed == len(outcomes) and first is not None:
        raise click.exceptions.Exit(report_exception(first))
    _write_rows(study.list_rows(), form)
    if failed:
        more = "the messages above say why" if sweep.search.trains else "`netc check --set ...` says more"
        write_status(f"{failed:,} of {len(outcomes):,} combinations are wrong; {more}")
        raise click.exceptions.Exit(FAILED)


def _run_search(sweep: Sweep, form: str | None) -> None:
    """Run the trials of a study, and write the table of all its trials, the best one, and how many have ended in which way.

    Values that make no network are a part of a search. The command fails only if a trial failed for another reason, or if none succeeded.
    """
    study = make_search_study(sweep)
    outcomes = run_trials(study, sweep)
    rows = study.list_rows()
    _write_rows(rows, form)
    wrong = [row[ERROR] for row in rows if row[ERROR] is not None]
    if wrong:
        counts = ", ".join(f"{wrong.count(code):,} {code}" for code in dict.fromkeys(wrong))
        write_status(f"{len(rows) - len(wrong):,} of {len(rows):,} trials have results; the others: {counts}")
    best = format_best(study)
    if best:
        write_status(best)
    if not best or any(outcome.end is TrialEnd.FAILED for outcome in outcomes):
        raise click.exceptions.Exit(FAILED)


def _write_rows(rows: list[Row], form: str | None) -> None:
    match form:
        case "json":
            write_text(format_json(rows))
            return
        case "csv":
            write_text(format_csv(rows))
            return
    names = [name for name in rows[0] if name != ERROR or any(row[ERROR] for row in rows)]
    cells = [[format_cell(row[name]) for name in names] for row in rows]
    # costs with symbolic sizes are formulas, and are aligned to the right as numbers are
    numbers = [all(isinstance(row[name], int | float | None) for row in rows) or name in COSTS for name in names]
    lines = align_columns([TITLES.get(name, name) for name in names], cells, numbers)
    write_text(style_table("\n".join(truncate_line(line, get_table_width(sys.stdout)) for line in lines)))
