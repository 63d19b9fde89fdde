"""Folds members of a sequence that repeat with other numbers, such as two convolutions and a pooling with 64, 128 and 256 channels.

In: the members of a sequence, without labels, since their numbers are those that they get anyway. Out: the same members, with loops for
those that repeat. Always: the iterations of a loop differ only in literals, which the loop lists. An iteration is some members, any number
of times, and others after them.

    >>> from .spec_tree import Stage
    >>> stages = [Stage("conv", (("channels", Literal(width, "channels")),)) for width in (64, 128, 256)]
    >>> (loop,) = fold_periods(stages)
    >>> [item.value for item in loop.over.items], loop.binders
    ([64, 128, 256], ('channels',))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from netc.dsl.trees import shape_key

from ...structure.repeated_runs import Run, find_run
from .repeated_stages import is_worth_it, unify_stages
from .spec_tree import Chain, Choice, Given, Group, Literal, Loop

LONGEST_UNIT = 6
"""The largest number of members that may repeat within an iteration."""
LONGEST_REST = 3
"""The largest number of members after them in an iteration."""


def fold_periods(stages: Sequence[Any]) -> Sequence[Any]:
    """Replace members that repeat by loops."""
    if any(isinstance(stage, Group | Choice) or getattr(stage, "label", None) is not None for stage in stages):
        return stages
    return list(_fold_loops(tuple(stages)))


def _make_iterations(stages: tuple[Any, ...], run: Run) -> Iterator[tuple[Any, ...]]:
    """Yield the members of each iteration. If a unit repeats in any iteration, it is a loop in all of them."""
    start = run.start
    for count in run.counts:
        once, end = stages[start : start + run.unit], start + run.unit * count
        yield (*((_make_loop(Literal(count, "depth"), (), once),) if max(run.counts) > 1 else once), *stages[end : end + run.rest])
        start = end + run.rest


def _fold_loops(stages: tuple[Any, ...]) -> Iterator[Any]:
    shapes = [shape_key(stage) for stage in stages]
    position = 0
    while position < len(stages):
        sizes = product(range(1, LONGEST_UNIT + 1), range(LONGEST_REST + 1))
        runs = [find_run(shapes, stages, shapes, position, unit, rest) for unit, rest in sizes]
        # The longest run wins; of equally long ones, the one with the shortest iteration.
        for run in sorted(runs, key=lambda run: (-run.length, run.unit + run.rest)):
            loop = _make_run_loop(stages, run)
            if loop is not None:
                yield loop
                position += run.length
                break
        else:
            yield stages[position]
            position += 1


def _make_run_loop(stages: tuple[Any, ...], run: Run) -> Loop | None:
    """Make the loop for a run. None if it is no easier to read than its members."""
    bodies = list(_make_iterations(stages, run))
    if len(bodies) == 1 and not run.rest and run.length > 2:
        return bodies[0][0] if isinstance(bodies[0][0], Loop) and run.counts[0] > 1 else None
    if len(bodies) < 2 or run.length < 3 or not is_worth_it(bodies):
        return None
    over, binders, body = unify_stages(bodies, first=False)
    return _make_loop(over, binders, body)


def _make_loop(over: Any, binders: tuple[str, ...], body: Sequence[Any]) -> Loop:
    return Loop(over, binders, Chain(Given(), tuple(body)), None)
