"""Stream changes of shape: an axis of positions stays an axis, and is not merged with others.

For example, `[N, T, 8]` may become `[N, T, 2, 4]`, but not `[N, T * 8]`.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import replace

from ...dims import Dim
from ...ops.operator import Operator
from ...ops.rearrange import Rearrange
from ...ops.shape import Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ..items import Chunk, Item
from ..rule_table import stream_rule
from ..stream_site import StreamSite
from .pointwise import has_same_outer_size


@stream_rule(Permute, Transpose, pairs=True)
def stream_permute(site: StreamSite) -> Sequence[Item]:
    (x,) = site.chunks
    if x.history is None:
        return site.apply_elementwise()
    order = site.op.axis_order(site.given.x)
    value = site.add_operator(site.node.op, x.value)
    return [replace(x, value=value, axis=order.index(x.axis), history=order.index(x.history))]


@stream_rule(Unsqueeze, pairs=True)
def stream_unsqueeze(site: StreamSite) -> Sequence[Item]:
    (x,) = site.chunks
    if x.history is None:
        return site.apply_elementwise()
    place = site.op.new_axis(site.given.x)
    value = site.add_operator(site.node.op, x.value)
    return [replace(x, value=value, axis=x.axis + (place <= x.axis), history=x.history + (place <= x.history))]


@stream_rule(Squeeze)
def stream_squeeze(site: StreamSite) -> Sequence[Item]:
    return site.apply_elementwise()


@stream_rule(Rearrange, pairs=True)
def stream_rearrange(site: StreamSite) -> Sequence[Item]:
    """Rearrange. Scores keep their two axes of positions, at other places."""
    (x,) = site.chunks
    if x.history is None:
        return stream_reshape(site)
    kept = site.op.find_kept_axes(site.given)
    if x.axis not in kept or x.history not in kept or site.length.occurs_in_arguments(site.op):
        site.refuse("it divides the positions, or joins them with another axis")
    value = site.add_operator(site.node.op, x.value)
    return [replace(x, value=value, axis=kept[x.axis], history=kept[x.history])]


@stream_rule(Reshape, Flatten, Unflatten, Expand)
def stream_reshape(site: StreamSite) -> Sequence[Item]:
    axis, _ = site.find_axis(0)
    after = site.node.outputs[0].type.shape
    for item, type in zip(site.items, site.given.types, strict=True):
        ordered = not isinstance(site.op, Rearrange | Expand)
        if isinstance(item, Chunk) and ordered and not has_same_outer_size(type.shape, item.axis, after, axis):
            site.refuse("it divides the positions, or joins them with another axis")

    def make_sized(size: Dim) -> Operator:
        return site.with_size(size)

    return site.apply_elementwise(make_sized)
