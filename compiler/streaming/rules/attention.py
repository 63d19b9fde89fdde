"""Stream attention of a chunk to itself and to all earlier positions, whose keys and values are remembered.

Causal attention needs no more than these. With a window, only the last keys are kept, in a state of fixed size. Attention with a mask is
causal if the mask is proved to hide later positions. Attention to tensors that are the same in each step remembers nothing.
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
from ...types.tensor_types import BOOL
from ..causal_masks import PairFormula
from ..items import Chunk, DelayedOutput, FixedTensor, Item
from ..later import is_hidden
from ..padded_streams import KEY, VALUE, PaddingMask
from ..pair_masks import find_reach, make_step_mask
from ..rule_table import stream_rule
from ..stream_site import StreamSite

CAUSAL = "write `causal=true` if no query is to see a later key"


@stream_rule(Attention, pairs=True)
def stream_attention(site: StreamSite) -> Sequence[Item]:
    names = site.given.names
    along = {name for name, item, t in zip(names, site.items, site.given.types, strict=True) if _runs_along_stream(item, t.rank)}
    if not along & {"k", "v"}:
        if along and site.op.causal:
            # `causal` compares positions of queries and keys, and fixed keys have no positions of the stream.
            site.refuse("its keys are none of the stream, and which of them a query sees depends on its position")
        return _attend_each_query(site, along)
    if along - {"mask"} != {"q", "k", "v"}:
        site.refuse_lookahead(reason="each query sees all keys, which have the positions of the stream, while the queries do not")
    mask = site.items[names.index("mask")] if "mask" in names else None
    if mask is None and not site.op.causal:
        site.refuse_lookahead(CAUSAL)
    if site.memory.padding is None:
        pairs = _find_pairs(site, mask)
        reached = None if pairs is None else _attend_within_reach(site, pairs)
        if reached is not None:
            return [reached]
    q, k, v = (site.align_to_start(x, "it attends to all positions before") for x in site.items[:3] if isinstance(x, Chunk))
    if site.memory.padding is not None:
        return [_attend_with_padding(site, site.memory.padding, q, k, v)]
    if site.op.window is not None:
        return [_attend_to_window(site, q, k, v)]
    key, value = (site.append_to_past(x, what) for x, what in ((k, KEY), (v, VALUE)))
    if mask is None:
        # With past keys in front, queries and keys end at the same position, but do not begin there.
        op = site.change_arguments(align="end")
        return [site.make_result(0, site.add_operator(op, q.value, key, value), [q])]
    return [site.make_result(0, site.add_operator(site.node.op, q.value, key, value, _check_mask(site, mask)), [q])]


def _runs_along_stream(item: Item, rank: int) -> bool:
    """Whether the axis of queries or keys is the stream."""
    return isinstance(item, Chunk) and rank - item.axis == 2


def _attend_each_query(site: StreamSite, along: set[str]) -> list[Item]:
    """Attend to keys that do not change, or within several sequences that are not the stream."""

    def mix_axes(op: Any, inputs: OpInputs, index: int) -> frozenset[int]:
        rank = inputs.types[index].rank
        return frozenset({rank - 1} if along else {rank - 1, rank - 2})

    return site.pass_through(mix_axes)


def _find_pairs(site: StreamSite, mask: Item | None) -> PairFormula | None:
    """Return the formula that says which keys a query may see, or None if it is not known."""
    if isinstance(mask, Chunk):
        return site.memory.pairs.get(id(mask.value))
    if mask is not None:
        return None
    query, key = IndexFormula(0), IndexFormula(1)
    formula = BinaryFormula("<=", key, query)
    if site.op.window is not None:
        near = BinaryFormula(">", key, BinaryFormula("-", query, Const(site.op.window)))
        formula = BinaryFormula("and", formula, near)
    return PairFormula(formula, (site.length.whole, site.length.whole), 0, 1, BOOL)


def _attend_within_reach(site: StreamSite, pairs: PairFormula) -> Chunk | None:
    """Attend to the keys that the mask lets queries see, if these wait, or if the mask forgets keys. None otherwise: then a chunk sees all
    keys so far."""
    q, k, v = (site.hold_back_front(x) for x in site.items[:3] if isinstance(x, Chunk))
    least = min(k.ahead, v.ahead)
    reach = find_reach(pairs, site.length.rate, -q.ahead, -least)
    waits = reach is not None and (reach.delay > 0 or least < 0)
    if reach is None or (waits and not site.memory.lookahead.delays) or not (waits or (reach.past is not None and "mask" in site.given)):
        return None
    rank = len(pairs.shape)
    if (pairs.query, pairs.key) != (rank - 2, rank - 1):
        site.refuse("the axes of its mask are not queries and keys")
    site.check_first_query(reach.hidden, pairs.bound_first(site.length.rate + reach.delay))
    site.note_mask(reach.hidden)
    # Before the first position there are no keys: a number that is hidden must be finite, since 0 times NaN is NaN.
    k, v = (site.fill_after_end(site.fill_before_start(site.delay_elements(x, least), 0), 0) for x in (k, v))
    q = site.delay_elements(q, -reach.delay)
    if reach.past is None:
        keys, values = site.append_to_past(k, KEY), site.append_to_past(v, VALUE)
    else:
        keys, values = site.prepend_past(k, reach.past, KEY), site.prepend_past(v, reach.past, VALUE)
    mask = make_step_mask(site, pairs, reach, -least, k.over)
    op = site.change_arguments(causal=False, align=None, window=None)
    return site.make_result(0, site.add_operator(op, q.value, keys, values, mask), [q])


def _check_mask(site: StreamSite, mask: Item) -> Value:
    if not isinstance(mask, Chunk) or mask.history is None:
        site.refuse_lookahead(reason="its mask is not known to hide later positions")
    if not (mask.later is False or is_hidden(mask.later)):
        site.refuse_lookahead(reason="its mask does not hide all later positions, as far as its formula says")
    site.check_first_query(mask.later, mask.first)
    site.note_mask(mask.later)
    rank = mask.value.type.rank
    if (mask.axis, mask.history) != (rank - 2, rank - 1):
        site.refuse("the axes of its mask are not queries and keys")
    return mask.value


def _attend_with_padding(site: StreamSite, padding: PaddingMask, q: Chunk, k: Chunk, v: Chunk) -> Chunk:
    """Attend to the keys that exist. A window counts only these, so all keys are remembered."""
    if "mask" in site.given:
        site.refuse("with padding, it cannot have a mask of its own")
    if site.given.q.rank != 4:
        site.refuse("with padding, its inputs must be [N, heads, length, features]")
    mask = padding.make_causal_mask(site.op.window)
    op = site.change_arguments(causal=False, align=None, window=None)
    return site.make_result(0, site.add_operator(op, q.value, site.append_to_past(k, KEY), site.append_to_past(v, VALUE), mask), [q])


def _attend_to_window(site: StreamSite, q: Chunk, k: Chunk, v: Chunk) -> Chunk:
    """Stream attention to the last keys."""
    # The state is full from the first step on: the mask hides its keys in front of the first position.
    count, length = site.op.window, site.length
    keys, values = site.prepend_past(k, count - 1, KEY), site.prepend_past(v, count - 1, VALUE)
    query, key = IndexFormula(0), IndexFormula(1)

    def join_conditions(*conditions: Formula) -> Formula:
        first, *others = conditions
        for other in others:
            first = BinaryFormula("and", first, other)
        return first

    last = BinaryFormula("+", query, Const(count - 1))
    # In the first steps, part of the state is still empty, and the last condition hides it.
    there = BinaryFormula(">=", BinaryFormula("+", key, Const(length.past)), Const(count - 1))
    formula = join_conditions(BinaryFormula(">=", key, query), BinaryFormula("<=", key, last), there)
    size: Dim = length.chunk + (count - 1)
    mask = site.add_table((length.chunk, size), formula)
    op = site.change_arguments(causal=False, align=None, window=None)
    return site.make_result(0, site.add_operator(op, q.value, keys, values, mask), [q])


@stream_rule(MultiheadAttention)
def stream_multihead_attention(site: StreamSite) -> Sequence[Item]:
    op, names = site.op, site.given.names
    query, others = site.items[0], site.items[1:]
    if not isinstance(query, Chunk) or query.axis != query.value.type.rank - 2:
        site.refuse("the positions do not belong to its queries")
    if "key" in names and "attn_mask" not in names and all(isinstance(x, FixedTensor) for x in others):
        return _attend_to_fixed_keys(site, query)
    if any(name in ("attn_mask", "padding") for name in names):
        site.refuse("it has a mask", "" if op.causal or "key" in names else "use `causal=true` in its place")
    if not op.causal:
        site.refuse_lookahead(CAUSAL)
    if not all(isinstance(x, Chunk) and x.axis == x.value.type.rank - 2 for x in others):
        site.refuse("only some of its inputs are a stream")
    begun = [site.align_to_start(x, "it attends to all positions before") for x in site.items if isinstance(x, Chunk)]
    # Self-attention passes one tensor as key and value: it is remembered once.
    kept: dict[int, Value] = {}
    for x in begun[1:] or begun:
        if id(x.value) not in kept:
            kept[id(x.value)] = site.append_to_past(x, "inputs")
    keys = [kept[id(x.value)] for x in begun[1:] or begun]
    value = site.add_with_all_results(site.change_arguments(align="end"), [begun[0].value, *keys], site.home)[0]
    return [site.make_result(0, value, [begun[0]]), DelayedOutput(op.name, site.node.span)]


def _attend_to_fixed_keys(site: StreamSite, query: Chunk) -> list[Item]:
    """Attend to fixed keys, some of which a mask may hide. The weights have a row for each query."""
    if site.op.causal:
        site.refuse("its keys are none of the stream, and which of them a query sees depends on its position")
    others = [site.bring_fixed_tensor(x) for x in site.items[1:]]
    values = site.add_with_all_results(site.op, [query.value, *others], site.home)
    before = site.add_with_all_results(site.op, [site.make_before(query), *others], site.home) if query.ahead > 0 else [None] * len(values)
    return [site.make_result(n, value, [query], first) for n, (value, first) in enumerate(zip(values, before, strict=True))]
