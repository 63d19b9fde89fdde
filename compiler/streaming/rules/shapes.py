"""Changes of shape: an axis of positions stays one, and is not joined with others."""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import Dim
from ...ops.base import Operator
from ...ops.rearrange import Rearrange
from ...ops.shape import Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ..items import Item, Piece
from ..site import Site
from ..table import rule
from .passing import same_outside


@rule(Permute, Transpose)
def reordered(site: Site) -> Sequence[Item]:
    (x,) = site.pieces
    if x.history is None:
        return site.elementwise()
    order = site.op.order(site.given.x)
    return site.of_pairs([order.index(x.axis) - x.axis], x.hides, order.index(x.history))


@rule(Unsqueeze, Squeeze)
def with_another_axis(site: Site) -> Sequence[Item]:
    (x,) = site.pieces
    if x.history is None:
        return site.elementwise()
    place = site.op.place(site.given.x) if isinstance(site.op, Unsqueeze) else -1
    if place < 0:
        site.refuse("two of its axes are positions")

    def moved(axis: int) -> int:
        return axis + (place <= axis)

    return site.of_pairs([moved(x.axis) - x.axis], x.hides, moved(x.history))


@rule(Reshape, Flatten, Unflatten, Rearrange, Expand)
def reshaped(site: Site) -> Sequence[Item]:
    axis, _ = site.axis_of(0)
    after = site.node.outputs[0].type.shape
    for item, type in zip(site.items, site.given.types, strict=True):
        ordered = not isinstance(site.op, Rearrange | Expand)
        if isinstance(item, Piece) and ordered and not same_outside(type.shape, item.axis, after, axis):
            site.refuse("it divides the positions, or joins them with another axis")

    def sized(size: Dim) -> Operator:
        return site.sized(size)

    return site.elementwise(sized)
