"""What is no error, and probably not meant: a schedule that is longer than the run, and a column that an input and a target share.

In: a recipe with the number of steps, and the columns. Out: warnings. Always: nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.compiler.errors.recipe_errors import ScheduleCut
from netc.dsl.diagnostics import Diagnostic

from ..files.file_problems import diagnostic
from .data.data_columns import InputColumns
from .optimizers import key
from .recipe import Recipe

RISING = "warmup"
"""The stage that is of no use if it is cut off."""


def cut_schedule(recipe: Recipe, steps: int | None) -> Iterator[Diagnostic]:
    """The first stage of the schedule that the run ends within, if others follow it or it is a warmup."""
    begin = 0
    for index, stage in enumerate(recipe.schedule if steps is not None else ()):
        length = stage.positional[0].value if stage.positional else 0
        if not isinstance(length, int) or steps is None:  # reported with the options
            return
        last = index == len(recipe.schedule) - 1
        if (begin + length > steps and (not last or key(stage.name) == RISING)) or (begin + length == steps and not last):
            later = "" if last else recipe.schedule[index + 1].name
            yield diagnostic(ScheduleCut(stage.name, length, steps, begin, later), stage.span)
            return
        begin += length


def shared_columns(columns: InputColumns) -> Iterator[str]:
    """Columns that are among those next to each other for one input, and are another input too."""
    for name, joined in columns.columns.items():
        if joined.single:
            continue
        for other, own in columns.columns.items():
            if other != name and own.single and own.names[0] in joined.names:
                column = own.names[0]
                yield f"the column `{column}` is the input `{other}`, and is in `{name}` too: a model that is given it need not guess it"


def notes(recipe: Recipe, steps: int, columns: InputColumns) -> list[str]:
    """The same as texts, for a run."""
    return [*shared_columns(columns), *(found.message for found in cut_schedule(recipe, steps))]
