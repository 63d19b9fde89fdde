"""Order along an axis in ONNX: everything is TopK, of all elements for a sort. TopK puts NaN first, and keeps the order of equal
elements."""

from __future__ import annotations

from ....dims import Dim
from ....ir.types import BOOL, DTYPES, FLOAT32, INT64
from ....ops.axes import normalize_axis
from ....ops.promotion import result_type
from ....ops.sorting import Argsort, Bucketize, Sort, Topk
from ..expressions import INT32, TensorExpr
from ..table import Site, emits

_WIDER = {"bool": DTYPES["uint8"], "bfloat16": FLOAT32}
"""TopK leaves these out."""


@emits(Topk, onnx="TopK")
def topk(op: Topk, site: Site) -> tuple[str, ...]:
    return _ordered(site, op.k, op.axis, largest=op.largest, sort=op.sorted)[: len(site.results)]


@emits(Sort, onnx="TopK")
def sort(op: Sort, site: Site) -> tuple[str, ...]:
    return _ordered(site, None, op.axis, largest=op.descending)[: len(site.results)]


@emits(Argsort, onnx="TopK")
def argsort(op: Argsort, site: Site) -> str:
    return _ordered(site, None, op.axis, largest=op.descending)[1]


def _ordered(site: Site, k: Dim | None, axis: int, *, largest: bool, sort: bool = True) -> tuple[str, str]:
    """Values and indices; `k` None: all."""
    x = site.given.x
    if not x.rank:
        return site.x.op("Identity").name, site.scalar(0, INT64)
    front = normalize_axis(site.node.op.name, axis, x)
    wide = site.x.cast(_WIDER.get(x.dtype.name, x.dtype))
    count = site.ints([x.shape[front] if k is None else k])
    values, indices = site.add_many("TopK", [wide.name, count], 2, axis=front, largest=int(largest), sorted=int(sort))
    return TensorExpr(site, values, wide.dtype).cast(x.dtype).name, indices


@emits(Bucketize, onnx="Unsqueeze, Less and ReduceSum")
def bucketize(op: Bucketize, site: Site) -> str:
    """The boundaries that a search would pass: all of them for NaN."""
    dtype = result_type(site.given)
    if dtype.size < 4:
        dtype = FLOAT32 if dtype.is_float else INT32
    column = TensorExpr(site, site.add("Unsqueeze", [site.x.cast(dtype).name, site.ints([site.given.x.rank])]), dtype)
    stop = site.boundaries.cast(dtype).op("Greater" if op.right else "GreaterOrEqual", column, to=BOOL)
    passed = stop.negation().cast(INT64)
    return site.add("ReduceSum", [passed.name, site.ints([-1])], keepdims=0)
