"""Members of a sequence that come again: two convolutions and a pooling, with 64 channels, with 128, with 256.

In: the members of a sequence, without labels, since their numbers are those that they would have. Out: the same members, those that come
again as loops. Always: the iterations of a loop are alike but for literals, which the loop lists. Each is some members, any number of
times, and others after them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from netc.dsl.record import Record

from .repeated_stages import is_worth_it, unified
from .spec_tree import Chain, Choice, Given, Group, Literal, Loop, without_literals

LONGEST_UNIT = 6
"""The most members that are looked for as what an iteration has several times."""
LONGEST_REST = 3
"""The most members that are looked for after them."""


def folded(stages: Sequence[Any]) -> Sequence[Any]:
    """The members, with loops for what comes again."""
    if any(isinstance(stage, Group | Choice) or getattr(stage, "label", None) is not None for stage in stages):
        return stages
    return list(_loops(tuple(stages)))


class _Run(Record):
    """Iterations from `start` on: each has `unit` members as often as `times` says, and `rest` others."""

    start: int
    unit: int
    rest: int
    times: tuple[int, ...]

    @property
    def length(self) -> int:
        return sum(self.unit * n + self.rest for n in self.times)

    def iterations(self, stages: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """The members of each, those that are there several times as a loop, and as one in all iterations if in any."""
        at = self.start
        for n in self.times:
            once, rest = stages[at : at + self.unit], stages[at + self.unit * n : at + self.unit * n + self.rest]
            yield (*((_loop(Literal(n, "depth"), (), once),) if max(self.times) > 1 else once), *rest)
            at += self.unit * n + self.rest


def _loops(stages: tuple[Any, ...]) -> Iterator[Any]:
    shapes = [without_literals(stage) for stage in stages]
    at = 0
    while at < len(stages):
        found = [_run(stages, shapes, at, unit, rest) for unit, rest in product(range(1, LONGEST_UNIT + 1), range(LONGEST_REST + 1))]
        for run in sorted(found, key=lambda run: (-run.length, run.unit + run.rest)):
            loop = _made(stages, run)
            if loop is not None:
                yield loop
                at += run.length
                break
        else:
            yield stages[at]
            at += 1


def _run(stages: tuple[Any, ...], shapes: Sequence[Any], start: int, unit: int, rest: int) -> _Run:
    """As many iterations of these lengths as there are."""
    first, after = shapes[start : start + unit], shapes[start + unit : start + unit + rest]
    times: list[int] = []
    at = start
    while shapes[at : at + unit] == first and len(first) == unit:
        n = 1
        while stages[at + n * unit : at + (n + 1) * unit] == stages[at : at + unit]:
            n += 1
        end = at + n * unit + rest
        after = after if times else shapes[at + n * unit : end]
        if shapes[at + n * unit : end] != after or len(after) < rest:
            break
        times.append(n)
        at = end
    return _Run(start, unit, rest, tuple(times))


def _made(stages: tuple[Any, ...], run: _Run) -> Loop | None:
    """The loop that the run is; None if it is no easier to read than its members."""
    bodies = list(run.iterations(stages))
    if len(bodies) == 1 and not run.rest and run.length > 2:
        return bodies[0][0] if isinstance(bodies[0][0], Loop) and run.times[0] > 1 else None
    if len(bodies) < 2 or run.length < 3 or not is_worth_it(bodies):
        return None
    over, binders, body = unified(bodies, first=False)
    return _loop(over, binders, body)


def _loop(over: Any, binders: tuple[str, ...], body: Sequence[Any]) -> Loop:
    return Loop(over, binders, Chain(Given(), tuple(body)), None)
