"""What carries a state from position to position: recurrent layers, and cumulative sums, products and extremes."""

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
from ..items import Item, Number, Piece, Withheld
from ..rule_table import rule
from ..stream_site import Site


@rule(Recurrent)
def layers(site: Site) -> Sequence[Item]:
    x = site.items[0]
    if any(isinstance(item, Piece) for item in site.items[1:]) or not isinstance(x, Piece):
        site.refuse("its state depends on the position from outside")
    if x.axis != x.value.type.rank - 2:
        site.refuse("the positions are not the axis that it steps along")
    if site.op.bidirectional:
        site.looks_ahead("omit `bidirectional=true`")
    x = site.begun(x, "it starts at the first position")
    given = site.items[1:]
    states = [
        site.state(x.value.type.with_shape(shape), given[n] if n < len(given) else 0, name)
        for n, (name, shape) in enumerate(site.op.state_shapes(site.given.x))
    ]
    y, *after = site.put_some(site.node.op, [x.value, *(value for value, _ in states)], None, site.home)
    for (_, state), value in zip(states, after, strict=True):
        state.next = value
    axis, over = site.axis_of(0)
    return [Piece(y, axis, 0, over), *(Withheld(site.op.name, site.node.span, value if x.over == 0 else None) for value in after)]


NEUTRAL: dict[type[Operator], tuple[Number, type[Operator]]] = {
    Cumsum: (0, Add),
    Cumprod: (1, Mul),
    Logcumsumexp: (-inf, Logaddexp),
    Cummax: (-inf, Maximum),
    Cummin: (inf, Minimum),
}
"""What changes nothing, and how the result so far goes together with that of a piece."""


@rule(*NEUTRAL)
def cumulative(site: Site) -> Sequence[Item]:
    x = site.items[0]
    assert isinstance(x, Piece)
    if normalize_axis(site.op.name, site.op.axis, site.given.x) != x.axis:
        return site.elementwise()
    neutral, together = NEUTRAL[type(site.node.op)]
    type_ = site.node.outputs[0].type
    if neutral in (inf, -inf) and not type_.dtype.is_float:
        site.refuse("integers have no infinite number to start with")
    x = site.from_the_start(site.held_back(x), neutral)
    first = (*x.value.type.shape[: x.axis], 1, *x.value.type.shape[x.axis + 1 :])
    past, state = site.state(type_.with_shape(first), neutral, "last")
    value: Value = site.put(together(), past, site.put_all(site.node.op, [x.value])[0])
    state.next = site.cut(value, x.axis, site.length.piece - 1, site.length.piece)
    _, over = site.axis_of(0)
    return [replace(x, value=value, over=over)]
