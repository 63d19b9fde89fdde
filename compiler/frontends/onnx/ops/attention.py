"""Attention and positions."""

from __future__ import annotations

from typing import Any

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, IndexFormula
from ....types.tensor_types import BOOL
from ...graph_builder import ImportRefused
from ..attribute_numbers import plain
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_values import Item
from .indexing import by_index


@imports("Attention", to="attention")
def attention(site: Site) -> list[Item]:
    """Queries, keys and values have four axes, or three and a number of heads."""
    if plain(site.attr("softcap", 0.0)) != 0:
        raise ImportRefused("has `softcap`, which netc's attention does not have")
    if len(site.used) > 3 and site.used[3]:
        raise ImportRefused("gives the scores too, which netc's attention does not")
    if site.has(6):
        raise ImportRefused("takes the number of keys of each sample, which has no counterpart")
    q, k, v = site.x(0), site.x(1), site.x(2)
    flat = q.type.rank == 3
    q, k, v = (_four(site, x, name) for x, name in ((q, "q_num_heads"), (k, "kv_num_heads"), (v, "kv_num_heads")))
    before: Dim = 0
    if site.has(4):
        before = site.x(4).type.shape[2]
        k, v = site.one("concat", site.x(4), k, axis=2), site.one("concat", site.x(5), v, axis=2)
    arguments: dict[str, Any] = {} if "scale" not in site.attributes else {"scale": plain(site.attr("scale"))}
    mask = site.x(3) if site.has(3) else None
    if site.attr("is_causal", 0):
        if mask is None and before == 0:
            same = site.facts.are_equal(q.type.shape[2], k.type.shape[2]) is True
            arguments |= {"causal": True} | ({} if same else {"align": "start"})
        else:
            mask = _seen(site, q.type.shape[2], k.type.shape[2], before, mask)
    y = site.one("attention", *(t for t in (q, k, v, mask) if t is not None), **arguments)
    if flat:
        y = site.one("flatten", site.one("transpose", y, a=1, b=2), start=2, end=3)
    return [y, k, v]


def _four(site: Site, x: Value, name: str) -> Value:
    if x.type.rank == 4:
        return x
    heads = int(site.attr(name, 0))
    features = x.type.shape[-1]
    if heads < 1:
        raise ImportRefused(f"it lacks `{name}`")
    apart = site.one("unflatten", x, axis=2, sizes=(heads, features // heads))
    return site.one("transpose", apart, a=1, b=2)


def _seen(site: Site, queries: Dim, keys: Dim, before: Dim, mask: Value | None) -> Value:
    """What causal attention sees, joined with a mask."""
    last = IndexFormula(0) if before == 0 else BinaryFormula("+", IndexFormula(0), Const(before))
    seen = site.emit.table((queries, keys), BinaryFormula("<=", IndexFormula(1), last), BOOL)
    if mask is None:
        return seen
    if mask.type.dtype == BOOL:
        return site.one("logical_and", mask, seen)
    return site.one("where", seen, mask, other=float("-inf"))


@imports("RotaryEmbedding", to="slice, mul, add and concat")
def rotary_embedding(site: Site) -> Value:
    x, cosines, sines = site.x(0), site.x(1), site.x(2)
    heads = int(site.attr("num_heads", 0))
    whole = x.type.shape
    if x.type.rank == 3:
        if heads < 1:
            raise ImportRefused("it lacks `num_heads`")
        x = site.one("unflatten", x, axis=2, sizes=(heads, whole[2] // heads))
    else:
        x = site.one("transpose", x, a=1, b=2)
    if site.has(3):
        cosines, sines = (by_index(site, t, 0, site.x(3)) for t in (cosines, sines))
    cosines, sines = (site.one("unsqueeze", t, axis=2) for t in (cosines, sines))
    y = _rotated(site, x, cosines, sines)
    return site.one("flatten", y, start=2, end=3) if len(whole) == 3 else site.one("transpose", y, a=1, b=2)


def _rotated(site: Site, x: Value, cosines: Value, sines: Value) -> Value:
    """`[N, T, heads, features]`, the first `rotary_embedding_dim` features of which are pairs."""
    size = int(site.attr("rotary_embedding_dim", 0)) or x.type.shape[-1]
    if not isinstance(size, int):
        raise ImportRefused("its number of features is not known")
    turned, rest = x, None
    if site.facts.are_equal(size, x.type.shape[-1]) is not True:
        turned, rest = site.one("slice", x, axis=3, start=0, stop=size), site.one("slice", x, axis=3, start=size)
    if site.attr("interleaved", 0):
        a, b = site.one("slice", turned, axis=3, start=0, step=2), site.one("slice", turned, axis=3, start=1, step=2)
    else:
        a, b = site.emit.apply("chunk", turned, n=2, axis=3)
    real = site.one("sub", site.one("mul", a, cosines), site.one("mul", b, sines))
    other = site.one("add", site.one("mul", a, sines), site.one("mul", b, cosines))
    if site.attr("interleaved", 0):
        made = site.one("flatten", site.one("stack", real, other, axis=4), start=3, end=4)
    else:
        made = site.one("concat", real, other, axis=3)
    return made if rest is None else site.one("concat", made, rest, axis=3)
