"""Make the study of `netc sweep --search`: its goals, its name, its storage, and what identifies it.

In: the options, and the spec. Out: an `OptunaStudy`. Always: a study is continued only with the spec, the search and the options that it
was started with; options that only say how a trial is computed, such as `--device`, may change.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.errors.structure_errors import UnknownParameter
from netc.dsl.record import Record, replace

from ..analysis import Choice, TrainingAnalysis, analyze, analyze_training
from ..sweeping.goals import COSTS, Goal, resolve_goals
from ..sweeping.optuna_study import OptunaStudy, StudySettings
from ..sweeping.study_storage import make_file_url
from ..training.engine import Engine
from .report import report_and_exit
from .train import OPTION_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netc.dsl.diagnostics import Diagnostic
    from netc.dsl.source import SourceFile

    from ..sweeping.search_space import SearchSpace

STUDY_FILE = "study.db"
"""The default storage, a file in the folder of the runs."""


class SearchWishes(Record):
    """The options of a sweep. `wishes` are the options of training, `folder` the folder of the runs."""

    space: SearchSpace
    goals: tuple[Goal, ...]
    trials: int | None
    prunes: bool
    storage: str | None
    study: str | None
    trains: bool
    folder: str
    section: str | None
    wishes: dict[str, Any]

    @property
    def needs_optuna(self) -> bool:
        """Whether a study of Optuna chooses the values, or keeps the trials."""
        return self.trials is not None or self.storage is not None or self.study is not None or bool(self.goals)


class EngineWishes(Record):
    """The options `--on`, `--jobs` and `--on-option`. Without a name, this process runs the trials."""

    name: str | None
    jobs: int | None
    options: dict[str, Any]


class Sweep(Record):
    """A sweep of a spec. `source` was read from the file `where`. `spec` is the path of the spec, or its text, which each
    training reads. `choice`
    has everything but the values of the parameters."""

    search: SearchWishes
    source: SourceFile
    where: str | None
    spec: tuple[str | None, str | None]
    choice: Choice
    engine: EngineWishes

    def use_folder(self, folder: str) -> Sweep:
        """Return the sweep with another folder for its study."""
        return replace(self, search=replace(self.search, folder=folder))


def make_search_study(sweep: Sweep) -> OptunaStudy:
    """Open the study. Raises `StudyError`."""
    search, source, where, choice = sweep.search, sweep.source, sweep.where, sweep.choice
    analysis = _analyze_ends(sweep) if search.trains else None
    if analysis is None:
        _check_model(sweep)
    goals = _find_goals(search, analysis)
    stem = os.path.splitext(os.path.basename(where))[0] if where is not None else "sweep"
    storage = search.storage or make_file_url(os.path.join(search.folder, STUDY_FILE))
    settings = StudySettings(
        search.space,
        goals,
        search.trials,
        search.wishes["seed"] or 0,
        search.prunes,
        storage,
        search.study or stem,
        _identify_study(search, source, choice, goals, analysis),
    )
    os.makedirs(search.folder, exist_ok=True)
    return OptunaStudy(settings, search.folder, search.trains)


def _analyze_ends(sweep: Sweep) -> TrainingAnalysis:
    """Analyze the section with the first values of the search or, if it does not compile with them, with the last ones."""
    ends = {name: values.take_ends() for name, values in sweep.search.space.items()}
    for index in range(2):
        choice = replace(sweep.choice, params={name: values[index] for name, values in ends.items()})
        analysis = analyze_training(sweep.source, choice, sweep.where, sweep.search.section)
        if analysis.training is not None:
            break
    _refuse_unknown(analysis.diagnostics)
    return analysis


def _check_model(sweep: Sweep) -> None:
    """Check the model with the first values of a search that does not train."""
    params = {name: values.take_ends()[0] for name, values in sweep.search.space.items()}
    _refuse_unknown(analyze(sweep.source, replace(sweep.choice, params=params), sweep.where).diagnostics)


def _refuse_unknown(diagnostics: Sequence[Diagnostic]) -> None:
    """Exit if the search has a parameter that the spec lacks: no trial of it could succeed."""
    unknown = tuple(diagnostic for diagnostic in diagnostics if diagnostic.code == UnknownParameter.code)
    if unknown:
        report_and_exit(unknown)


def _find_goals(search: SearchWishes, analysis: TrainingAnalysis | None) -> tuple[Goal, ...]:
    """Return the goals with their directions. Without `--by`, `keep` has the metric; without training, it is the number of parameters."""
    from ..training.keep_rule import is_higher_better, list_metrics
    from ..training.recipe import read_recipe

    try:
        if analysis is None:
            return resolve_goals(search.goals or (Goal("parameters"),), COSTS, lambda metric: False)
        if analysis.training is None:
            if not search.goals:
                raise click.UsageError("give the metric with `--by METRIC`; the section does not compile with the ends of the search")
            return resolve_goals(search.goals, (), lambda metric: is_higher_better(metric, (), ()))
        training, recipe = analysis.training, read_recipe(analysis.training)[0]
        known = [*list_metrics(training, recipe.measures), *training.losses, "parameters"]
        if not search.goals and not recipe.keep.is_chosen:
            raise click.UsageError("give the metric with `--by METRIC`; the section has several losses")
        goals = search.goals or (Goal(recipe.keep.metric, recipe.keep.higher),)
        return resolve_goals(goals, known, lambda metric: is_higher_better(metric, training.losses, recipe.measures))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--by") from None


def _identify_study(
    search: SearchWishes, source: SourceFile, choice: Choice, goals: tuple[Goal, ...], analysis: TrainingAnalysis | None
) -> dict[str, Any]:
    """Return everything that the results depend on, by the name that a message gives it."""
    digest = sha256()
    parts = (source.text,) if analysis is None else (*(s.text for s in analysis.sources), *analysis.digests)
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    weights = search.wishes["weights"]
    options = {name: value for name, value in search.wishes.items() if name not in (*Engine.__match_args__, "weights")}
    return {
        "spec": digest.hexdigest(),
        "search": {name: values.to_json() for name, values in search.space.items()},
        "--by": [goal.format() for goal in goals],
        "--trials": search.trials is not None,  # every combination, or any number of proposals
        "--train": search.trains,
        "--section": search.section,
        "--model": choice.model,
        "--dim": choice.dims,
        "--weights": None if weights is None else weights.digest(),
        **{f"--{OPTION_NAMES.get(name, name).replace('_', '-')}": value for name, value in options.items()},
    }


def format_best(study: OptunaStudy) -> str:
    """Return a line about the best trial, or about all trials that no other one is better than."""
    goals = study.goals
    best = [(name, [_format_value(*pair) for pair in zip(goals, values, strict=True)]) for name, values in study.list_best()]
    if not best:
        return ""
    if len(goals) == 1:
        (name, (value,)), *_ = best
        return f"best: {name}, {goals[0].metric} {value}"
    names = " and ".join(goal.metric for goal in goals)
    shown = ", ".join(f"{name} ({', '.join(values)})" for name, values in best)
    return f"best by {names}: {shown}"


def _format_value(goal: Goal, value: float) -> str:
    # a storage has floats, and costs are counts
    return format_cell(int(value) if goal.metric in COSTS else value)


def format_cell(value: object) -> str:
    """Format a value as the table of a sweep has it."""
    match value:
        case None:
            return ""
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
    return str(value)
