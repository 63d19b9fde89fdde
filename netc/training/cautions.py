"""Find settings that do not fit the run: a schedule that is longer, `stop` without validation data, a column that two inputs share.

In: a recipe with the number of steps, and the columns. Out: warnings. Always: no data is read.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> from netc.training.recipe import read_recipe
    >>> section = "loss = (y, t) -> mse_loss; optimizer sgd; schedule warmup 200 -> cosine; steps 100"
    >>> text = f"y = input 3 -> dense 1; train {{ t = input 1; {section} }}"
    >>> recipe, _ = read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)
    >>> [problem.message for problem in check_schedule_length(recipe, 100)]
    ['`warmup` takes 200 steps, and the run has 100: `cosine` never begins']
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.errors.recipe_errors import ScheduleCut, WrongSetting
from netc.dsl.diagnostics import Diagnostic

from ..files.file_problems import make_diagnostic
from .data.data_columns import InputColumns
from .optimizers import normalize_name
from .recipe import Recipe

WARMUP = "warmup"
"""The stage that is useless if the run ends within it, even if no other stage follows."""


def check_schedule_length(recipe: Recipe, steps: int | None) -> Iterator[Diagnostic]:
    """Report the stage of the schedule within which the run ends, if other stages follow or if it is a warmup."""
    start = 0
    for index, stage in enumerate(recipe.schedule if steps is not None else ()):
        length = stage.positional[0].value if stage.positional else 0
        if not isinstance(length, int) or steps is None:  # reported with the options
            return
        last = index == len(recipe.schedule) - 1
        if (start + length > steps and (not last or normalize_name(stage.name) == WARMUP)) or (start + length == steps and not last):
            later = "" if last else recipe.schedule[index + 1].name
            yield make_diagnostic(ScheduleCut(stage.name, length, steps, start, later), stage.span)
            return
        start += length


def check_measures(recipe: Recipe) -> Iterator[Diagnostic]:
    """Report measures without scikit-learn before the run, rather than after its first epoch."""
    if recipe.measures and find_spec("sklearn") is None:
        remedy = f"run `{format_install_command('sklearn')}`"
        yield make_diagnostic(WrongSetting("measure", "needs scikit-learn, which is not installed", remedy), recipe.measures[0].span)


def check_validates(recipe: Recipe, validates: bool) -> Iterator[Diagnostic]:
    """Report the settings that need a validation, in a run without one."""
    remedy = "write `validate 0.1` in the section; `netc train` also takes `--validation`"
    if recipe.stop is not None and not validates:
        yield make_diagnostic(WrongSetting("stop", "counts validations, and there is no validation data", remedy), recipe.stop.span)
    for rule in recipe.measures if not validates else ():
        need = "is computed from the validation samples, and there is no validation data"
        yield make_diagnostic(WrongSetting("measure", need, remedy), rule.span)


def find_shared_columns(columns: InputColumns) -> Iterator[str]:
    """Report a column that is an input of its own and also one of the concatenated columns of another input."""
    # For example `x="*"` in a table includes the column of the target, and the model learns to copy it.
    for name, selection in columns.columns.items():
        if selection.single:
            continue
        for other, other_selection in columns.columns.items():
            if other != name and other_selection.single and other_selection.names[0] in selection.names:
                column = other_selection.names[0]
                yield f"the column `{column}` is the input `{other}`, and is in `{name}` too: a model that is given it need not guess it"


def find_shared_shards(columns: InputColumns, batch: int, replicas: int) -> Iterator[str]:
    """Report that several processes read the same shards of a stream."""
    layout = columns.layout
    if layout is None or replicas == 1 or (layout.lanes % replicas == 0 and batch % replicas == 0):
        return
    if len(layout.sizes) < replicas:
        remedy = f"write at least {replicas} shards"
    else:
        remedy = f"for shards of its own, `interleave` ({layout.lanes} here) and the batch ({batch} here) must be multiples of {replicas}"
    yield f"each of the {replicas} processes also reads shards of the others, which is correct and slow; {remedy}"


def collect_notes(recipe: Recipe, steps: int, columns: InputColumns) -> list[str]:
    """Collect all warnings as texts."""
    return [*find_shared_columns(columns), *(problem.message for problem in check_schedule_length(recipe, steps))]
