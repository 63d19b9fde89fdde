"""Run a loop or a recurrent layer over a sequence that comes later than the stream.

The first elements of such chunks are before the sequence, and would change the state. So the loop runs over the elements of the sequence
alone, and its states stay as they are until the first one.
"""

from __future__ import annotations

from netc.dsl.record import Record

from ..dims import Dim, dim_max, dim_min
from ..ir.graph_values import Value
from ..ops.formula import BinaryFormula, Const
from .items import Chunk
from .stream_site import StreamSite


class LateSequence(Record):
    """The elements of a chunk that are in the sequence: the last `count` ones. `end` is the number of elements after the chunk, or less
    than 1 if the sequence has not begun."""

    site: StreamSite
    count: Dim
    end: Dim

    def take_elements(self, x: Chunk) -> Value:
        return self.site.slice_axis(x.value, x.axis, self.site.length.chunk - self.count, self.site.length.chunk)

    def fill_chunk(self, result: Value, axis: int) -> Value:
        """Return the results for the elements as a chunk again."""
        front = self.site.make_full(result.type, axis, self.site.length.chunk - self.count, 0)
        return self.site.concat_parts(axis, front, result)

    def keep_state(self, before: Value, after: Value) -> Value:
        """Return the next state."""
        begun = self.site.make_condition(BinaryFormula(">", Const(self.end), Const(0)), 1, 1, 0)
        return self.site.select_where(begun, after, before)


def find_late_sequence(site: StreamSite, ahead: int) -> LateSequence | None:
    """Return the elements of chunks with this `ahead`, or None if all are in the sequence."""
    if ahead >= 0:
        return None
    end = site.length.past + site.length.chunk + ahead
    # At least one element, because PyTorch refuses to run a layer over none. The state after it is dropped.
    return LateSequence(site, dim_min(site.length.chunk, dim_max(end, 1)), end)
