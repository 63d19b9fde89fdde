"""Rearranging by a pattern of named axes, as einops has it: `"n c (h p) w -> n h w (c p)" p=2`.

A pattern is two sides of groups. A group is one axis of the tensor: the names of the axes it is made of, the first varying slowest; an
empty one is `1`. `...` stands for any axes in between, and for their product in parentheses on the right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from netc.dsl.record import Record

from ..dims import Dim, format_dim, suggest_divisibility, suggest_equality
from ..errors.operator_errors import UnprovableMultiple
from ..errors.problem import Location, argument_location
from ..errors.rearrange import (
    BadPattern,
    PatternAxisLost,
    PatternAxisTwice,
    PatternAxisUnknown,
    PatternIndivisible,
    PatternRank,
    PatternSize,
    PatternSizeOpen,
)
from ..errors.shape import UnprovableSize
from ..types.tensor_types import MOST_AXES, Shape, TensorType, show_shape
from .kinds import SIZE, STRING
from .operand import Input
from .operator import Arg, OperatorError, OpInputs, numel
from .shape import Layout

Group = tuple[str, ...]
ELLIPSIS = "..."
JOINED = "(...)"
"""The name of an ellipsis in parentheses."""
_TOKEN = re.compile(r"\.\.\.|[^\W\d]\w*|\d\w*|\S")


class Pattern(Record):
    """Both sides of a pattern. An ellipsis by itself is the group `("...",)`. In parentheses, it is a name in its group.

    >>> pattern = Rearrange(pattern="n c (h p) w -> n h w (c p)")._parse_pattern()
    >>> pattern.left, pattern.right
    ((('n',), ('c',), ('h', 'p'), ('w',)), (('n',), ('h',), ('w',), ('c', 'p')))
    """

    left: tuple[Group, ...]
    right: tuple[Group, ...]

    def expand_ellipsis(self, rank: int) -> Pattern:
        """Return the pattern with names in place of the ellipsis, for a tensor of this rank."""
        names = tuple(f"{ELLIPSIS}{i}" for i in range(rank - len(self.left) + 1))
        return Pattern(_expand_side(self.left, names), _expand_side(self.right, names))


class Plan(Record):
    """The steps of a rearrangement: the shape of all single axes, their order, and the shape of the result. None: the step changes nothing.

    `left` and `right` have the names of the axes before and after the reordering.
    """

    split: Shape | None
    order: tuple[int, ...] | None
    merge: Shape | None
    left: tuple[Group, ...]
    right: tuple[Group, ...]


class Rearrange(Layout):
    """Reorders, divides and joins axes by a pattern of their names; keywords give sizes that do not follow from the input."""

    name = "rearrange"
    open_keywords = SIZE
    x = Input()
    pattern = Arg(STRING, positional=True)
    examples = (
        'input 3x32x32 -> rearrange "n c (h p) (w q) -> n (h w) (c p q)" p=4 q=4',
        'input [T, 512] -> rearrange "n t (h d) -> n h t d" h=8',
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        opened, sizes = self._solve_pattern(inputs)
        return (inputs.x.with_shape(tuple(_group_size(group, sizes) for group in opened.right)),)

    def make_plan(self, inputs: OpInputs) -> Plan:
        """Make the steps, without steps that change nothing."""
        x = inputs.x
        opened, sizes = self._solve_pattern(inputs)
        before = [name for group in opened.left for name in group]
        after = [name for group in opened.right for name in group]
        order = tuple(before.index(name) for name in after)
        split: Shape | None = tuple(sizes[name] for name in before)
        merge: Shape | None = tuple(_group_size(group, sizes) for group in opened.right)
        # Nothing is reordered: one reshape does it all, or none.
        if order == tuple(range(len(order))):
            same = all(len(group) == 1 for group in opened.left + opened.right)
            return Plan(None, None, None if same or merge == x.shape else merge, opened.left, opened.right)
        if _joins_neighbors(opened):
            return _joined_first(opened, sizes)
        if all(len(group) == 1 for group in opened.left):
            split = None
        if all(len(group) == 1 for group in opened.right):
            merge = None
        return Plan(split, order, merge, opened.left, opened.right)

    def find_kept_axes(self, inputs: OpInputs) -> dict[int, int]:
        """Find the axes that are neither divided nor joined, and their positions in the result."""
        opened, _ = self._solve_pattern(inputs)
        return {axis: opened.right.index(group) for axis, group in enumerate(opened.left) if len(group) == 1 and group in opened.right}

    def _solve_pattern(self, inputs: OpInputs) -> tuple[Pattern, dict[str, Dim]]:
        """Return the pattern for the input's rank, and the size of every name."""
        x = inputs.x
        pattern = self._parse_pattern()
        open_ = (ELLIPSIS,) in pattern.left
        count = len(pattern.left) - open_
        if x.rank < count or (x.rank > count and not open_):
            raise OperatorError(PatternRank(self.pattern, count, open_, x), inputs.at("x"))
        opened = pattern.expand_ellipsis(x.rank) if open_ else pattern
        # The sizes from keywords come first, since each group can then have one more unknown size.
        sizes = self._check_keywords(opened)
        for axis, group in enumerate(opened.left):
            self._solve_group(axis, group, sizes, inputs)
        return opened, sizes

    def _check_keywords(self, pattern: Pattern) -> dict[str, Dim]:
        names = tuple(name for group in pattern.left for name in group)
        sizes: dict[str, Dim] = {}
        for name, size in self.args["sizes"]:
            if name not in names:
                shown = tuple(n for n in names if not n.startswith(ELLIPSIS))
                raise OperatorError(PatternAxisUnknown(self.pattern, name, shown), argument_location(name))
            sizes[name] = size
        return sizes

    def _solve_group(self, axis: int, group: Group, sizes: dict[str, Dim], inputs: OpInputs) -> None:
        """Compute the sizes of the names of a group from the size of its axis."""
        x, facts = inputs.x, inputs.facts
        size, part = x.shape[axis], _format_group(group)
        unknown = [name for name in group if name not in sizes]
        known = numel(tuple(sizes[name] for name in group if name in sizes))
        location = next((argument_location(name) for name in group if name in sizes), argument_location("pattern"))
        if len(unknown) > 1:
            raise OperatorError(PatternSizeOpen(part, tuple(unknown)), argument_location("pattern"))
        if unknown:
            sizes[unknown[0]] = self._divide_size(axis, known, part, inputs, location)
            return
        same = facts.are_equal(size, known)
        if same is False:
            raise OperatorError(PatternSize(part, known, axis, x), location)
        if same is None:
            need = f"`{part}`, axis {axis} of {show_shape(x.shape)}, is {format_dim(known)}"
            raise OperatorError(UnprovableSize(need, "the pattern needs it", suggest_equality(size, known) or ""), location)

    def _divide_size(self, axis: int, known: Dim, part: str, inputs: OpInputs, location: Location) -> Dim:
        size, facts = inputs.x.shape[axis], inputs.facts
        quotient = facts.exact_div(size, known)
        if quotient is not None:
            return quotient
        if facts.divides(known, size) is False:
            raise OperatorError(PatternIndivisible(part, known, axis, inputs.x), location)
        raise OperatorError(UnprovableMultiple(self.name, known, size, suggest_divisibility(known, size)), location)

    def _parse_pattern(self) -> Pattern:
        """Read the pattern and check its names."""
        pattern = self._read_pattern()
        sides = (pattern.left, pattern.right)
        # The ellipsis is one axis for these checks, with or without parentheses.
        left, right = ([ELLIPSIS if name == JOINED else name for group in side for name in group] for side in sides)
        for side, names in (("left", left), ("right", right)):
            if len(names) > MOST_AXES:
                raise self._raise_unreadable(f"it names {len(names):_} axes on the {side}, and a tensor has at most {MOST_AXES}")
            for i, name in enumerate(names):
                if name in names[:i]:
                    raise OperatorError(PatternAxisTwice(self.pattern, name, side), argument_location("pattern"))
        for side, names, others in (("left", left, right), ("right", right, left)):
            lost = next((name for name in names if name not in others), None)
            if lost is not None:
                raise OperatorError(PatternAxisLost(self.pattern, lost, side), argument_location("pattern"))
        if any(JOINED in group for group in pattern.left):
            raise self._raise_unreadable("on the left, `...` cannot be in parentheses")
        return pattern

    def _read_pattern(self) -> Pattern:
        sides = self.pattern.split("->")
        if len(sides) != 2:
            raise self._raise_unreadable("it needs one `->`")
        return Pattern(self._read_side(_TOKEN.findall(sides[0])), self._read_side(_TOKEN.findall(sides[1])))

    def _read_side(self, tokens: Sequence[str]) -> tuple[Group, ...]:
        groups: list[Group] = []
        inside: list[str] | None = None
        for token in tokens:
            if token == "(" and inside is None:
                inside = []
            elif token == ")" and inside is not None:
                groups.append(tuple(inside))
                inside = None
            elif token in ("(", ")"):
                raise self._raise_unreadable("its parentheses do not match" if token == ")" else "parentheses cannot be nested")
            elif token != "1" and token != ELLIPSIS and not token.isidentifier():
                what = "the only number it can contain is 1" if token.isdigit() else f"`{token}` is no name of an axis"
                raise self._raise_unreadable(what)
            elif inside is not None:
                inside += [] if token == "1" else [JOINED if token == ELLIPSIS else token]
            else:
                groups.append(() if token == "1" else (token,))
        if inside is not None:
            raise self._raise_unreadable("its parentheses do not match")
        return tuple(groups)

    def _raise_unreadable(self, what: str) -> OperatorError:
        return OperatorError(BadPattern(self.pattern, what), argument_location("pattern"))


def _expand_side(side: tuple[Group, ...], names: Group) -> tuple[Group, ...]:
    groups: list[Group] = []
    for group in side:
        if group == (ELLIPSIS,):
            groups += [(name,) for name in names]
        else:
            groups.append(tuple(n for name in group for n in (names if name == JOINED else (name,))))
    return tuple(groups)


def _joins_neighbors(pattern: Pattern) -> bool:
    """Whether the axes that it joins are neighbors already. Then they can be joined first, so that fewer axes are reordered."""
    before = [name for group in pattern.left for name in group]
    apart = any(len(group) != 1 for group in pattern.left)
    joins = any(len(group) > 1 for group in pattern.right)
    places = [[before.index(name) for name in group] for group in pattern.right]
    return joins and not apart and all(p and p == list(range(p[0], p[0] + len(p))) for p in places)


def _joined_first(pattern: Pattern, sizes: dict[str, Dim]) -> Plan:
    before = [name for group in pattern.left for name in group]
    runs = sorted(pattern.right, key=lambda group: before.index(group[0]))
    order = tuple(runs.index(group) for group in pattern.right)
    wholes = tuple((" ".join(group),) for group in runs)
    return Plan(tuple(_group_size(group, sizes) for group in runs), order, None, wholes, pattern.right)


def _group_size(group: Group, sizes: dict[str, Dim]) -> Dim:
    return numel(tuple(sizes[name] for name in group))


def _format_group(group: Group) -> str:
    return group[0] if len(group) == 1 else "(" + " ".join(group) + ")" if group else "1"
