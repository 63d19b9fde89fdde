"""The look-ahead of a stream: by how many positions its outputs come later than its inputs.

A convolution that is padded at both ends needs elements after each position. With a look-ahead of L, a step returns the outputs up to the
position P + T - L. The last L outputs are those of a `flush`, a step whose last L positions are after the end of the sequence: wherever the
model pads, they are padding.

    >>> Lookahead(4).find_needed(lag=3, rate=2, unit=4), Lookahead(4).allows(8)
    (8, False)
"""

from __future__ import annotations

from netc.dsl.record import Record

from ..errors.stream_errors import LooksAhead, NotStreamed
from .items import Chunk, LookaheadCause, StreamRefused


class Lookahead(Record):
    """The number of positions by which outputs may come later. None: any number, to find the smallest one. `ending`: the last `positions`
    of a piece are after the end. `waits`: results inside of the model may come later, even if no output may."""

    positions: int | None = 0
    ending: bool = False
    waits: bool = False

    @property
    def delays(self) -> bool:
        """Whether results may come later than their inputs."""
        return self.waits or self.positions != 0

    def allows(self, needed: int) -> bool:
        return self.positions is None or needed <= self.positions

    def find_needed(self, lag: int, rate: int, unit: int) -> int:
        """Return the positions of the stream that an output has to wait for if its last `lag` elements need later inputs, and it has `rate`
        elements for each `unit` positions. It is a multiple of `unit`, since each piece is one."""
        return -(-max(lag, 0) // rate) * unit

    def count_elements(self, needed: int, rate: int, unit: int) -> int:
        """Return by how many elements a tensor with that rate is delayed: by `positions`, or if that is None by the `needed` ones."""
        return (needed if self.positions is None else self.positions) * rate // unit


class MeasuredLookahead(Record):
    """The smallest look-ahead of a program, in positions, and the operators that cause it, from input to output."""

    positions: int
    causes: tuple[LookaheadCause, ...] = ()


def check_tail(x: Chunk, dimension: str) -> None:
    """Refuse a chunk in which elements so far depend on where the sequence ends."""
    if x.tail:
        first = x.tail[0]
        if first.late:
            many = f"{x.over - x.ahead} elements" if x.over - x.ahead > 1 else "an element"
            why = f"it begins with {many} in front of the sequence, so that its results come later than they are needed"
            raise StreamRefused(NotStreamed(first.operator, dimension, why), first.span)
        raise StreamRefused(LooksAhead(first.operator, dimension, x.over - x.ahead), first.span)
