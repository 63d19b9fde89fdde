"""From a spec to a training that can start: everything that can be wrong is found before the first step.

In: the analysis of a train section, where the data are, and what is asked of the run. Out: a `Prepared`, or a `CompileError` with all
diagnostics. Always: data are opened by their headers; nothing is written before all checks have passed.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from netc.compiler.analysis.means import Means, NotDecomposable, means_of
from netc.compiler.analysis.parameters import parameters
from netc.compiler.errors.data import CannotReadData
from netc.compiler.errors.training import NothingMatches, NotMean
from netc.compiler.ir.training import MODEL, Training
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import near
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..errors import CompileError
from ..problems import diagnostic
from .data.base import DataError, Source
from .data.columns import Columns, match_columns
from .data.formats import Place, open_source, place_of
from .order import Indices, split
from .recipe import Recipe, read_recipe


class Wishes(Record):
    """What a run is asked for beyond the spec. `data` and `validation` are paths, `FORMAT:PATH`, or sources of the caller's own; a share
    such as 0.1 splits the data."""

    data: str | Source | None = None
    validation: str | float | Source | None = None
    columns: dict[str, str] = {}
    epochs: int | None = None
    steps: int | None = None
    batch: int | None = None
    seed: int | None = None


class Prepared(Record):
    """All that a training needs."""

    training: Training
    recipe: Recipe
    means: Means
    data: tuple[Columns, Indices]
    validation: tuple[Columns, Indices] | None
    described: dict[str, str]


def prepare(training: Training, wishes: Wishes) -> Prepared:
    """Checks the settings, the loss, and the data against the inputs. Raises `CompileError`."""
    recipe, problems = read_recipe(training)
    recipe = _with_wishes(recipe, wishes)
    try:
        means = means_of(training)
    except NotDecomposable as error:
        raise CompileError((*problems, diagnostic(error.problem, error.span))) from None
    problems += settings_problems(training, recipe, means)
    place, given = _data(training, recipe, wishes)
    columns, found = _columns(training, place, given)
    problems += found
    validation, found, indices = _validation(training, recipe, wishes, given, columns)
    problems += found
    if problems or columns is None:
        raise CompileError(tuple(problems))
    described = {"data": str(place) if isinstance(place, Place) else type(place).__name__}
    return Prepared(training, recipe, means, (columns, indices), validation, described)


def settings_problems(training: Training, recipe: Recipe, means: Means) -> list[Diagnostic]:
    """What is wrong with the optimizer, the schedule, and the loss of a batch in parts."""
    from .options import check_options

    found = [*check_options(recipe), *_without_match(training, recipe)]
    if means.whole and recipe.accumulate > 1:
        found.append(diagnostic(NotMean(means.whole), training.loss_span))
    return found


def _without_match(training: Training, recipe: Recipe) -> Iterator[Diagnostic]:
    """Patterns that are meant for a parameter and match none."""
    names = [name.removeprefix(f"{MODEL}.") for name, info in parameters(training.program).items() if info.trainable]
    for pattern in (*recipe.freeze, *(rule.pattern for rule in recipe.groups)):
        if not any(fnmatchcase(name, pattern.text) for name in names):
            yield diagnostic(NothingMatches(pattern.text, tuple(near(pattern.text, names)), tuple(names[:5])), pattern.span)


def check_section(training: Training) -> list[Diagnostic]:
    """What can be said of a section without data."""
    recipe, problems = read_recipe(training)
    try:
        means = means_of(training)
    except NotDecomposable as error:
        return [*problems, diagnostic(error.problem, error.span)]
    return [*problems, *settings_problems(training, recipe, means)]


def _with_wishes(recipe: Recipe, wishes: Wishes) -> Recipe:
    changes: dict[str, Any] = {n: v for n in ("epochs", "steps", "batch", "seed") if (v := getattr(wishes, n)) is not None}
    if wishes.epochs is not None:
        changes.setdefault("steps", None)
    return replace(recipe, **changes) if changes else recipe


def _data(training: Training, recipe: Recipe, wishes: Wishes) -> tuple[Place | Source, dict[str, str]]:
    columns = dict(recipe.data.columns) if recipe.data is not None else {}
    columns |= wishes.columns
    if wishes.data is None:
        if recipe.data is None:
            why = "no data are given"
            problem = CannotReadData("data", why, '`--data train.npz`, or `data npz "train.npz"` in the train section')
            raise CompileError((diagnostic(problem, training.span),))
        return Place(recipe.data.format, recipe.data.path), columns
    return _place(wishes.data, training.span), columns


def _place(data: str | Source, span: Span) -> Place | Source:
    if not isinstance(data, str):
        return data
    try:
        return place_of(data)
    except DataError as error:
        raise CompileError((diagnostic(CannotReadData(data, str(error)), span),)) from None


def _columns(training: Training, place: Place | Source, given: Mapping[str, str]) -> tuple[Columns | None, list[Diagnostic]]:
    path = place.path if isinstance(place, Place) else type(place).__name__
    try:
        source = open_source(place) if isinstance(place, Place) else place
    except DataError as error:
        return None, [diagnostic(CannotReadData(path, str(error)), training.span)]
    return match_columns(source, list(training.program.main.inputs), given, path)


def _validation(
    training: Training, recipe: Recipe, wishes: Wishes, given: Mapping[str, str], columns: Columns | None
) -> tuple[tuple[Columns, Indices] | None, list[Diagnostic], Indices]:
    """What is validated on, what is wrong with it, and the samples that are left for training."""
    count = 0 if columns is None else len(columns)
    every = np.arange(count)
    asked = wishes.validation if wishes.validation is not None else (recipe.validation or None)
    if isinstance(asked, float):
        if columns is None or count < 2:
            return None, [], every
        kept, held = split(count, asked, recipe.seed)
        return (columns, held), [], kept
    if asked is None and recipe.validate is None:
        return None, [], every
    if asked is None and recipe.validate is not None:
        place: Place | Source = Place(recipe.validate.format, recipe.validate.path)
        given = {**given, **recipe.validate.columns}
    else:
        assert asked is not None
        place = _place(asked, training.span)
    other, problems = _columns(training, place, given)
    return (None if other is None else (other, np.arange(len(other)))), problems, every


def versions() -> dict[str, str]:
    """What a run depends on besides spec and data."""
    import torch

    from netc import __version__

    return {"netc": __version__, "torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}


Told = Callable[[Any], None]
