"""A study of Optuna: trials in a storage that several processes and machines share.

In: a search space, goals, and the URL of a storage. Out: trials whose values a sampler of Optuna proposes. Always: a trial is run by one
process at a time; a trial that was stopped, or whose process has died, keeps its number and its values, and continues from its run folder.

For example, the first trial of the study `gpt` has the folder `runs/gpt-0`, and the storage has its values, the curve of the
metric, and its outcome.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netc.dsl.record import Record, replace

from .goals import Goal
from .grid_study import list_combinations, to_folder_name
from .search_space import Alternatives, FloatRange, IntRange, SearchSpace
from .study import ERROR, Row, complete_rows, make_row
from .study_storage import StudyError, hide_password, open_storage, raise_storage_errors
from .trial_claims import TrialClaims
from .trials import Outcome, Trial, TrialEnd

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

IDENTITY, OUTCOME, RUN, PLACE = "netc", "outcome", "run", "place"
"""The names of the attributes that netc gives a study and its trials."""
NOT_FINITE = "not-finite"
TIME_FOR_PLACE = 1.0
"""The seconds in which a process that has taken a trial certainly writes where it runs."""
_KEPT = ("results", "parameters", "steps", "code")


class StudySettings(Record):
    """What defines a study. `trials` is the number of all its trials, None for every combination. `identity` has everything that the
    results depend on: a study is continued with the same only."""

    space: SearchSpace
    goals: tuple[Goal, ...]
    trials: int | None
    seed: int
    is_pruned: bool
    storage: str
    name: str
    identity: dict[str, Any]


class OptunaStudy:
    """A study in a storage. `folder` is the folder of the runs."""

    def __init__(self, settings: StudySettings, folder: str, trains: bool) -> None:
        self.goals = settings.goals
        self._settings, self._folder, self._trains = settings, folder, trains
        self._storage = open_storage(settings.storage)
        self._distributions = {name: make_distribution(values) for name, values in settings.space.items()}
        self._combinations = [] if settings.trials is not None else list(list_combinations(settings.space))
        self._limit = len(self._combinations) if settings.trials is None else settings.trials
        self._claims = TrialClaims(folder, to_folder_name(settings.name))
        with self._claims.hold_folder(), raise_storage_errors(settings.storage):
            self._study = self._open_study()
        self._running: dict[int, optuna.Trial] = {}
        self._given_up: dict[int, optuna.Trial] = {}
        """Trials that failed in this process. The next command runs them again."""

    def _open_study(self) -> optuna.Study:
        """Open or create the study. Raises `StudyError` for a study of something else."""
        import optuna

        settings = self._settings
        ways = optuna.study.StudyDirection
        directions = [ways.MAXIMIZE if goal.higher else ways.MINIMIZE for goal in settings.goals]
        study = optuna.create_study(
            storage=self._storage,
            sampler=self._make_sampler(),
            pruner=optuna.pruners.MedianPruner() if settings.is_pruned and len(directions) == 1 else optuna.pruners.NopPruner(),
            study_name=settings.name,
            directions=directions,
            load_if_exists=True,
        )
        known = study.user_attrs.get(IDENTITY)
        if known is None and not study.get_trials(deepcopy=False):
            study.set_user_attr(IDENTITY, json.dumps(settings.identity))
            return study
        before = {} if known is None else json.loads(known)
        different = next((name for name, value in settings.identity.items() if before.get(name) != json.loads(json.dumps(value))), None)
        if different is not None:
            where = f"the study `{settings.name}` in `{hide_password(settings.storage)}`"
            what = "was not made by netc" if known is None else f"was started with another `{different}`"
            raise StudyError(f"{where} {what}", "give the new study a name of its own, with `--study NAME`")
        return study

    def _make_sampler(self) -> optuna.samplers.BaseSampler:
        from .numbered_sampler import CombinationSampler, make_proposing_sampler

        if self._settings.trials is not None:
            return make_proposing_sampler(self._settings.seed)
        combinations = [
            {name: text if isinstance(self._settings.space[name], Alternatives) else value for name, (text, value) in values.items()}
            for values in self._combinations
        ]
        return CombinationSampler(combinations, self._distributions)

    def next_trial(self) -> Trial | None:
        with self._claims.hold_folder(), raise_storage_errors(self._settings.storage):
            self._requeue_dead_trials()
            trials = self._study.get_trials(deepcopy=False)
            is_waiting = any(trial.state.name == "WAITING" and trial.number < self._limit for trial in trials)
            if not is_waiting and len(trials) >= self._limit:
                return None
            proposed = self._study.ask(self._distributions)
            if proposed.number >= self._limit:  # a process on another machine has asked for the last trial in between
                self._requeue(proposed._trial_id)
                return None
            self._claims.claim_trial(proposed.number)
            self._running[proposed.number] = proposed
            trial = self._make_trial(proposed.number, proposed.params)
            proposed.set_user_attr(PLACE, self._claims.place)
            proposed.set_user_attr(RUN, trial.folder)
            return trial

    def _requeue_dead_trials(self) -> None:
        """Let the trials of this folder that no process runs any more be run again."""
        if not any(self._list_dead_trials()):
            return
        # A process on another machine may have taken one of them, and has not written its own place yet.
        time.sleep(TIME_FOR_PLACE)
        for trial in self._list_dead_trials():
            self._requeue(trial._trial_id)

    def _list_dead_trials(self) -> list[FrozenTrial]:
        """Return the trials of this folder that count as running, but that no process has claimed."""
        trials = self._study.get_trials(deepcopy=False, states=(_get_state("RUNNING"),))
        place = self._claims.place
        return [trial for trial in trials if trial.user_attrs.get(PLACE, place) == place and self._claims.is_free(trial.number)]

    def _requeue(self, trial_id: int) -> None:
        self._storage.set_trial_state_values(trial_id, state=_get_state("WAITING"))

    def _make_trial(self, number: int, params: dict[str, Any]) -> Trial:
        """Return a trial with the values that Optuna has for it."""
        proposed = {name: params[name] for name in self._settings.space if name in params}
        values = {name: self._settings.space[name].read_value(value) for name, value in proposed.items()}
        texts = {name: value if isinstance(self._settings.space[name], Alternatives) else values[name] for name, value in proposed.items()}
        return Trial(number, texts, values, self.name_folder(number))

    def name_folder(self, number: int) -> str:
        """Return the folder of a trial's run, or "" if nothing is trained."""
        return os.path.join(self._folder, f"{to_folder_name(self._settings.name)}-{number}") if self._trains else ""

    def report_results(self, trial: Trial, epoch: int, results: dict[str, float]) -> bool:
        if not self._settings.is_pruned or len(self.goals) > 1 or not is_compared(epoch):
            return False
        running, value = self._running[trial.number], self._get_value(self.goals[0], results)
        with raise_storage_errors(self._settings.storage):
            known = self._storage.get_trial(running._trial_id).intermediate_values
            if epoch not in known and math.isfinite(value):  # a continued run may report an epoch again
                running.report(value, epoch)
            return bool(running.should_prune())

    def _get_value(self, goal: Goal, results: dict[str, Any]) -> float:
        if goal.metric not in results:
            named = ", ".join(f"`{name}`" for name in results)
            turn = f"if `{goal.metric}` is one of several losses, train at least one turn of all of them, or write `validate 0.1`"
            raise StudyError(f"a trial has no result `{goal.metric}`", turn, f"otherwise, give another metric to `--by`: {named}")
        value = results[goal.metric]
        if isinstance(value, str):
            raise StudyError(f"the costs `{goal.metric}` are a formula, `{value}`", "give symbolic sizes values, such as `--dim T=128`")
        return float(value)

    def finish_trial(self, trial: Trial, outcome: Outcome) -> None:
        running = self._running.pop(trial.number)
        match outcome.end:
            case TrialEnd.STOPPED:
                self._give_back({trial.number: running})
                return
            case TrialEnd.FAILED:
                with raise_storage_errors(self._settings.storage):
                    running.set_user_attr(OUTCOME, _outcome_to_json(outcome))
                self._given_up[trial.number] = running
                return
            case TrialEnd.DONE:
                known = {**(outcome.results or {}), **({} if outcome.parameters is None else {"parameters": outcome.parameters})}
                self._tell(running, outcome, [self._get_value(goal, known) for goal in self.goals])
            case _:
                self._tell(running, outcome, None)
        self._claims.release_trial(trial.number)

    def _give_back(self, trials: Mapping[int, optuna.Trial]) -> None:
        """Let trials be run again. No process of this folder sees one that waits and is still claimed."""
        with self._claims.hold_folder(), raise_storage_errors(self._settings.storage):
            for number, trial in trials.items():
                self._requeue(trial._trial_id)
                self._claims.release_trial(number)

    def _tell(self, running: optuna.Trial, outcome: Outcome, values: Sequence[float] | None) -> None:
        """End a trial. Without values it counts as pruned: the sampler avoids such values then, as it does not for failed trials."""
        if values is not None and not all(map(math.isfinite, values)):
            values, outcome = None, replace(outcome, end=TrialEnd.REFUSED, code=NOT_FINITE)
        with raise_storage_errors(self._settings.storage):
            running.set_user_attr(OUTCOME, _outcome_to_json(outcome))
            self._study.tell(running, values, _get_state("PRUNED") if values is None else None)

    def list_rows(self) -> list[Row]:
        with raise_storage_errors(self._settings.storage):
            trials = self._study.get_trials(deepcopy=False)
        # without a trial beyond the last one, which a process has given back, see `next_trial`
        shown = [trial for trial in trials if trial.params and (trial.number < self._limit or trial.state.is_finished())]
        return complete_rows([self._make_row(trial) for trial in shown])

    def _make_row(self, trial: FrozenTrial) -> Row:
        outcome = trial.user_attrs.get(OUTCOME)
        known = None if outcome is None else Outcome(TrialEnd.DONE, **json.loads(outcome))
        named = replace(self._make_trial(trial.number, trial.params), folder=trial.user_attrs.get(RUN, ""))
        row = make_row(named, known, self._trains)
        return {**row, ERROR: "stopped"} if known is None and trial.state.name == "WAITING" else row

    def list_best(self) -> list[tuple[str, list[float]]]:
        """Return the runs, as in the table, and the goals' values of the best trial, or of all that no other trial is better than in every
        goal. Without training, a trial has its number instead of a run."""
        with raise_storage_errors(self._settings.storage):
            best = self._study.best_trials
        return [(trial.user_attrs.get(RUN) or f"trial {trial.number}", list(trial.values)) for trial in best]

    def close(self) -> None:
        self._give_back({**self._running, **self._given_up})
        self._running, self._given_up = {}, {}


def is_compared(epoch: int) -> bool:
    """Whether the curves of trials are compared at this epoch: at each of the first 32, and at 16 between two further powers of 2.

    Each comparison reads the curves of all trials from the storage, which for hundreds of epochs takes longer than small trainings.

    >>> [epoch for epoch in range(1, 80) if is_compared(epoch)][30:]
    [31, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62, 64, 68, 72, 76]
    """
    return epoch % (1 << max(0, epoch.bit_length() - 5)) == 0


def _get_state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def _outcome_to_json(outcome: Outcome) -> str:
    """Return the outcome as the storage keeps it. NaN and infinite results are null."""
    results = {name: None if _is_not_finite(value) else value for name, value in (outcome.results or {}).items()}
    return json.dumps({**{name: getattr(outcome, name) for name in _KEPT}, "results": results})


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def make_distribution(values: Any) -> BaseDistribution:
    """Return the range of a parameter as Optuna's distribution. A list has the texts of its values."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match values:
        case IntRange():
            return IntDistribution(values.low, values.last, log=values.log, step=values.step)
        case FloatRange():
            return FloatDistribution(values.low, values.last, log=values.log, step=values.step)
        case Alternatives():
            return CategoricalDistribution([text for text, _ in values.values])
    raise AssertionError(values)
