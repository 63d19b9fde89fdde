"""Members of a sequence that repeat in groups: a loop instead of a list.

In: members in a row. Out: the same members, in the same order, with `MemberLoop` for those that a loop adds: `conv, relu, conv, relu`
becomes `for width in (64, 128): layers += [conv, relu]`. Always: the loop adds exactly the run, member by member. Members of one kind in a
row are left to comprehensions. A loop is shorter than the list that it replaces, and has one variable and at most one more with the
previous value (`in_channels`). The search is linear in the number of members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from netc.dsl.trees import shape_key, walk_tree

from ....structure.repeated_runs import Run, find_run
from ..code.class_tree import GeneratorStar, InitializedCode, RepeatStar
from ..code.python_expressions import Code, Lit, Literal, NestedResults, TupleCode
from .member_names import collect_names
from .row_comprehensions import LiteralDifferences

LONGEST = 8
"""The largest number of members that a loop adds in one iteration."""
TAIL = 2
"""The number of members after an inner loop."""
TIMES = 3
"""The least number of iterations of a loop."""
SAVED = 6
"""The least number of members that a loop must save."""
TRIES = 3
"""The number of members of a run at which a loop is tried. After these, the rest of the run is not searched again."""


class MemberLoop(Code):
    """`for variable in values: layers += unit`. `before` is a variable with the value of the previous iteration, and at first `start`.
    With a `tail`, an outer loop runs over `groups` of values: for each group, an inner loop adds the units, then the outer one adds the
    tail."""

    unit: tuple[Code, ...]
    tail: tuple[Code, ...]
    groups: tuple[tuple[Code, ...], ...]
    variable: str
    before: str
    start: Code


_Tried = dict[tuple[int, int], tuple[int, int]]
"""By period and tail: the end of the run that was tried last, and how often a run with this end was tried."""


def _iterate_units(run: Run, items: Sequence[Code]) -> Iterator[TupleCode]:
    position = run.start
    for count in run.counts:
        for _ in range(count):
            yield TupleCode(tuple(items[position : position + run.unit]))
            position += run.unit
        position += run.rest


def roll_loops(items: Sequence[Code], used_names: Iterable[str]) -> list[Code]:
    """Return the members, with loops for groups that repeat. `used_names`: names that the variables must not have."""
    known: dict[object, int] = {}
    keys = [-i if _is_apart(item) else known.setdefault(shape_key(item), 1 + len(known)) for i, item in enumerate(items)]
    members: list[Code] = []
    tried: _Tried = {}
    position = 0
    while position < len(items):
        # The longest run is the best; of equally long ones, the one with the smallest unit.
        runs = sorted(_find_runs(items, keys, position, tried), key=lambda run: (-run.length, run.unit + run.rest))
        loop_run = next(((run, loop) for run in runs if (loop := _make_loop(run, items, set(used_names))) is not None), None)
        members.append(items[position] if loop_run is None else loop_run[1])
        position += 1 if loop_run is None else loop_run[0].length
    return members


def _is_apart(item: Code) -> bool:
    """Whether it stands for several members, or has statements after it, which a loop cannot contain."""
    return isinstance(item, (RepeatStar, GeneratorStar)) or any(isinstance(p, (InitializedCode, NestedResults)) for p in walk_tree(item))


def _find_runs(items: Sequence[Code], keys: Sequence[int], start: int, tried: _Tried) -> Iterator[Run]:
    """Iterate over the runs that begin at a member and are long enough. Changes `tried`."""
    for period in range(1, min(LONGEST, len(items) - start) + 1):
        unit = keys[start : start + period]
        # Members of one shape are left to comprehensions.
        if unit[0] <= 0 or (period > 1 and len(set(unit)) == 1):
            continue
        for tail in range(TAIL + 1):
            end, times = tried.get((period, tail), (0, 0))
            times = times if start < end else 0
            # A long run that fails as a loop would otherwise be searched again from each of its members, in quadratic time.
            if times == TRIES:
                continue
            run = find_run(keys, keys, items, start, period, tail)
            tried[period, tail] = start + run.length, times + 1
            written = period + tail
            if tail and (len(run.counts) < 2 or max(run.counts) < 2):
                continue  # the tail is part of the unit, or comes after the loop
            if written > 1 and sum(run.counts) >= TIMES and run.length - written >= SAVED:
                yield run


def _make_loop(run: Run, items: Sequence[Code], used_names: set[str]) -> MemberLoop | None:
    units = list(_iterate_units(run, items))
    differences = LiteralDifferences(used_names | set[str]().union(*map(collect_names, units)))
    unit = differences.merge_codes(cast("list[Code]", units))
    assert isinstance(unit, TupleCode)
    differing = list(differences.found.items())
    # Two variables would need `zip` in the loop; only a value carried over from the last iteration is as easy to read.
    if not differing or len(differing) > 2:
        return None
    before, start = "", differing[0][1][0]
    if len(differing) == 2:
        # The channels going in are the channels that came out of the iteration before.
        carried = next(((first, other) for first, other in (differing, differing[::-1]) if first[1][1:] == other[1][:-1]), None)
        if carried is None:
            return None
        before, start, differing = carried[0][0], carried[0][1][0], [carried[1]]
    variable, values = differing[0]
    # A tuple of formulas would hide the rule that its values follow.
    if any(not isinstance(v.value, (int, float, str)) for v in values):
        return None
    groups: list[tuple[Code, ...]] = []
    start_index = 0
    for count in run.counts:
        groups.append(tuple(Lit(cast("Literal", v.value)) for v in values[start_index : start_index + count]))
        start_index += count
    end = run.start + run.length
    return MemberLoop(unit.items, tuple(items[end - run.rest : end]), tuple(groups), variable, before, Lit(cast("Literal", start.value)))
