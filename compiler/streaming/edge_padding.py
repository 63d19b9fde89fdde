"""Pad a stream with its own elements: `reflect` mirrors the sequence at its ends, and `replicate` repeats its ends.

The padding in front depends on later elements: its first one is `x[3]` if three elements are mirrored. A window that moves over the padded
sequence waits for these (`see_mirrored_window`); any other operator gets them one after the other, later. The first element alone can be
repeated at once. The padding at the end exists only in a flush, which gathers it from the last elements.

For example, `pad [2, 2] mode=reflect` makes c, b, a, b, c, d, c, b of a, b, c, d.
"""

from __future__ import annotations

from netc.dsl.record import replace

from ..dims import Dim
from ..ir.graph_values import Value
from ..ops.constants import TableOperator
from ..ops.convolution import Conv
from ..ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula
from ..ops.indexing import IndexSelect
from ..ops.operator import Operator
from ..ops.shape import Expand
from ..ops.short_time import Stft
from .items import Chunk
from .stream_site import StreamSite

_INDEX = IndexFormula(0)


def pad_with_elements(site: StreamSite, x: Chunk, front: int, after: int, mode: str, shown: str) -> Chunk:
    """Return the padded chunk. `shown` is the argument of the operator that says how."""
    if mode == "circular" or front < 0 or after < 0:
        site.refuse(f"{shown} pads with elements of the whole", "pad with a number")
    if front and x.ahead > 0:
        site.refuse(f"{shown} pads what is padded already", "pad with a number")
    lookahead = site.memory.lookahead
    if after:
        if not lookahead.delays:
            site.refuse_lookahead(reason=f"{shown} pads the end with its last elements")
        x = _pad_after_end(site, site.hold_back_tail(x), after, mode)
    if front:
        over = x.over + front
        if mode == "reflect":
            if not lookahead.delays:
                site.refuse_lookahead(reason=f"{shown} pads in front with later elements")
            x = replace(x, ahead=x.ahead + front, before=0, mirror=front)
        elif x.ahead == 0:
            x = _repeat_first_element(site, x, front)
        else:
            x = _replicate_front(site, x, front)
        x = replace(x, over=over)
    return replace(x, over=x.over + after)


def _gather(site: StreamSite, x: Value, axis: int, index: Formula, size: Dim, count: Dim | None = None) -> Value:
    """Select as many elements of an axis as a chunk has, or `count`, by a formula over their numbers. It is limited to the axis."""
    inside = CallFormula("max", (CallFormula("min", (index, Const(size - 1))), Const(0)))
    numbers = site.add_operator(TableOperator(indices=("t",), shape=(site.length.chunk if count is None else count,), formula=inside))
    return site.add_operator(IndexSelect(axis=axis), x, numbers)


def _repeat_first_element(site: StreamSite, x: Chunk, count: int) -> Chunk:
    """Repeat the first element of the first chunk: `before` is used in the first step only."""
    first = site.slice_axis(x.value, x.axis, 0, 1)
    shape = (*x.value.type.shape[: x.axis], count, *x.value.type.shape[x.axis + 1 :])
    return replace(x, ahead=count, before=site.add_operator(Expand(shape=shape), first))


def _replicate_front(site: StreamSite, x: Chunk, count: int) -> Chunk:
    """Repeat the first element of a sequence that comes later than the stream."""
    # Element e of the padded sequence is x[e - count]. It is at the same index of the chunk with `count` elements before it.
    past = site.length.past + x.ahead
    element = _sum(_INDEX, Const(past))
    index = CallFormula("where", (BinaryFormula("<", element, Const(count)), Const(count - past), _INDEX))
    value = _gather(site, site.prepend_past(x, count), x.axis, index, site.length.chunk + count)
    return replace(x, value=value)


def takes_mirror(op: Operator, x: Chunk) -> bool:
    """Whether the operator moves a window over the positions, and can mirror them itself."""
    return (isinstance(op, Conv) and x.axis >= 2) or (isinstance(op, Stft) and x.axis == x.rank - 1)


def resolve_mirror(site: StreamSite, x: Chunk) -> Chunk:
    """Return the chunk with its mirrored elements, one by one. It begins with x[count], so it comes `count` elements later."""
    count = x.mirror
    if not count:
        return x
    x = replace(x, ahead=x.ahead - count, before=None, mirror=0)
    past = site.length.past + x.ahead
    element = _sum(_INDEX, Const(past - count))
    # With 2 * count elements before the chunk, index i is x[past - 2 * count + i]; element e < count is x[count - e].
    mirrored = BinaryFormula("-", Const(4 * count - 2 * past), _INDEX)
    index = CallFormula("where", (BinaryFormula("<", element, Const(count)), mirrored, _INDEX))
    value = _gather(site, site.prepend_past(x, 2 * count), x.axis, index, site.length.chunk + 2 * count)
    return replace(x, value=value, ahead=x.ahead - count)


def find_mirrored_delay(x: Chunk, stride: int) -> int:
    """Return by how many windows the first one is late, which needs the element that the first one of the sequence mirrors."""
    return (2 * x.mirror - x.ahead) // stride


def see_mirrored_window(site: StreamSite, x: Chunk, back: int, size: Dim) -> Value:
    """Return the first `size` elements of the chunk with `back` elements before it, where elements before x[0] mirror those after it."""
    first = site.length.past + x.ahead - back
    mirrored = BinaryFormula("-", Const(2 * x.mirror - 2 * first), _INDEX)
    index = CallFormula("where", (BinaryFormula("<", _sum(_INDEX, Const(first)), Const(x.mirror)), mirrored, _INDEX))
    return _gather(site, site.prepend_past(x, back), x.axis, index, site.length.chunk + back, size)


def _pad_after_end(site: StreamSite, x: Chunk, count: int, mode: str) -> Chunk:
    """In a flush, mirror or repeat the last elements. The other steps remember the elements that the flush needs."""
    past = count + 1 if mode == "reflect" else 1
    site.keep_past(x, past, "end")
    absent = site.count_delay() + x.ahead - x.over
    if not site.memory.lookahead.ending or absent <= 0:
        return x
    last = site.length.chunk + past - absent - 1
    index: Formula = _sum(_INDEX, Const(past))
    beyond = BinaryFormula(">", index, Const(last))
    source = BinaryFormula("-", Const(2 * last), index) if mode == "reflect" else Const(last)
    seen = site.prepend_past(x, past)
    value = _gather(site, seen, x.axis, CallFormula("where", (beyond, source, index)), site.length.chunk + past)
    site.memory.mark_end(value, x.value)
    return replace(x, value=value)


def _sum(a: Formula, b: Formula) -> Formula:
    return BinaryFormula("+", a, b)
