"""Emit comparisons, boolean logic and `where` as ONNX nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 3; y = input 3; where(x > 0, x, y)").onnx().graph.node]
['Greater', 'Where']
"""

from __future__ import annotations

from ....ops.arithmetic import Pair
from ....ops.comparison import Comparison, Eq, Ge, Gt, Isfinite, Isinf, Isnan, Le, LogicalAnd, LogicalOr, LogicalXor, Lt, Ne, Where
from ....ops.operator import Operator
from ....ops.scalars import cast_scalar, compute_dtype
from ....types.tensor_types import BOOL, FLOAT32
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, INT32, TensorExpr
from .arithmetic import cast_operands

_COMPARISONS: dict[type[Operator], str] = {
    Eq: "Equal",
    Ne: "Equal and Not",
    Lt: "Less",
    Le: "LessOrEqual",
    Gt: "Greater",
    Ge: "GreaterOrEqual",
}


@emits(*_COMPARISONS, onnx=_COMPARISONS)
def emit_comparison(op: Comparison, site: Site) -> str:
    a, b = cast_operands(op, site)
    if isinstance(op, Eq | Ne):
        same = a.equal(b)
        return same.name if isinstance(op, Eq) else same.negation().name
    via = INT32 if a.dtype == BOOL else a.dtype  # ONNX orders numbers only
    return a.cast(via).op(_COMPARISONS[type(op)], b.cast(via), to=BOOL).name


_LOGIC: dict[type[Operator], str] = {
    LogicalAnd: "And",
    LogicalOr: "Or",
    LogicalXor: "Xor",
}


@emits(*_LOGIC, onnx=_LOGIC)
def emit_logic(op: Pair, site: Site) -> str:
    return site.x.truth().op(_LOGIC[type(op)], site.other.truth()).name


def _cast_for_predicate(site: Site) -> TensorExpr:
    """Return the input in a type for which runtimes have IsNaN and IsInf."""
    x = site.x
    # A cast to float32 could make a finite float64 infinite, but no number of another type.
    return x if x.dtype == FLOAT64 else x.cast(FLOAT32)


_PREDICATES: dict[type[Operator], str] = {
    Isnan: "IsNaN",
    Isinf: "IsInf",
}


@emits(*_PREDICATES, onnx=_PREDICATES)
def emit_float_predicate(op: Isnan | Isinf, site: Site) -> str:
    return _cast_for_predicate(site).op(_PREDICATES[type(op)]).name


@emits(Isfinite, onnx="IsNaN, IsInf, Or and Not")
def emit_isfinite(op: Isfinite, site: Site) -> str:
    x = _cast_for_predicate(site)
    return x.op("IsNaN", to=BOOL).op("Or", x.op("IsInf", to=BOOL)).negation().name


def _make_number(op: Where, x: TensorExpr) -> TensorExpr:
    """Make the number of a `where`; a number that a half type cannot hold becomes infinite, as in PyTorch."""
    value = cast_scalar(op.scalars[0], compute_dtype(x.dtype))
    assert value is not None
    return x.like(value)


@emits(Where, onnx="Where")
def emit_where(op: Where, site: Site) -> str:
    dtype = op.operand_type(site.given)
    x = site.x.cast(dtype)
    other = _make_number(op, x) if op.scalars else site.other.cast(dtype)
    then, otherwise = (other, x) if op.number_first else (x, other)
    return site.condition.choose(then, otherwise).name
