"""Samplers of Optuna whose proposals depend on the number of the trial, and not on the process that asks.

A sampler draws from a generator of its own. Two processes that start with one seed would propose the same values, and a study that is
continued would repeat its first ones. `NumberedSampler` therefore asks a new sampler for each trial, whose seed is made of the study's seed
and the trial's number. So a study of one process is reproducible, even if it was stopped in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial


def make_proposing_sampler(seed: int) -> BaseSampler:
    """Return the sampler of a search: Optuna's tree-structured Parzen estimator, which also takes into account what is being tried."""
    return NumberedSampler(lambda number: TPESampler(seed=derive_seed(seed, number), constant_liar=True))


def derive_seed(seed: int, number: int) -> int:
    """Return the seed of a trial, an integer of 32 bits as NumPy's generators take."""
    return int.from_bytes(blake2b(f"{seed} trial {number}".encode(), digest_size=4).digest(), "little")


class NumberedSampler(BaseSampler):
    """Asks `make_sampler(number)` for the values of the trial with this number."""

    def __init__(self, make_sampler: Callable[[int], BaseSampler]) -> None:
        self._make_sampler = make_sampler
        self._number = -1
        self._sampler: BaseSampler | None = None

    def _get_sampler(self, trial: FrozenTrial) -> BaseSampler:
        if self._sampler is None or self._number != trial.number:
            self._number, self._sampler = trial.number, self._make_sampler(trial.number)
        return self._sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        space: dict[str, BaseDistribution] = self._get_sampler(trial).infer_relative_search_space(study, trial)
        return space

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        values: dict[str, Any] = self._get_sampler(trial).sample_relative(study, trial, search_space)
        return values

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return self._get_sampler(trial).sample_independent(study, trial, param_name, param_distribution)


class CombinationSampler(BaseSampler):
    """Gives each trial the combination with its number, so that no two processes try the same one."""

    def __init__(self, combinations: Sequence[dict[str, Any]], distributions: dict[str, BaseDistribution]) -> None:
        self._combinations: Sequence[dict[str, Any]] = combinations
        self._distributions = distributions

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._distributions

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        # a number beyond the last one belongs to a trial that `OptunaStudy.next_trial` gives back
        number: int = trial.number
        return self._combinations[number % len(self._combinations)]

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return self._combinations[trial.number % len(self._combinations)][param_name]
