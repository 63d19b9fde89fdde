"""Imports attention and rotary embeddings: `Attention is_causal=1` becomes `attention causal=true`."""

from __future__ import annotations

from typing import Any

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, IndexFormula
from ....types.tensor_types import BOOL
from ...graph_builder import ImportRefused
from ..attribute_numbers import shorten_float
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_values import Item
from .indexing import select_by_index


@imports("Attention", to="attention")
def import_attention(site: OnnxSite) -> list[Item]:
    """Import attention. Queries, keys and values have four axes, or three and a number of heads."""
    if shorten_float(site.get_attr("softcap", 0.0)) != 0:
        raise ImportRefused("has `softcap`, which netc's attention does not have")
    if len(site.used) > 3 and site.used[3]:
        raise ImportRefused("gives the scores too, which netc's attention does not")
    if site.has_input(6):
        raise ImportRefused("takes the number of keys of each sample, which has no counterpart")
    q, k, v = site.input(0), site.input(1), site.input(2)
    flat = q.type.rank == 3
    q, k, v = (_split_heads(site, x, name) for x, name in ((q, "q_num_heads"), (k, "kv_num_heads"), (v, "kv_num_heads")))
    before: Dim = 0
    # Keys and values of the past come first, along the axis of positions.
    if site.has_input(4):
        before = site.input(4).type.shape[2]
        k, v = site.apply_op("concat", site.input(4), k, axis=2), site.apply_op("concat", site.input(5), v, axis=2)
    arguments: dict[str, Any] = {} if "scale" not in site.attributes else {"scale": shorten_float(site.get_attr("scale"))}
    mask = site.input(3) if site.has_input(3) else None
    if site.get_attr("is_causal", 0):
        # `causal` counts queries and keys from the same start. With keys of the past, a mask shifts the diagonal.
        if mask is None and before == 0:
            same = site.facts.are_equal(q.type.shape[2], k.type.shape[2]) is True
            arguments |= {"causal": True} | ({} if same else {"align": "start"})
        else:
            mask = _make_causal_mask(site, q.type.shape[2], k.type.shape[2], before, mask)
    y = site.apply_op("attention", *(t for t in (q, k, v, mask) if t is not None), **arguments)
    if flat:
        y = site.apply_op("flatten", site.apply_op("transpose", y, a=1, b=2), start=2, end=3)
    return [y, k, v]


def _split_heads(site: OnnxSite, x: Value, name: str) -> Value:
    if x.type.rank == 4:
        return x
    heads = int(site.get_attr(name, 0))
    features = x.type.shape[-1]
    if heads < 1:
        raise ImportRefused(f"it lacks `{name}`")
    apart = site.apply_op("unflatten", x, axis=2, sizes=(heads, features // heads))
    return site.apply_op("transpose", apart, a=1, b=2)


def _make_causal_mask(site: OnnxSite, queries: Dim, keys: Dim, before: Dim, mask: Value | None) -> Value:
    """Build the mask of causal attention, combined with an explicit mask."""
    last = IndexFormula(0) if before == 0 else BinaryFormula("+", IndexFormula(0), Const(before))
    seen = site.emit.make_table((queries, keys), BinaryFormula("<=", IndexFormula(1), last), BOOL)
    if mask is None:
        return seen
    if mask.type.dtype == BOOL:
        return site.apply_op("logical_and", mask, seen)
    # A float mask is added to the scores, so hidden scores become minus infinity.
    return site.apply_op("where", seen, mask, other=float("-inf"))


@imports("RotaryEmbedding", to="slice, mul, add and concat")
def import_rotary_embedding(site: OnnxSite) -> Value:
    x, cosines, sines = site.input(0), site.input(1), site.input(2)
    heads = int(site.get_attr("num_heads", 0))
    shape = x.type.shape
    if x.type.rank == 3:
        if heads < 1:
            raise ImportRefused("it lacks `num_heads`")
        x = site.apply_op("unflatten", x, axis=2, sizes=(heads, shape[2] // heads))
    else:
        x = site.apply_op("transpose", x, a=1, b=2)
    if site.has_input(3):
        cosines, sines = (select_by_index(site, t, 0, site.input(3)) for t in (cosines, sines))
    # All heads are turned by the same angles.
    cosines, sines = (site.apply_op("unsqueeze", t, axis=2) for t in (cosines, sines))
    y = _rotate_pairs(site, x, cosines, sines)
    return site.apply_op("flatten", y, start=2, end=3) if len(shape) == 3 else site.apply_op("transpose", y, a=1, b=2)


def _rotate_pairs(site: OnnxSite, x: Value, cosines: Value, sines: Value) -> Value:
    """Rotate the pairs among the first `rotary_embedding_dim` features of `[N, T, heads, features]`."""
    size = int(site.get_attr("rotary_embedding_dim", 0)) or x.type.shape[-1]
    if not isinstance(size, int):
        raise ImportRefused("its number of features is not known")
    turned, rest = x, None
    if site.facts.are_equal(size, x.type.shape[-1]) is not True:
        turned, rest = site.apply_op("slice", x, axis=3, start=0, stop=size), site.apply_op("slice", x, axis=3, start=size)
    if site.get_attr("interleaved", 0):
        a, b = site.apply_op("slice", turned, axis=3, start=0, step=2), site.apply_op("slice", turned, axis=3, start=1, step=2)
    else:
        a, b = site.emit.apply_multi_op("chunk", turned, n=2, axis=3)
    real = site.apply_op("sub", site.apply_op("mul", a, cosines), site.apply_op("mul", b, sines))
    other = site.apply_op("add", site.apply_op("mul", a, sines), site.apply_op("mul", b, cosines))
    if site.get_attr("interleaved", 0):
        rotated = site.apply_op("flatten", site.apply_op("stack", real, other, axis=4), start=3, end=4)
    else:
        rotated = site.apply_op("concat", real, other, axis=3)
    return rotated if rest is None else site.apply_op("concat", rotated, rest, axis=3)
