"""Comparison, logic and choice in ONNX."""

from __future__ import annotations

from ....ir.types import BOOL, FLOAT32
from ....ops.arithmetic import Pair
from ....ops.comparison import Comparison, Eq, Ge, Gt, Isfinite, Isinf, Isnan, Le, LogicalAnd, LogicalOr, LogicalXor, Lt, Ne, Where
from ....ops.pointwise import cast_scalar, computed
from ..expressions import FLOAT64, INT32, TensorExpr, operand
from ..table import Site, emits
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
    return operand(site).truth().op(op.onnx, operand(site, 1).truth()).name


def _asked(site: Site) -> TensorExpr:
    """The input in a type that runtimes can ask: in float32 nothing that is finite becomes infinite but what is of float64."""
    x = operand(site)
    return x if x.dtype == FLOAT64 else x.cast(FLOAT32)


@emits(Isnan, Isinf)
def predicate(op: Isnan | Isinf, site: Site) -> str:
    return _asked(site).op(op.onnx, to=BOOL).name


@emits(Isfinite)
def isfinite(op: Isfinite, site: Site) -> str:
    x = _asked(site)
    return x.op("IsNaN", to=BOOL).op("Or", x.op("IsInf", to=BOOL)).negation().name


def _number(op: Where, x: TensorExpr) -> TensorExpr:
    """What a half type does not hold is infinite in it."""
    taken = cast_scalar(op.scalars[0], computed(x.dtype))
    assert taken is not None
    return x.like(taken)


@emits(Where)
def where(op: Where, site: Site) -> str:
    dtype = op.operand_type(site.given)
    x = operand(site, 1).cast(dtype)
    other = _number(op, x) if op.scalars else operand(site, 2).cast(dtype)
    then, otherwise = (other, x) if op.reverse else (x, other)
    return operand(site).choose(then, otherwise).name
