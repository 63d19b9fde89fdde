"""The two relations between positions that a claim is about, and the cases in which tensors are analyzed.

A tensor has *references* to positions: `[N, T, 8]` has one, `[N, heads, T, T]` two, the query and the key. A *case* gives each reference a
label. Under `Hidden`, the label says whether the position is hidden or visible. Under `Groups`, references with equal labels are positions
of the same group, such as one document or one sample.

    >>> Hidden().list_cases(1), Groups().list_cases(2)
    ([(0,), (1,)], [(0, 0), (0, 1)])

What an element depends on is a set of labels: the hidden positions, or the groups of these references, `OTHER` groups and
the `COUNT` of positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Protocol

Case = tuple[int, ...]
Labels = frozenset[int]
NOTHING: Labels = frozenset()
HIDDEN, VISIBLE = 0, 1
MEETING, LEAK = 1, 2
OTHER = -1
"""Stands for groups that no reference of the tensor belongs to."""
COUNT = -2
"""Stands for the number of positions, and for the index of one."""


class Relation(Protocol):
    """How positions are related, and what an element may depend on. `anything` are the labels of an element whose positions are unknown.
    `ordered`: see `Hidden`. `counted`: see `Groups`."""

    anything: Labels
    ordered: bool
    counted: bool

    def list_cases(self, count: int) -> list[Case]:
        """List the cases of a tensor with this number of references."""

    def project(self, case: Case, kept: Sequence[int]) -> tuple[Case, Mapping[int, int]]:
        """Return the case of some of the references, and the new label of each of its labels."""

    def rename(self, labels: Labels, names: Mapping[int, int]) -> Labels:
        """Rename labels. `names` lacks the labels of references that the tensor no longer has."""

    def own_labels(self, case: Case) -> Labels:
        """What an element of an input depends on."""

    def measure_leak(self, case: Case, labels: Labels) -> int:
        """Whether an element that depends on these labels is a leak: `LEAK`, or `MEETING` of the groups of its own positions, or 0."""


class Hidden:
    """Some positions are hidden. No element all of whose positions are visible may depend on them. `ordered`: the hidden positions of a
    sample are its last ones, as with padding on the right. So no visible position is later than a hidden one."""

    anything = frozenset({HIDDEN})
    counted = False

    def __init__(self, *, ordered: bool = False) -> None:
        self.ordered = ordered

    def list_cases(self, count: int) -> list[Case]:
        return list(product((HIDDEN, VISIBLE), repeat=count))

    def project(self, case: Case, kept: Sequence[int]) -> tuple[Case, Mapping[int, int]]:
        return tuple(case[index] for index in kept), {HIDDEN: HIDDEN, VISIBLE: VISIBLE}

    def rename(self, labels: Labels, names: Mapping[int, int]) -> Labels:
        # Hidden values stay hidden values, whichever references remain.
        return labels

    def own_labels(self, case: Case) -> Labels:
        return frozenset({HIDDEN}) if HIDDEN in case else NOTHING

    def measure_leak(self, case: Case, labels: Labels) -> int:
        return 0 if HIDDEN in case or not labels else LEAK


class Groups:
    """Each position belongs to a group. An element of an output may depend on one of the groups of its positions only. A score of a query
    and a key has two positions: it is no leak yet that it depends on the groups of both, unless `meeting` is `LEAK`. If they are `counted`,
    an element may depend neither on the number of positions nor on the index of its own."""

    anything = frozenset({OTHER})
    ordered = False

    def __init__(self, meeting: int = MEETING, *, counted: bool = False) -> None:
        self.meeting, self.counted = meeting, counted

    def list_cases(self, count: int) -> list[Case]:
        cases: list[Case] = [()]
        for _ in range(count):
            # A further reference belongs to one of the groups before it, or to a new one.
            cases = [(*case, label) for case in cases for label in range(max(case, default=-1) + 2)]
        return cases

    def project(self, case: Case, kept: Sequence[int]) -> tuple[Case, Mapping[int, int]]:
        names: dict[int, int] = {}
        for index in kept:
            names.setdefault(case[index], len(names))
        return tuple(names[case[index]] for index in kept), names

    def rename(self, labels: Labels, names: Mapping[int, int]) -> Labels:
        return frozenset(COUNT if label == COUNT else names.get(label, OTHER) for label in labels)

    def own_labels(self, case: Case) -> Labels:
        return frozenset(case)

    def measure_leak(self, case: Case, labels: Labels) -> int:
        if OTHER in labels or COUNT in labels:
            return LEAK
        return self.meeting if len(labels) > 1 else 0
