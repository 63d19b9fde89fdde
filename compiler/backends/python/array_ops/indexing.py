"""Writes elements by their indices, sorting and changes of places: `jnp.take_along_axis(x, index, axis=1)`."""

from __future__ import annotations

from ....ops.axes import normalize_axis
from ....ops.diagonals import DiagEmbed, Diagonal
from ....ops.experts import GroupedLinear
from ....ops.indexing import Gather, IndexAdd, IndexSelect, MaskedFill, OneHot, Scatter, ScatterReduce, Tril, Triu, convert_fill_value
from ....ops.slicing import Flip, Pad, RepeatInterleave, Roll, Tile
from ....ops.sorting import Argsort, Bucketize, Sort, Topk
from ..code.python_expressions import Code, Default, ItemCode, TupleCode, call_function, call_method, to_code
from ..operator_calls import OperatorSite
from .array_emitters import ARRAY, ArraySite

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def get_axis(op: Gather | Scatter | ScatterReduce | IndexAdd, site: OperatorSite) -> int:
    return normalize_axis(op.name, op.axis, site.given.x)


@ARRAY.function(Gather, target="{array}.take_along_axis")
def emit_gather(op: Gather, site: ArraySite) -> Code:
    return call_function("gather", site.x, site.index, get_axis(op, site))


@ARRAY.function(Scatter, target="{array}.ndarray.at")
def emit_scatter(op: Scatter, site: ArraySite) -> Code:
    method = Default({"add": "add", "multiply": "multiply", None: "set"}[op.reduce], "set")
    value = site.src if op.value is None else to_code(convert_fill_value(op.name, op.value, site.given.x.dtype), "value")
    return call_function("scatter", site.x, site.index, value, get_axis(op, site), method=method)


@ARRAY.function(ScatterReduce, target="{array}.ndarray.at")
def emit_scatter_reduce(op: ScatterReduce, site: ArraySite) -> Code:
    keywords = {"reduce": op.reduce, "include_self": Default(op.include_self, True)}
    return call_function("scatter_reduce", site.x, site.index, site.src, get_axis(op, site), **keywords)


@ARRAY.function(IndexSelect, target="{array}.take")
def emit_index_select(op: IndexSelect, site: ArraySite) -> Code:
    if not site.given.x.rank:
        return site.x
    # The axis stays, with one element.
    index = site.index if site.given.index.rank else call_method(site.index, "reshape", 1)
    return site.words.call("take", site.x, index, axis=op.axis)


@ARRAY.function(IndexAdd, target="{array}.ndarray.at")
def emit_index_add(op: IndexAdd, site: ArraySite) -> Code:
    return call_function("index_add", site.x, site.index, site.source, get_axis(op, site), alpha=Default(op.alpha, 1))


@ARRAY.function(OneHot, target="{nn}.one_hot")
def emit_one_hot(op: OneHot, site: ArraySite) -> Code:
    return site.words.call_nn("one_hot", site.indices, to_code(op.classes, "num_classes"), dtype=site.words.get_dtype(op.dtype))


@ARRAY.function(Tril, Triu, target="{array}.{}")
def emit_triangle(op: Tril | Triu, site: ArraySite) -> Code:
    return site.words.call(f"{op.name}", site.x, *([] if op.diagonal == 0 else [to_code(op.diagonal, "diagonal")]))


@ARRAY.function(MaskedFill, target="{array}.where")
def emit_masked_fill(op: MaskedFill, site: ArraySite) -> Code:
    value = convert_fill_value(op.name, op.value, site.given.x.dtype)
    return site.words.call("where", site.mask, to_code(value, "value"), site.x)


def list_pad_amounts(op: Pad, site: OperatorSite) -> Code:
    """Write the amounts before and after each axis."""
    pairs = tuple(zip(op.padding[::2], op.padding[1::2], strict=True))[::-1]
    pads = ((0, 0),) * (site.given.x.rank - len(pairs)) + pairs
    return TupleCode(tuple(TupleCode((to_code(a, "padding"), to_code(b, "padding"))) for a, b in pads))


@ARRAY.function(Pad, target="{array}.pad")
def emit_pad(op: Pad, site: ArraySite) -> Code:
    amounts = list_pad_amounts(op, site)
    crops = any(not isinstance(amount, int) or amount < 0 for amount in op.padding)
    if op.mode != "constant":
        if crops:
            return call_function("pad_edges", site.x, amounts, op.mode)
        return site.words.call("pad", site.x, amounts, mode=_MODES[op.mode])
    value = op.convert_fill_value(site.given.x.dtype)
    if crops:
        return call_function("pad", site.x, amounts, value)
    return site.words.call("pad", site.x, amounts, constant_values=Default(value, 0 if site.given.x.dtype.is_integer else 0.0))


@ARRAY.function(Flip, target="{array}.flip")
def emit_flip(op: Flip, site: ArraySite) -> Code:
    return site.words.call("flip", site.x, op.axis)


@ARRAY.function(Roll, target="{array}.roll")
def emit_roll(op: Roll, site: ArraySite) -> Code:
    if op.axis is None:
        return site.words.call("roll", site.x, to_code(op.shifts[0], "shift"))
    return site.words.call("roll", site.x, to_code(tuple(op.shifts)), axis=to_code(tuple(op.axis)))


@ARRAY.function(Tile, target="{array}.tile")
def emit_tile(op: Tile, site: ArraySite) -> Code:
    return site.words.call("tile", site.x, TupleCode(tuple(to_code(count, "count") for count in op.repeats)))


@ARRAY.function(RepeatInterleave, target="{array}.repeat")
def emit_repeat_interleave(op: RepeatInterleave, site: ArraySite) -> Code:
    return site.words.call("repeat", site.x, to_code(op.repeats, "repeats"), axis=Default(op.axis, None))


@ARRAY.function(Topk, target="{array}.argsort")
def emit_topk(op: Topk, site: ArraySite) -> Code:
    axis, largest = Default(op.axis, -1), Default(op.largest, True)
    both = call_function("top_k", site.x, to_code(op.k, "k"), axis=axis, largest=largest)
    return both if len(site.results) == 2 else ItemCode(both, (to_code(0),), 2)


@ARRAY.function(Sort, target="{array}.sort")
def emit_sort(op: Sort, site: ArraySite) -> Code:
    keywords = {"axis": Default(op.axis, -1), "descending": Default(op.descending, False)}
    if not site.given.x.rank:
        return site.x if len(site.results) == 1 else TupleCode((site.x, _emit_zero_index(site)))
    values = site.words.call("sort", site.x, **keywords)
    return values if len(site.results) == 1 else TupleCode((values, site.words.call("argsort", site.x, **keywords)))


def _emit_zero_index(site: ArraySite) -> Code:
    """Write the index of the only element of a scalar."""
    return site.words.call("zeros_like", site.x, dtype=site.words.default_integer)


@ARRAY.function(Argsort, target="{array}.argsort")
def emit_argsort(op: Argsort, site: ArraySite) -> Code:
    if not site.given.x.rank:
        return _emit_zero_index(site)
    return site.words.call("argsort", site.x, axis=Default(op.axis, -1), descending=Default(op.descending, False))


@ARRAY.function(Bucketize, target="{array}.searchsorted")
def emit_bucketize(op: Bucketize, site: ArraySite) -> Code:
    places = site.words.call("searchsorted", site.boundaries, site.x, side=Default("right" if op.right else "left", "left"))
    return call_method(places, "astype", to_code(site.words.default_integer))


@ARRAY.function(Diagonal, target="{array}.diagonal")
def emit_diagonal(op: Diagonal, site: ArraySite) -> Code:
    return site.words.call("diagonal", site.x, offset=Default(op.offset, 0), axis1=Default(op.axis1, 0), axis2=Default(op.axis2, 1))


@ARRAY.function(DiagEmbed, target="{array}.eye")
def emit_diag_embed(op: DiagEmbed, site: ArraySite) -> Code:
    return call_function("diag_embed", site.x, offset=Default(op.offset, 0), axis1=Default(op.axis1, -2), axis2=Default(op.axis2, -1))


@ARRAY.function(GroupedLinear, target="{array}.einsum, of the weight of each row")
def emit_grouped_linear(op: GroupedLinear, site: ArraySite) -> Code:
    return call_function("grouped_linear", site.x, site.index, site.weight)
