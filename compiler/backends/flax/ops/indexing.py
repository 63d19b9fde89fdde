"""Writes elements by their indices, sorting and changes of places in Flax: `jnp.take_along_axis(x, index, axis=1)`."""

from __future__ import annotations

from ....ops.axes import normalize_axis
from ....ops.diagonals import DiagEmbed, Diagonal
from ....ops.experts import GroupedLinear
from ....ops.indexing import Gather, IndexAdd, IndexSelect, MaskedFill, OneHot, Scatter, ScatterReduce, Tril, Triu, convert_fill_value
from ....ops.slicing import Flip, Pad, RepeatInterleave, Roll, Tile
from ....ops.sorting import Argsort, Bucketize, Sort, Topk
from ...python.code.class_tree import NameCode
from ...python.code.python_expressions import Code, Default, ItemCode, TupleCode, call_function, call_method, to_code
from ..flax_emitters import FlaxSite, function
from ..flax_framework import get_jax_dtype

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _get_axis(op: Gather | Scatter | ScatterReduce | IndexAdd, site: FlaxSite) -> int:
    return normalize_axis(op.name, op.axis, site.given.x)


@function(Gather, target="jax.numpy.take_along_axis")
def emit_gather(op: Gather, site: FlaxSite) -> Code:
    return call_function("gather", site.x, site.index, _get_axis(op, site))


@function(Scatter, target="jax.numpy.ndarray.at")
def emit_scatter(op: Scatter, site: FlaxSite) -> Code:
    method = Default({"add": "add", "multiply": "multiply", None: "set"}[op.reduce], "set")
    value = site.src if op.value is None else to_code(convert_fill_value(op.name, op.value, site.given.x.dtype), "value")
    return call_function("scatter", site.x, site.index, value, _get_axis(op, site), method=method)


@function(ScatterReduce, target="jax.numpy.ndarray.at")
def emit_scatter_reduce(op: ScatterReduce, site: FlaxSite) -> Code:
    keywords = {"reduce": op.reduce, "include_self": Default(op.include_self, True)}
    return call_function("scatter_reduce", site.x, site.index, site.src, _get_axis(op, site), **keywords)


@function(IndexSelect, target="jax.numpy.take")
def emit_index_select(op: IndexSelect, site: FlaxSite) -> Code:
    if not site.given.x.rank:
        return site.x
    return call_function("jnp.take", site.x, site.index, axis=op.axis)


@function(IndexAdd, target="jax.numpy.ndarray.at")
def emit_index_add(op: IndexAdd, site: FlaxSite) -> Code:
    return call_function("index_add", site.x, site.index, site.source, _get_axis(op, site), alpha=Default(op.alpha, 1))


@function(OneHot, target="jax.nn.one_hot")
def emit_one_hot(op: OneHot, site: FlaxSite) -> Code:
    return call_function("nnx.one_hot", site.indices, to_code(op.classes, "num_classes"), dtype=get_jax_dtype(op.dtype))


@function(Tril, Triu, target="jax.numpy.{}")
def emit_triangle(op: Tril | Triu, site: FlaxSite) -> Code:
    return call_function(f"jnp.{op.name}", site.x, *([] if op.diagonal == 0 else [to_code(op.diagonal, "diagonal")]))


@function(MaskedFill, target="jax.numpy.where")
def emit_masked_fill(op: MaskedFill, site: FlaxSite) -> Code:
    value = convert_fill_value(op.name, op.value, site.given.x.dtype)
    return call_function("jnp.where", site.mask, to_code(value, "value"), site.x)


@function(Pad, target="jax.numpy.pad")
def emit_pad(op: Pad, site: FlaxSite) -> Code:
    pairs = tuple(zip(op.padding[::2], op.padding[1::2], strict=True))[::-1]
    pads = ((0, 0),) * (site.given.x.rank - len(pairs)) + pairs
    amounts = TupleCode(tuple(TupleCode((to_code(a, "padding"), to_code(b, "padding"))) for a, b in pads))
    if op.mode != "constant":
        return call_function("jnp.pad", site.x, amounts, mode=_MODES[op.mode])
    value = op.convert_fill_value(site.given.x.dtype)
    if any(isinstance(amount, int) and amount < 0 for pair in pads for amount in pair):
        return call_function("pad", site.x, amounts, value)
    return call_function("jnp.pad", site.x, amounts, constant_values=Default(value, 0 if site.given.x.dtype.is_integer else 0.0))


@function(Flip, target="jax.numpy.flip")
def emit_flip(op: Flip, site: FlaxSite) -> Code:
    return call_function("jnp.flip", site.x, op.axis)


@function(Roll, target="jax.numpy.roll")
def emit_roll(op: Roll, site: FlaxSite) -> Code:
    if op.axis is None:
        return call_function("jnp.roll", site.x, to_code(op.shifts[0], "shift"))
    return call_function("jnp.roll", site.x, to_code(tuple(op.shifts)), axis=to_code(tuple(op.axis)))


@function(Tile, target="jax.numpy.tile")
def emit_tile(op: Tile, site: FlaxSite) -> Code:
    return call_function("jnp.tile", site.x, TupleCode(tuple(to_code(count, "count") for count in op.repeats)))


@function(RepeatInterleave, target="jax.numpy.repeat")
def emit_repeat_interleave(op: RepeatInterleave, site: FlaxSite) -> Code:
    return call_function("jnp.repeat", site.x, to_code(op.repeats, "repeats"), axis=Default(op.axis, None))


@function(Topk, target="jax.lax.top_k")
def emit_topk(op: Topk, site: FlaxSite) -> Code:
    axis, largest = Default(op.axis, -1), Default(op.largest, True)
    both = call_function("top_k", site.x, to_code(op.k, "k"), axis=axis, largest=largest)
    return both if len(site.results) == 2 else ItemCode(both, (to_code(0),), 2)


@function(Sort, target="jax.numpy.sort")
def emit_sort(op: Sort, site: FlaxSite) -> Code:
    keywords = {"axis": Default(op.axis, -1), "descending": Default(op.descending, False)}
    if not site.given.x.rank:
        return site.x if len(site.results) == 1 else TupleCode((site.x, call_function("jnp.zeros_like", site.x, dtype=NameCode("int"))))
    values = call_function("jnp.sort", site.x, **keywords)
    return values if len(site.results) == 1 else TupleCode((values, call_function("jnp.argsort", site.x, **keywords)))


@function(Argsort, target="jax.numpy.argsort")
def emit_argsort(op: Argsort, site: FlaxSite) -> Code:
    if not site.given.x.rank:
        return call_function("jnp.zeros_like", site.x, dtype=NameCode("int"))
    return call_function("jnp.argsort", site.x, axis=Default(op.axis, -1), descending=Default(op.descending, False))


@function(Bucketize, target="jax.numpy.searchsorted")
def emit_bucketize(op: Bucketize, site: FlaxSite) -> Code:
    places = call_function("jnp.searchsorted", site.boundaries, site.x, side=Default("right" if op.right else "left", "left"))
    return call_method(places, "astype", NameCode("int"))


@function(Diagonal, target="jax.numpy.diagonal")
def emit_diagonal(op: Diagonal, site: FlaxSite) -> Code:
    return call_function("jnp.diagonal", site.x, offset=Default(op.offset, 0), axis1=Default(op.axis1, 0), axis2=Default(op.axis2, 1))


@function(DiagEmbed, target="jax.numpy.eye")
def emit_diag_embed(op: DiagEmbed, site: FlaxSite) -> Code:
    return call_function("diag_embed", site.x, offset=Default(op.offset, 0), axis1=Default(op.axis1, -2), axis2=Default(op.axis2, -1))


@function(GroupedLinear, target="jax.numpy.einsum, of the weight of each row")
def emit_grouped_linear(op: GroupedLinear, site: FlaxSite) -> Code:
    return call_function("grouped_linear", site.x, site.index, site.weight)
