"""The options of `netc sweep` that make a search of it: `--search`, `--by`, `--trials`, `--storage` and others.

Always: a mistake in `--search` or `--by` is a usage error that shows its place in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..sweeping.goals import PARETO, Goal, parse_goals
from .shared_options import parse_pairs

if TYPE_CHECKING:
    from ..sweeping.search_space import SearchSpace

ENGINES = ("ray", "slurm", "local")
F = TypeVar("F", bound=Callable[..., Any])


class SearchCommand(click.Command):
    """A command whose `--by pareto A,B` is one option of two words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        joined: list[str] = []
        words = iter(args)
        for word in words:
            if joined[-1:] == ["--by"] and word == PARETO:
                word = f"{word} {next(words, '')}"
            joined.append(word)
        return super().parse_args(ctx, joined)


def search_options(function: F) -> F:
    """Add the options of a search."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _parse_search(ctx: click.Context, option: click.Parameter, text: str | None) -> SearchSpace:
    from ..sweeping.search_text import SearchTextError, parse_search

    if text is None:
        return {}
    try:
        return parse_search(text)
    except SearchTextError as error:
        line = " ".join(text.split("\n"))  # one line, in which positions are the same
        mark = " " * error.start + "^" * max(1, error.end - error.start)
        raise click.BadParameter(f"{error}\n  {line}\n  {mark}", ctx, option) from None


def _parse_by(ctx: click.Context, option: click.Parameter, text: str | None) -> tuple[Goal, ...]:
    try:
        return () if text is None else parse_goals(text)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from None


def _parse_engine_options(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    """Return the options of the engine. Numbers and `true` are what they are in a spec, and everything else is text."""
    from ..inputs.set_values import NotAValue, parse_constant

    parsed: dict[str, object] = {}
    for name, text in parse_pairs(ctx, option, values).items():
        try:
            value = parse_constant(text)
        except NotAValue:
            value = text
        parsed[name] = value if isinstance(value, bool | int | float) else text
    return parsed


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--search",
        "space",
        metavar="RANGES",
        callback=_parse_search,
        help="Search these values, such as 'width=64..512 step 64, rate=1e-4..1e-2 log, depth in [2,4]'.",
    ),
    click.option("--trials", type=click.IntRange(1), metavar="N", help="Try N choices that Optuna proposes. [default: every combination]"),
    click.option(
        "--by",
        "goals",
        metavar="METRIC",
        callback=_parse_by,
        help=f"Search the best METRIC, such as accuracy or min:loss, or '{PARETO} params,accuracy'. [default: the metric of `keep`]",
    ),
    click.option("--no-prune", is_flag=True, help="Train all trials to the end. [default: stop those that are worse than the median]"),
    click.option("--storage", metavar="URL", help="Keep the study in this database. [default: sqlite:///RUNS/study.db]"),
    click.option("--study", metavar="NAME", help="Name of the study in the storage. [default: the name of FILE]"),
    click.option("--on", "engine", type=click.Choice(ENGINES), help="Run the trials by Ray, by Slurm, or in processes of this machine."),
    click.option("--jobs", type=click.IntRange(1), metavar="N", help="With --on: run N trials at a time. [default: one for each CPU]"),
    click.option(
        "--on-option",
        "engine_options",
        multiple=True,
        metavar="OPTION=VALUE",
        callback=_parse_engine_options,
        help="Set an option of the engine, such as num_cpus=4 for Ray and slurm_partition=gpu for Slurm.",
    ),
)


def merge_space(space: SearchSpace, params: Mapping[str, Sequence[tuple[str, object]]]) -> SearchSpace:
    """Return the space of `--set` and `--search` together: a list of values is a range too."""
    from ..sweeping.search_space import Alternatives

    twice = next((name for name in space if name in params), None)
    if twice is not None:
        raise click.UsageError(f"`{twice}` is in `--set` and in `--search`")
    return {name: Alternatives(tuple(values)) for name, values in params.items()} | dict(space)
