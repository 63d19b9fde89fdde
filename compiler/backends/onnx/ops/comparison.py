"""Comparison, logic and choice in ONNX."""

from __future__ import annotations

from ....ops.arithmetic import Pair
from ....ops.comparison import Comparison, Eq, Ge, Gt, Le, LogicalAnd, LogicalOr, LogicalXor, Lt, Ne, Where
from ....types import BOOL
from ..table import Site, emits
from ..terms import INT32, term
from .arithmetic import operands


@emits(Eq, Ne, Lt, Le, Gt, Ge)
def comparison(op: Comparison, site: Site) -> str:
    a, b = operands(op, site)
    if isinstance(op, Eq | Ne):
        same = a.equal(b)
        return same.name if isinstance(op, Eq) else same.negation().name
    via = INT32 if a.dtype == BOOL else a.dtype
    return a.cast(via).op(op.onnx, b.cast(via), to=BOOL).name


@emits(LogicalAnd, LogicalOr, LogicalXor)
def logic(op: Pair, site: Site) -> str:
    return term(site).truth().op(op.onnx, term(site, 1).truth()).name


@emits(Where)
def where(op: Where, site: Site) -> str:
    dtype = op.operand_type(site.given)
    x = term(site, 1).cast(dtype)
    other = x.like(op.other) if op.scalars else term(site, 2).cast(dtype)
    then, otherwise = (other, x) if op.reverse else (x, other)
    return term(site).choose(then, otherwise).name
