"""Elements by their places in PyTorch: `x.gather(1, index)`."""

from __future__ import annotations

from ....ir.types import INT64
from ....ops.indexing import INDEX, SRC, Gather, IndexSelect, MaskedFill, OneHot, Scatter, ScatterReduce, Tril, Triu, filling
from ..code import Code, Ref, call, lit, method
from ..table import TorchSite, function
from .shape import cast_to

X = Ref(0)


def _index(site: TorchSite) -> Code:
    """Indices of int32 are converted: only newer versions of PyTorch take them here."""
    return Ref(INDEX) if site.given[INDEX].dtype == INT64 else cast_to(Ref(INDEX), INT64)


def _value(op: Scatter | MaskedFill, site: TorchSite) -> Code:
    """A whole number as an integer: `masked_fill(mask, 0)`; PyTorch takes none beyond 64 bits."""
    value = filling(op.name, op.value, site.given[0].dtype)
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    return lit(int(value) if whole else value, "value")


@function(Gather)
def gather(op: Gather, site: TorchSite) -> Code:
    return method(X, "gather", op.axis, _index(site))


@function(Scatter)
def scatter(op: Scatter, site: TorchSite) -> Code:
    if op.value is not None:
        return method(X, "scatter", op.axis, _index(site), _value(op, site), reduce=(op.reduce, None))
    # With `src`, PyTorch has other methods in the place of `reduce`.
    names = {"add": "scatter_add", "multiply": "scatter_reduce", None: "scatter"}
    reduce = "prod" if op.reduce == "multiply" else None
    return method(X, names[op.reduce], op.axis, _index(site), Ref(SRC), reduce=(reduce, None))


@function(ScatterReduce)
def scatter_reduce(op: ScatterReduce, site: TorchSite) -> Code:
    return method(X, "scatter_reduce", op.axis, _index(site), Ref(SRC), reduce=op.reduce, include_self=(op.include_self, True))


@function(IndexSelect)
def index_select(op: IndexSelect, site: TorchSite) -> Code:
    return method(X, "index_select", op.axis, Ref(INDEX))


@function(OneHot)
def one_hot(op: OneHot, site: TorchSite) -> Code:
    code = call("F.one_hot", X, lit(op.classes, "num_classes"))
    return code if op.dtype == INT64 else cast_to(code, op.dtype)


@function(Tril, Triu)
def triangle(op: Tril | Triu, site: TorchSite) -> Code:
    return method(X, op.name, *([] if op.diagonal == 0 else [lit(op.diagonal, "diagonal")]))


@function(MaskedFill)
def masked_fill(op: MaskedFill, site: TorchSite) -> Code:
    return method(X, "masked_fill", Ref(INDEX), _value(op, site))
