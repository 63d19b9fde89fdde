"""Attention of a piece to itself and to all before it: keys and values are remembered.

Causal attention needs no more than that. A window needs the last keys only, in a state of fixed size. What has a mask is causal if the mask
is proved to hide later positions. Attention to what does not change from step to step remembers nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dims import Dim
from ...ir.graph_values import Value
from ...ops.attention import Attention
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ...ops.multihead import MultiheadAttention
from ...ops.operator import OpInputs
from ..items import Fixed, Item, Piece, Withheld
from ..later import hidden
from ..padded_streams import KEY, VALUE, Padding
from ..rule_table import rule
from ..stream_site import Site

CAUSAL = "write `causal=true` if no query is to see a later key"


@rule(Attention, pairs=True)
def attention(site: Site) -> Sequence[Item]:
    names = site.given.names
    along = {name for name, item, t in zip(names, site.items, site.given.types, strict=True) if _along(item, t.rank)}
    if not along & {"k", "v"}:
        if along and site.op.causal:
            site.refuse("its keys are none of the stream, and which of them a query sees depends on its position")
        return _each_query(site, along)
    if along - {"mask"} != {"q", "k", "v"}:
        site.looks_ahead(reason="each query sees all keys: their positions are the stream, and those of the queries are not")
    mask = site.items[names.index("mask")] if "mask" in names else None
    if mask is None and not site.op.causal:
        site.looks_ahead(CAUSAL)
    q, k, v = (site.begun(x, "it attends to all positions before") for x in site.items[:3] if isinstance(x, Piece))
    if site.memory.padding is not None:
        return [_padded(site, site.memory.padding, q, k, v)]
    if site.op.window is not None:
        return [_windowed(site, q, k, v)]
    key, value = (site.so_far(x, what) for x, what in ((k, KEY), (v, VALUE)))
    if mask is None:
        op = site.changed(align="end")
        return [site.result(0, site.put(op, q.value, key, value), [q])]
    return [site.result(0, site.put(site.node.op, q.value, key, value, _mask(site, mask)), [q])]


def _along(item: Item, rank: int) -> bool:
    """Whether the lengths of queries or keys are the stream."""
    return isinstance(item, Piece) and rank - item.axis == 2


def _each_query(site: Site, along: set[str]) -> list[Item]:
    """Of keys that do not change, or of several sequences that are not the stream."""

    def mixed(op: Any, given: OpInputs, index: int) -> frozenset[int]:
        rank = given.types[index].rank
        return frozenset({rank - 1} if along else {rank - 1, rank - 2})

    return site.passed(mixed)


def _mask(site: Site, mask: Item) -> Value:
    if not isinstance(mask, Piece) or mask.history is None:
        site.looks_ahead(reason="its mask is not known to hide later positions")
    if not (mask.later is False or hidden(mask.later)):
        site.looks_ahead(reason="its mask does not hide all later positions, as far as its formula says")
    site.note_mask(mask.later)
    rank = mask.value.type.rank
    if (mask.axis, mask.history) != (rank - 2, rank - 1):
        site.refuse("the axes of its mask are not queries and keys")
    return mask.value


def _padded(site: Site, padding: Padding, q: Piece, k: Piece, v: Piece) -> Piece:
    """Attention to the keys that are there. A window counts these alone, so that all keys are remembered."""
    if "mask" in site.given:
        site.refuse("with padding, it cannot have a mask of its own")
    if site.given.q.rank != 4:
        site.refuse("with padding, its inputs must be [N, heads, length, features]")
    mask = padding.seen(site.op.window)
    op = site.changed(causal=False, align=None, window=None)
    return site.result(0, site.put(op, q.value, site.so_far(k, KEY), site.so_far(v, VALUE), mask), [q])


def _windowed(site: Site, q: Piece, k: Piece, v: Piece) -> Piece:
    """Attention to the last keys. In front of the first position there are none, which the mask hides."""
    count, length = site.op.window, site.length
    keys, values = site.with_past(k, count - 1, KEY), site.with_past(v, count - 1, VALUE)
    query, key = IndexFormula(0), IndexFormula(1)

    def both(*conditions: Formula) -> Formula:
        first, *others = conditions
        for other in others:
            first = BinaryFormula("and", first, other)
        return first

    last = BinaryFormula("+", query, Const(count - 1))
    there = BinaryFormula(">=", BinaryFormula("+", key, Const(length.past)), Const(count - 1))
    formula = both(BinaryFormula(">=", key, query), BinaryFormula("<=", key, last), there)
    size: Dim = length.piece + (count - 1)
    mask = site.table((length.piece, size), formula)
    op = site.changed(causal=False, align=None, window=None)
    return site.result(0, site.put(op, q.value, keys, values, mask), [q])


@rule(MultiheadAttention)
def multihead_attention(site: Site) -> Sequence[Item]:
    op, names = site.op, site.given.names
    query, others = site.items[0], site.items[1:]
    if not isinstance(query, Piece) or query.axis != query.value.type.rank - 2:
        site.refuse("the positions are not those of its queries")
    if "key" in names and "attn_mask" not in names and all(isinstance(x, Fixed) for x in others):
        return _to_memory(site, query)
    if any(name in ("attn_mask", "padding") for name in names):
        site.refuse("it has a mask", "" if op.causal or "key" in names else "use `causal=true` in its place")
    if not op.causal:
        site.looks_ahead(CAUSAL)
    if not all(isinstance(x, Piece) and x.axis == x.value.type.rank - 2 for x in others):
        site.refuse("only some of its inputs are a stream")
    begun = [site.begun(x, "it attends to all positions before") for x in site.items if isinstance(x, Piece)]
    kept: dict[int, Value] = {}
    for x in begun[1:] or begun:
        if id(x.value) not in kept:
            kept[id(x.value)] = site.so_far(x, "inputs")
    keys = [kept[id(x.value)] for x in begun[1:] or begun]
    value = site.put_all(site.changed(align="end"), [begun[0].value, *keys], site.home)[0]
    return [site.result(0, value, [begun[0]]), Withheld(op.name, site.node.span)]


def _to_memory(site: Site, query: Piece) -> list[Item]:
    """Attention to what does not change, of which a mask may hide some; the weights have a row for each query."""
    if site.op.causal:
        site.refuse("its keys are none of the stream, and which of them a query sees depends on its position")
    others = [site.fixed(x) for x in site.items[1:]]
    values = site.put_all(site.op, [query.value, *others], site.home)
    before = site.put_all(site.op, [site.before(query), *others], site.home) if query.ahead > 0 else [None] * len(values)
    return [site.result(n, value, [query], first) for n, (value, first) in enumerate(zip(values, before, strict=True))]
