"""From a spec to a training that can start: everything that can be wrong is found before the first step.

In: the analysis of a train section, where the data are, and what is asked of the run. Out: a `PreparedTraining`, or a `CompileError` with
all diagnostics. Always: data are opened by their headers; nothing is written before all checks have passed.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.errors.recipe_errors import NoDecayMatchesNothing, NothingMatches, WrongSetting
from netc.compiler.errors.training_errors import MetricAveraged, NotMean
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.objectives.means import MeanDecomposition, decompose_objective
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record, replace

from ..errors import CompileError
from ..files.file_problems import make_diagnostic
from ..version import __version__
from .cautions import check_measures, check_schedule_length, check_validates
from .locate_data import DataRequest
from .open_data import Subset, open_data
from .optimizer_options import check_options
from .parameter_patterns import Pattern
from .recipe import Recipe, read_recipe
from .trained_parameters import check_construction, check_followers, check_minimized, check_trained
from .transform_options import check_transforms


class RunRequest(Record):
    """The caller's settings, which override the spec."""

    data_request: DataRequest = DataRequest()
    epochs: int | None = None
    steps: int | None = None
    batch: int | None = None
    seed: int | None = None


class PreparedTraining(Record):
    """Everything that a training needs. `described` is the origin of the data in words; `format` and `options` are of the training data."""

    training: Training
    recipe: Recipe
    means: MeanDecomposition
    data: Subset
    validation: Subset | None
    described: str
    notes: tuple[str, ...] = ()
    format: str = ""
    options: dict[str, Any] = {}


def prepare_training(training: Training, run_request: RunRequest) -> PreparedTraining:
    """Check the settings, the loss, and the data against the inputs. Raises `CompileError`."""
    recipe, problems = read_recipe(training)
    recipe = _override_settings(recipe, run_request)
    problems += _check_accumulate(training, recipe, run_request)
    means = decompose_objective(training)
    opened = open_data(training, recipe, run_request.data_request)
    steps = recipe.steps if opened.data is None else recipe.count_steps(len(opened.data[1]))
    shapes = {} if opened.data is None else opened.data[0].shapes
    problems += check_settings(training, recipe, means, steps, shapes)
    problems += opened.diagnostics
    problems += check_measures(recipe)
    problems += check_validates(recipe, opened.validation is not None) if not opened.diagnostics else ()
    if any(p.severity == "error" for p in problems) or opened.data is None:
        raise CompileError(tuple(problems))
    notes = (*opened.notes, *(problem.message for problem in _find_averaged(training, means)))
    return PreparedTraining(training, recipe, means, opened.data, opened.validation, opened.described, notes, opened.format, opened.options)


def check_settings(
    training: Training, recipe: Recipe, means: MeanDecomposition, steps: int | None, shapes: Mapping[str, tuple[int, ...]] = {}
) -> list[Diagnostic]:
    """Check the optimizer, the schedule, the augmentation, and whether the loss can be computed in micro-batches. `steps` is the length of
    the run and `shapes` has the shapes of samples, if known."""
    problems = [*check_options(recipe), *_check_patterns(training, recipe)]
    augmentation_problems = check_transforms(training, recipe, shapes)
    nothing = check_trained(training, recipe)
    if nothing is not None:
        problems.append(nothing)
    # PyTorch's constructors get only options that have passed the checks
    elif not problems and all(named.name for named in (recipe.optimizer, *recipe.schedule)):
        problems += check_construction(training, recipe, steps)
    problems += [*check_minimized(training, recipe), *check_followers(training, recipe)]
    problems += check_parts(training, means) if recipe.accumulate > 1 else _find_averaged(training, means)
    problems += [*augmentation_problems, *_find_unmatched(training, recipe.no_decay, NoDecayMatchesNothing)]
    return [*problems, *check_schedule_length(recipe, steps)]


def check_parts(training: Training, means: MeanDecomposition) -> Iterator[Diagnostic]:
    """Report the loss and the metrics of a batch that cannot be computed from its parts."""
    if means.why_not_additive:
        yield make_diagnostic(NotMean(means.why_not_additive), training.loss_span)
    for name, why in means.averaged.items():
        yield make_diagnostic(NotMean(why, name), training.spans[name])


def _find_averaged(training: Training, means: MeanDecomposition) -> Iterator[Diagnostic]:
    for name, why in means.averaged.items():
        yield make_diagnostic(MetricAveraged(name, why), training.spans[name])


def _check_patterns(training: Training, recipe: Recipe) -> Iterator[Diagnostic]:
    """Report patterns of `freeze` and `group` that match no parameter."""
    yield from _find_unmatched(training, _list_patterns(recipe), NothingMatches)


def _list_patterns(recipe: Recipe) -> list[Pattern]:
    followed = [pattern for rule in recipe.follows for pattern in (rule.follower, rule.followed)]
    minimized = [pattern for rule in recipe.minimized for pattern in rule.patterns]
    return [*recipe.freeze, *(rule.pattern for rule in recipe.groups if rule.pattern not in minimized), *minimized, *followed]


def _find_unmatched(training: Training, patterns: Iterable[Pattern], problem: type[NothingMatches]) -> Iterator[Diagnostic]:
    names = [name.removeprefix(f"{MODEL}.") for name, info in collect_parameters(training.program).items() if info.trainable]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern.text) for name in names):
            is_stage = any(fnmatchcase(name, f"{pattern.text}.*") for name in names)
            yield make_diagnostic(
                problem(pattern.text, tuple(find_similar_names(pattern.text, names)), tuple(names[:5]), is_stage), pattern.span
            )


def check_section(training: Training) -> list[Diagnostic]:
    """Check a section without its data."""
    recipe, problems = read_recipe(training)
    means = decompose_objective(training)
    return [*problems, *check_settings(training, recipe, means, recipe.steps)]


def _override_settings(recipe: Recipe, run_request: RunRequest) -> Recipe:
    changes: dict[str, Any] = {n: v for n in ("epochs", "steps", "batch", "seed") if (v := getattr(run_request, n)) is not None}
    if run_request.epochs is not None:
        # `--epochs` also replaces the `steps` of the section
        changes.setdefault("steps", None)
    return replace(recipe, **changes) if changes else recipe


def _check_accumulate(training: Training, recipe: Recipe, run_request: RunRequest) -> Iterator[Diagnostic]:
    """Report more micro-batches than samples, if the caller overrides the batch size."""
    if run_request.batch is None or recipe.accumulate <= run_request.batch:
        return
    stages = [setting.stages[0] for setting in training.settings if setting.word == "batch"]
    span = next(a.span for stage in stages for a in stage.named if a.name == "accumulate")
    need = f"must be at most {run_request.batch}, the number of samples in the batch that is asked for, found `{recipe.accumulate}`"
    yield make_diagnostic(WrongSetting("accumulate", need, f"give `--batch {recipe.accumulate}`, or more"), span)


def collect_versions() -> dict[str, str]:
    """Return the versions that a run depends on in addition to spec and data."""
    import torch

    return {"netc": __version__, "torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
