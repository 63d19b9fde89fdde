"""Changes of shape: an axis of positions stays one, and is not joined with others."""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import replace

from ...dims import Dim
from ...ops.operator import Operator
from ...ops.rearrange import Rearrange
from ...ops.shape import Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ..items import Item, Piece
from ..rule_table import rule
from ..stream_site import Site
from .pointwise import same_outside


@rule(Permute, Transpose, pairs=True)
def reordered(site: Site) -> Sequence[Item]:
    (x,) = site.pieces
    if x.history is None:
        return site.elementwise()
    order = site.op.axis_order(site.given.x)
    value = site.put(site.node.op, x.value)
    return [replace(x, value=value, axis=order.index(x.axis), history=order.index(x.history))]


@rule(Unsqueeze, pairs=True)
def with_another_axis(site: Site) -> Sequence[Item]:
    (x,) = site.pieces
    if x.history is None:
        return site.elementwise()
    place = site.op.new_axis(site.given.x)
    value = site.put(site.node.op, x.value)
    return [replace(x, value=value, axis=x.axis + (place <= x.axis), history=x.history + (place <= x.history))]


@rule(Squeeze)
def without_an_axis(site: Site) -> Sequence[Item]:
    return site.elementwise()


@rule(Rearrange, pairs=True)
def rearranged(site: Site) -> Sequence[Item]:
    """Scores keep their two axes of positions, at other places."""
    (x,) = site.pieces
    if x.history is None:
        return reshaped(site)
    kept = site.op.find_kept_axes(site.given)
    if x.axis not in kept or x.history not in kept or site.length.in_arguments(site.op):
        site.refuse("it divides the positions, or joins them with another axis")
    value = site.put(site.node.op, x.value)
    return [replace(x, value=value, axis=kept[x.axis], history=kept[x.history])]


@rule(Reshape, Flatten, Unflatten, Expand)
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
