"""Decide which keys a step of attention remembers, by how much its queries wait, and make the mask of a step.

A mask over queries and keys that is a table, or `causal=true` with its window, says for every pair whether the query may see the key. Two
distances follow from its formula: from how far ahead a key is hidden, and from how far back. Queries wait until all keys that they may see
exist; keys that no later query may see are forgotten. If pieces have a multiple of some number of positions, the distances count groups of
that many positions: in attention within chunks, a query sees the later keys of its own chunk.
"""

from __future__ import annotations

from functools import partial
from math import inf
from operator import itemgetter

from netc.dsl.record import Record

from ..dims import Dim
from ..ir.graph_values import Value
from ..ops.constants import TableOperator
from ..ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, substitute_indices
from ..types.tensor_types import BOOL
from .causal_masks import PairFormula, find_least_distance
from .stream_site import StreamSite


class KeyReach(Record):
    """The keys that queries may see: the queries wait for `delay` elements, and `past` keys before a chunk are remembered, or all. `hidden`
    is the value of the mask for later keys, or its bound."""

    delay: int
    past: int | None
    hidden: bool | float | None


def find_reach(pairs: PairFormula, group: int, query_delay: int, key_delay: int) -> KeyReach | None:
    """Find the reach of queries and keys that wait for `query_delay` and `key_delay` elements already. None if a query may see keys at any
    distance ahead.

    A piece ends with a group. Counted in single positions, a query waits until the last key that it may see exists; counted in groups, for
    whole groups. Each way is right, so the smaller number is taken.
    """
    delays, pasts = [], []
    for size in {1, group}:
        ahead = find_least_distance(partial(pairs.hides_later, size))
        if ahead is not None:
            delay = max(query_delay, _round_up(key_delay, size) + ahead * size)
            delays.append((delay, pairs.bound_later(size, ahead)))
    if not delays:
        return None
    delay, hidden = min(delays, key=itemgetter(0))
    for size in {1, group}:
        back = find_least_distance(partial(pairs.hides_earlier, size))
        if back is not None:
            pasts.append(_round_up(delay, size) + back * size - key_delay)
    return KeyReach(delay, min(pasts) if pasts else None, hidden)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def make_step_mask(site: StreamSite, pairs: PairFormula, reach: KeyReach, key_delay: int, over: int) -> Value:
    """Make the mask of a chunk of queries over the remembered keys and the keys of the chunk, `over` of which are no positions.

    It hides keys before the first position and after the last one, which are numbers that the state begins or the piece ends with. Queries
    before the first position see such keys, because a row without any key would be NaN.
    """
    length = site.length
    first_key: Dim = -key_delay if reach.past is None else length.past - key_delay - reach.past
    count: Dim = length.chunk + (length.past if reach.past is None else reach.past)
    query = _add(IndexFormula(pairs.query), length.past - reach.delay)
    key = _add(IndexFormula(pairs.key), first_key)
    zero = Const(0)
    # A list in the formula has no element at a negative position, so these positions read the first one.
    numbers = {pairs.query: CallFormula("max", (query, zero)), pairs.key: CallFormula("max", (key, zero))}
    formula = substitute_indices(pairs.formula, numbers)
    allowed: Formula = BinaryFormula(">=", key, zero)
    if site.memory.lookahead.ending:
        end = Const(length.past + length.chunk - site.count_delay() + over)
        allowed = BinaryFormula("and", allowed, BinaryFormula("<", key, end))
    early = BinaryFormula("<", query, zero)
    if pairs.element == BOOL:
        formula = BinaryFormula("or", BinaryFormula("and", formula, allowed), early)
    else:
        hidden = CallFormula("where", (allowed, formula, Const(-inf)))
        formula = CallFormula("where", (early, Const(0.0), hidden))
    shape = list(pairs.shape)
    shape[pairs.query], shape[pairs.key] = length.chunk, count
    names = tuple(f"i{i}" for i in range(len(shape)))
    return site.add_operator(TableOperator(indices=names, shape=tuple(shape), formula=formula, dtype=pairs.element))


def _add(formula: Formula, number: Dim) -> Formula:
    return BinaryFormula("+", formula, Const(number))
