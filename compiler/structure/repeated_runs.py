"""Find runs of stages that repeat, as the convolutions and pools of a VGG do.

In: the members of a sequence as keys, which are equal for members that may be written once. Out: the longest `Run` from a member on.
Always: takes time in proportion to the members of the run. The stages `c64 p c128 p c256 c256 p` have the kinds `c p c p c c p`. With one
member in a unit and one after the units, their run has three pieces, of 1, 1 and 2 units:

>>> find_run("cpcpccp", ["c64", "p", "c128", "p", "c256", "c256", "p"], "cpcpccp", 0, 1, 1).counts
(1, 1, 2)
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import Record


class Run(Record):
    """A run of pieces from `start` on. Each piece has as many units of `unit` members as `counts` says, and `rest` other members after
    them."""

    start: int
    unit: int
    rest: int
    counts: tuple[int, ...]

    @property
    def length(self) -> int:
        """The number of members."""
        return sum(self.counts) * self.unit + len(self.counts) * self.rest


def find_run(kinds: Sequence[object], again: Sequence[object], rests: Sequence[object], start: int, unit: int, rest: int) -> Run:
    """Find the run from `start` on, which is empty if no unit fits. All units are equal as `kinds`, units of one piece also as `again`,
    and the members after the units as `rests`."""
    first = kinds[start : start + unit]
    counts: list[int] = []
    after: Sequence[object] = ()
    index = start
    while len(first) == unit and kinds[index : index + unit] == first:
        count = 1
        while again[index + count * unit : index + (count + 1) * unit] == again[index : index + unit]:
            count += 1
        end = index + count * unit
        # The first piece decides what comes after the units of every piece.
        after = after if counts else rests[end : end + rest]
        if len(after) < rest or rests[end : end + rest] != after:
            break
        counts.append(count)
        index = end + rest
    return Run(start, unit, rest, tuple(counts))
