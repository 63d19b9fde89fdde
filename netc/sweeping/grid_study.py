"""Every combination of the values, in order, without a storage: the folders of the runs are all that a later command needs.

>>> from .search_space import Alternatives
>>> study = GridStudy({"width": Alternatives((("8", 8), ("16", 16)))}, "runs")
>>> study.next_trial().folder, study.next_trial().values, study.next_trial()
('runs/width=8', {'width': 16}, None)
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from .search_space import SearchSpace
from .study import Row, complete_rows, make_row
from .trials import Outcome, Trial

MAX_FOLDER_NAME = 100
"""The most characters of a folder's name."""


def count_combinations(space: SearchSpace) -> int | None:
    """Return the number of combinations; None if a range has too many values to list."""
    lists = [values.list_values() for values in space.values()]
    return None if None in lists else prod(len(values) for values in lists if values is not None)


def list_combinations(space: SearchSpace) -> Iterator[dict[str, tuple[str, object]]]:
    """Yield all combinations: for each, the text and the value of every name. The last name varies fastest."""
    for values in product(*(values.list_values() or () for values in space.values())):
        yield dict(zip(space, values, strict=True))


class GridStudy:
    """The combinations of a space. `folder` is the folder of the runs, or "" if nothing is trained."""

    def __init__(self, space: SearchSpace, folder: str) -> None:
        self._folder = folder
        self._combinations = enumerate(list_combinations(space))
        self._trials: dict[int, Trial] = {}
        self._outcomes: dict[int, Outcome] = {}

    def next_trial(self) -> Trial | None:
        number, combination = next(self._combinations, (0, None))
        if combination is None:
            return None
        texts = {name: text for name, (text, _) in combination.items()}
        folder = os.path.join(self._folder, name_folder(texts)) if self._folder else ""
        self._trials[number] = Trial(number, texts, {name: value for name, (_, value) in combination.items()}, folder)
        return self._trials[number]

    def report_results(self, trial: Trial, epoch: int, results: dict[str, float]) -> bool:
        return False

    def finish_trial(self, trial: Trial, outcome: Outcome) -> None:
        self._outcomes[trial.number] = outcome

    def list_rows(self) -> list[Row]:
        return complete_rows([make_row(trial, self._outcomes.get(number), bool(self._folder)) for number, trial in self._trials.items()])

    def close(self) -> None:
        """Do nothing: the trials of a grid belong to one process."""


def name_folder(values: Mapping[str, str]) -> str:
    """Return the name of a combination's folder.

    >>> name_folder({"width": "8", "act": "relu"})
    'width=8,act=relu'
    """
    return to_folder_name(",".join(f"{name}={value}" for name, value in values.items()))


def to_folder_name(text: str) -> str:
    """Return a name for a folder. Different texts have different names: where the characters of a text do not suit a file name, the name
    ends with a hash of the text.

    >>> to_folder_name("gpt"), to_folder_name("../gpt")
    ('gpt', '.._gpt-1056d793')
    """
    name = re.sub(r"[^\w.=,+-]+", "_", text)
    if name == text and len(name) <= MAX_FOLDER_NAME:
        return name
    # 9: the dash and the 8 digits of the hash
    return f"{name[: MAX_FOLDER_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
