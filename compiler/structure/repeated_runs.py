"""Rows that repeat: several members again and again, as the convolutions and the pooling of a VGG.

In: the members of a row as keys that are equal where they may be written once. Out: the longest `Run` from a member on. Always: linear in
the members of the run. Of `c64 p c128 p c256 c256 p`, with the kinds `c p c p c c p` as keys, the run with one member in a unit and one
after the units has three pieces, of 1, 1 and 2 units.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import Record


class Run(Record):
    """Pieces from `start` on: each has as many units of `unit` members as `counts` says, and `rest` others after them."""

    start: int
    unit: int
    rest: int
    counts: tuple[int, ...]

    @property
    def length(self) -> int:
        """The number of members."""
        return sum(self.counts) * self.unit + len(self.counts) * self.rest


def find_run(kinds: Sequence[object], again: Sequence[object], rests: Sequence[object], start: int, unit: int, rest: int) -> Run:
    """The pieces that there are from `start` on, none if a unit does not fit. All units are equal as `kinds`, those of one piece as `again`
    too, and what is after the units as `rests`."""
    first = kinds[start : start + unit]
    counts: list[int] = []
    after: Sequence[object] = ()
    index = start
    while len(first) == unit and kinds[index : index + unit] == first:
        count = 1
        while again[index + count * unit : index + (count + 1) * unit] == again[index : index + unit]:
            count += 1
        end = index + count * unit
        after = after if counts else rests[end : end + rest]
        if len(after) < rest or rests[end : end + rest] != after:
            break
        counts.append(count)
        index = end + rest
    return Run(start, unit, rest, tuple(counts))
