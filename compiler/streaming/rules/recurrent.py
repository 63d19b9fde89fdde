"""Stream operators that carry a state from position to position: recurrent layers, and cumulative sums, products and extremes.

For example, `cumsum` remembers the sum so far: after the chunk 3, 1 the next chunk 2, 5 gives 6, 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from netc.dsl.record import replace

from ...ir.graph_values import Value
from ...ops.arithmetic import Add, Maximum, Minimum, Mul
from ...ops.axes import normalize_axis
from ...ops.binary import Logaddexp
from ...ops.cumulative import Cummax, Cummin, Logcumsumexp
from ...ops.operator import Operator
from ...ops.recurrent import Recurrent
from ...ops.reduction import Cumprod, Cumsum
from ..items import Chunk, DelayedOutput, Item, Number
from ..late_sequences import find_late_sequence
from ..rule_table import stream_rule
from ..stream_site import StreamSite


@stream_rule(Recurrent)
def stream_layers(site: StreamSite) -> Sequence[Item]:
    x = site.items[0]
    if any(isinstance(item, Chunk) for item in site.items[1:]) or not isinstance(x, Chunk):
        site.refuse("its state depends on the position from outside")
    if x.axis != x.value.type.rank - 2:
        site.refuse("the positions are not the axis that it steps along")
    # The backward direction begins at the last position.
    if site.op.bidirectional:
        site.refuse_lookahead("omit `bidirectional=true`")
    (x,) = site.align_sequences([x], "it starts at the first position")
    starts = site.items[1:]
    states = [
        site.add_state(x.value.type.with_shape(shape), starts[n] if n < len(starts) else 0, name)
        for n, (name, shape) in enumerate(site.op.state_shapes(site.given.x))
    ]
    y, *after = _run_layers(site, x, [value for value, _ in states])
    for (_, state), value in zip(states, after, strict=True):
        state.next = value
    axis, over = site.find_axis(0)
    # If the axis is longer than the stream, the layer has not seen its last elements.
    return [
        Chunk(y, axis, x.ahead, over),
        *(DelayedOutput(site.op.name, site.node.span, value if x.over == 0 else None) for value in after),
    ]


def _run_layers(site: StreamSite, x: Chunk, states: Sequence[Value]) -> Sequence[Value]:
    """Run the layers over the elements of the chunk that are in the sequence."""
    late = find_late_sequence(site, x.ahead)
    if late is None:
        return site.add_with_results(site.node.op, [x.value, *states], None, site.home)
    y, *after = site.add_with_results(site.node.op, [late.take_elements(x), *states], None, site.home)
    return [late.fill_chunk(y, x.axis), *(late.keep_state(*pair) for pair in zip(states, after, strict=True))]


NEUTRAL: dict[type[Operator], tuple[Number, type[Operator]]] = {
    Cumsum: (0, Add),
    Cumprod: (1, Mul),
    Logcumsumexp: (-inf, Logaddexp),
    Cummax: (-inf, Maximum),
    Cummin: (inf, Minimum),
}
"""The neutral element, and the operator that combines the result so far with the result of a chunk."""


@stream_rule(*NEUTRAL)
def stream_cumulative(site: StreamSite) -> Sequence[Item]:
    x = site.items[0]
    assert isinstance(x, Chunk)
    if normalize_axis(site.op.name, site.op.axis, site.given.x) != x.axis:
        return site.apply_elementwise()
    neutral, together = NEUTRAL[type(site.node.op)]
    type_ = site.node.outputs[0].type
    # Logcumsumexp and the extremes begin with an infinity, which integers lack.
    if neutral in (inf, -inf) and not type_.dtype.is_float:
        site.refuse("integers have no infinite number to start with")
    x = site.fill_before_start(site.hold_back_front(x), neutral)
    first = (*x.value.type.shape[: x.axis], 1, *x.value.type.shape[x.axis + 1 :])
    past, state = site.add_state(type_.with_shape(first), neutral, "last")
    value: Value = site.add_operator(together(), past, site.add_with_all_results(site.node.op, [x.value])[0])
    state.next = site.slice_axis(value, x.axis, site.length.chunk - 1, site.length.chunk)
    _, over = site.find_axis(0)
    return [replace(x, value=value, over=over)]
